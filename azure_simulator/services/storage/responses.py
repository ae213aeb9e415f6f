"""Storage accounts over HTTP: the management side."""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from urllib.parse import urlencode

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response, page
from azure_simulator.services.compute.documents import (
    body_of,
    create,
    existing_for_put,
    listed,
    patch,
    remove,
    resource_id,
    stored,
)
from azure_simulator.services.storage import models
from azure_simulator.services.storage.exceptions import (
    AccountHasLeasedBlobsError,
    AccountNameInvalidError,
    AccountNameTakenError,
    KeyNameInvalidError,
)
from azure_simulator.services.storage.models import ACCOUNT, BLOB_SERVICE
from azure_simulator.world import World


def list_accounts(world: World, request: Request) -> Response:
    """All accounts of the subscription or group."""
    return page(world, request, listed(world, request, ACCOUNT), wrap=lambda a: models.shown(world, a))


def get_account(world: World, request: Request) -> Response:
    """One account."""
    return Response(200, models.shown(world, stored(world, request, ACCOUNT)))


def put_account(world: World, request: Request) -> Response:
    """Create an account (it is there at once), or update one."""
    body, name = body_of(request), request.params["name"]
    if not re.fullmatch(r"[a-z0-9]{3,24}", name):
        raise AccountNameInvalidError(name)
    found = existing_for_put(world, request, ACCOUNT, body)
    if found is not None:
        patch(found, body)
        return Response(200, models.shown(world, found))
    if models.find_account(world, name) is not None:
        raise AccountNameTakenError(name)
    account = create(world, request, ACCOUNT, body)
    account.setdefault("sku", {"name": "Standard_LRS"})
    account["sku"]["tier"] = str(account["sku"].get("name", "Standard_LRS")).split("_")[0]
    account.setdefault("kind", "StorageV2")
    account["_keys"] = models.new_keys(world)
    account["properties"] |= {
        "provisioningState": "Succeeded",
        "creationTime": stamp(world.clock.now()),
        "primaryLocation": account["location"],
        "statusOfPrimary": "available",
    }
    for name, value in (
        ("allowSharedKeyAccess", True),
        ("supportsHttpsTrafficOnly", True),
        ("allowBlobPublicAccess", False),
    ):
        account["properties"].setdefault(name, value)
    return Response(200, models.shown(world, account))


def patch_account(world: World, request: Request) -> Response:
    """Change an account, for instance forbid its keys."""
    account = stored(world, request, ACCOUNT)
    patch(account, body_of(request))
    return Response(200, models.shown(world, account))


def delete_account(world: World, request: Request) -> Response:
    """Delete an account and its blobs: 200, or 204 when it is absent; 409 while a machine leases a disk in it."""
    account = world.resources.get(resource_id(request, ACCOUNT))
    if account is None:
        return Response(204)
    inside = models.blobs(world, account["name"])
    if any(b.get("leased") for b in inside):
        raise AccountHasLeasedBlobsError(account["name"])
    for blob in inside:
        del world.blobs[models.key_of(blob)]
    remove(world, account["id"])
    world.changed("storage_account.deleted", account)
    return Response(200)


def list_keys(world: World, request: Request) -> Response:
    """The account's keys: secrets."""
    account = stored(world, request, ACCOUNT)
    made = models.key_times(account)
    rows = [
        {"creationTime": made[name], "keyName": name, "value": key, "permissions": "FULL"}
        for name, key in zip(models.KEY_NAMES, models.keys(world, account), strict=True)
    ]
    return Response(200, {"keys": rows})


def regenerate_key(world: World, request: Request) -> Response:
    """Replace one key and answer both: https://learn.microsoft.com/rest/api/storagerp/storage-accounts/regenerate-key"""
    account, name = stored(world, request, ACCOUNT), str(body_of(request).get("keyName") or "").lower()
    if name not in models.KEY_NAMES:
        raise KeyNameInvalidError
    models.regenerate(world, account, name)
    return list_keys(world, request)


def list_account_sas(world: World, request: Request) -> Response:
    """A link to the account, signed with one of its keys: https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-account-sas"""
    return Response(200, {"accountSasToken": _sas(world, request, ("signedServices", "signedResourceTypes"))})


def list_service_sas(world: World, request: Request) -> Response:
    """A link to one container, file or table: https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list-service-sas"""
    return Response(200, {"serviceSasToken": _sas(world, request, ("canonicalizedResource",))})


def _sas(world: World, request: Request, needed: tuple[str, ...]) -> str:
    account, body = stored(world, request, ACCOUNT), body_of(request)
    name = str(body.get("keyToSign") or "key1").lower()
    if name not in models.KEY_NAMES or not all(body.get(each) for each in needed):
        raise KeyNameInvalidError
    key = models.keys(world, account)[models.KEY_NAMES.index(name)]
    told = {
        "sv": "2015-04-05",
        "ss": body.get("signedServices"),
        "srt": body.get("signedResourceTypes"),
        "sr": body.get("signedResource"),
        "sp": body.get("signedPermission"),
        "se": body.get("signedExpiry"),
    }
    given = urlencode({name: value for name, value in told.items() if value})
    signature = hmac.digest(b64decode(key), f"{account['name']}\n{given}".encode(), "sha256")
    return f"{given}&{urlencode({'sig': b64encode(signature).decode()})}"


def get_blob_service(world: World, request: Request) -> Response:
    """The blob service's settings: soft delete."""
    return Response(200, models.blob_service(world, stored(world, request, ACCOUNT)))


def put_blob_service(world: World, request: Request) -> Response:
    """Change the blob service's settings."""
    account = stored(world, request, ACCOUNT)
    identity = f"{account['id']}/blobServices/default"
    properties = models.blob_service(world, account)["properties"] | dict(body_of(request).get("properties") or {})
    world.resources[identity] = {"id": identity, "name": "default", "type": BLOB_SERVICE, "properties": properties}
    return Response(200, models.blob_service(world, account))
