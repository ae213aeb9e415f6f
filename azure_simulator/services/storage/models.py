"""Storage accounts and their blobs: endpoints, keys, soft delete, and what stands in the way of deleting a blob."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

from azure_simulator.clock import stamp
from azure_simulator.services.storage.exceptions import BlobError
from azure_simulator.world import Document, World, public

ACCOUNT = "Microsoft.Storage/storageAccounts"
BLOB_SERVICE = "Microsoft.Storage/storageAccounts/blobServices"
KEY_NAMES = ("key1", "key2")


def find_account(world: World, name: str) -> Document | None:
    """The account of that name; names are unique in the whole cloud."""
    wanted = name.lower()
    return next((a for a in world.resources.of_type(ACCOUNT) if str(a["name"]).lower() == wanted), None)


def endpoint(world: World, account: Document) -> str:
    """Where the account's blobs are reached, with a trailing slash."""
    return f"{world.base_url}/blob/{account['name']}/"


def shown(world: World, account: Document) -> Document:
    """The account as answered: its endpoint is this simulator's."""
    answer = public(account)
    answer["properties"] = answer["properties"] | {
        "primaryEndpoints": {"blob": endpoint(world, account)},
        "keyCreationTime": key_times(account),
    }
    return answer


def key_times(account: Document) -> Document:
    """When each key was made: with the account, or when it was regenerated."""
    made = account["properties"].get("creationTime")
    return dict.fromkeys(KEY_NAMES, made) | dict(account.get("_key_times") or {})


def regenerate(world: World, account: Document, name: str) -> None:
    """Make one key anew; signatures under the old one are refused from now on."""
    keys(world, account)[KEY_NAMES.index(name)] = new_keys(world)[0]
    account.setdefault("_key_times", {})[name] = stamp(world.clock.now())


def new_keys(world: World) -> list[str]:
    """Two account keys."""
    return [b64encode(world.chance.getrandbits(512).to_bytes(64, "big")).decode() for _ in range(2)]


def keys(world: World, account: Document) -> list[str]:
    """The account's keys, made on first use."""
    found: list[str] = account.setdefault("_keys", [])
    if not found:
        found.extend(new_keys(world))
    return found


def blob_service(world: World, account: Document) -> Document:
    """The account's blob service document, with its soft-delete policy."""
    identity = f"{account['id']}/blobServices/default"
    stored = world.resources.get(identity)
    properties = dict(stored["properties"]) if stored is not None else {}
    days = int(account.get("_delete_retention_days", 0))
    properties.setdefault("deleteRetentionPolicy", {"enabled": True, "days": days} if days else {"enabled": False})
    properties.setdefault("containerDeleteRetentionPolicy", {"enabled": False})
    properties.setdefault("cors", {"corsRules": []})
    return {
        "id": identity,
        "name": "default",
        "type": BLOB_SERVICE,
        "sku": account.get("sku", {}),
        "properties": properties,
    }


def keeps_deleted(world: World, account: Document) -> bool:
    """Whether soft delete is on."""
    return bool(blob_service(world, account)["properties"]["deleteRetentionPolicy"].get("enabled"))


def moment(value: object) -> datetime:
    """A stored time, text or datetime, as an aware time."""
    found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def containers(world: World, account: Document) -> list[str]:
    """The account's containers: those that hold blobs and those that are declared empty."""
    name = str(account["name"]).lower()
    return sorted({str(b["container"]) for b in blobs(world, name)} | set(account.get("_containers", [])))


def blobs(world: World, account: str, container: str | None = None) -> list[Document]:
    """The account's blobs, soft-deleted ones included, by container and name."""
    found = [
        b
        for b in world.blobs.values()
        if str(b["account"]).lower() == account.lower() and (container is None or b["container"] == container)
    ]
    return sorted(found, key=lambda b: (str(b["container"]), str(b["name"])))


def find_blob(world: World, account: str, container: str, name: str) -> Document:
    """A blob that is there.

    Raises:
        BlobError: 404 ContainerNotFound or BlobNotFound.
    """
    found = world.blobs.get(f"{account}/{container}/{name}")
    if found is not None and not found.get("_deleted"):
        return found
    owner = find_account(world, account)
    if owner is None or container not in containers(world, owner):
        raise BlobError(404, "ContainerNotFound", "The specified container does not exist.")
    raise BlobError(404, "BlobNotFound", "The specified blob does not exist.")


def key_of(blob: Document) -> str:
    """The blob table's key."""
    return f"{blob['account']}/{blob['container']}/{blob['name']}"


def etag(blob: Document) -> str:
    """The blob's ETag in quotes, as the header has it."""
    value = str(blob.get("etag", "")).strip('"')
    return f'"{value}"'


def check_conditions(blob: Document, headers: dict[str, str]) -> None:
    """Compare `If-Match` and `If-None-Match`.

    Raises:
        BlobError: 412 ConditionNotMet.
    """
    wanted, unwanted = headers.get("if-match", ""), headers.get("if-none-match", "")
    now = etag(blob).strip('"')
    if (wanted and wanted != "*" and wanted.strip('"') != now) or (
        unwanted and (unwanted == "*" or unwanted.strip('"') == now)
    ):
        raise BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def delete_blob(world: World, account: Document, blob: Document, headers: dict[str, str]) -> None:
    """Delete a blob, or mark it deleted under soft delete.

    Raises:
        BlobError: 412 while it is leased or a condition fails, 409 while it has snapshots that the request does not name.
    """
    check_conditions(blob, headers)
    if blob.get("leased") and not headers.get("x-ms-lease-id"):
        raise BlobError(
            412,
            "LeaseIdMissing",
            "There is currently a lease on the blob and no lease ID was specified in the request.",
        )
    if blob.get("leased") and headers["x-ms-lease-id"].lower() != str(blob.get("_lease_id", "")).lower():
        raise BlobError(
            412,
            "LeaseIdMismatchWithBlobOperation",
            "The lease ID specified did not match the lease ID for the blob.",
        )
    with_snapshots = headers.get("x-ms-delete-snapshots", "").lower()
    if with_snapshots not in ("", "include", "only"):
        raise BlobError(
            400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        )
    if blob.get("snapshots") and not with_snapshots:
        raise BlobError(409, "SnapshotsPresent", "This operation is not permitted because the blob has snapshots.")
    soft = keeps_deleted(world, account)
    if with_snapshots and not soft:
        blob["snapshots"] = []
    if with_snapshots == "only":
        blob["snapshots"] = []
        return
    if soft:
        blob |= {"_deleted": True, "_deleted_at": stamp(world.clock.now())}
    else:
        del world.blobs[key_of(blob)]
    world.changed("blob.deleted", blob)


def snapshot(world: World, blob: Document) -> str:
    """Take a snapshot and return the time that names it; no two of one blob have the same."""
    taken = {str(s) for s in blob.setdefault("snapshots", [])}
    now = world.clock.now()
    name = stamp(now)
    while name in taken:
        now += timedelta(microseconds=1)
        name = stamp(now)
    blob["snapshots"].append(name)
    return name
