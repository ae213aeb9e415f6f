"""Unmanaged disks: the page blob behind a machine's `vhd.uri`, leased while the machine exists."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from azure_simulator.world import World


def blob_key(uri: str) -> str:
    """The blob table's key of a blob address, `https://{account}.blob...` or `.../blob/{account}/...`; "" for anything else."""
    parts = urlsplit(uri)
    path = unquote(parts.path).strip("/")
    host = (parts.hostname or "").split(".")
    if len(host) > 1 and host[1] == "blob":
        return f"{host[0]}/{path}" if path else ""
    return path.removeprefix("blob/") if path.startswith("blob/") else ""


def take(world: World, uri: str) -> None:
    """Lease the blob for a machine, making it when the machine is made from an image."""
    key = blob_key(uri)
    if key.count("/") < 2:
        return
    account, container, name = key.split("/", 2)
    blob = world.blobs.setdefault(
        key,
        {
            "account": account,
            "container": container,
            "name": name,
            "size": 30 * 1024**3 + 512,
            "blob_type": "PageBlob",
            "etag": f'"0x8D{world.chance.getrandbits(48):012X}"',
            "created": world.clock.now().isoformat(),
            "snapshots": [],
        },
    )
    blob["leased"] = True


def release(world: World, uri: str) -> None:
    """End the lease: the machine is gone, the blob stays and goes on costing."""
    blob = world.blobs.get(blob_key(uri))
    if blob is not None:
        blob["leased"] = False
