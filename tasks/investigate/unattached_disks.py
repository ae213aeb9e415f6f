"""All managed disks, and all `.vhd` page blobs of all storage accounts; what is unattached is told, never decided here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Blob, Disk, DiskFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.reading import Notes, each, without_deleted

STEP = Step(
    id="investigate.unattached_disks",
    title="Find managed and unmanaged disks that nothing uses",
    effect=Effect.READ,
    description=(
        "Lists every managed disk with its attachment, and the page blobs of every storage account that are disks, with their lease."
    ),
    permissions=(
        "Microsoft.Compute/disks/read",
        "Microsoft.Storage/storageAccounts/read",
        "Microsoft.Storage/storageAccounts/blobServices/read",
        "Microsoft.Storage/storageAccounts/listKeys/action",
    ),
    guidance=("S62", "S63"),
    produces=DiskFacts,
)

_STORAGE = "2026-09-01"
_GIB = Decimal(1024**3)


async def collect(eyes: Eyes, case: Case) -> DiskFacts:
    """Read the managed disks or fail; accounts whose blobs cannot be listed are noted one by one."""
    base = f"/subscriptions/{eyes.arm.subscription_id}/providers"
    notes = Notes()
    disks = await eyes.arm.list(f"{base}/Microsoft.Compute/disks", "2026-03-02")
    disks = await without_deleted(eyes, case, disks, "2026-03-02")
    accounts = await notes.attempt(
        "storage accounts", eyes.arm.list(f"{base}/Microsoft.Storage/storageAccounts", _STORAGE), []
    )

    async def one(account: dict[str, Any]) -> list[Blob]:
        return await _blobs(eyes, account, notes)

    blobs = [blob for found in await each(one, accounts, at_once=4) for blob in found]
    return DiskFacts(
        disks=tuple(sorted((_disk(item) for item in disks if doc.path(item, "id")), key=lambda disk: disk.id.lower())),
        blobs=tuple(sorted(blobs, key=lambda blob: blob.id)),
        not_looked_at=notes.all,
    )


def assess(facts: DiskFacts, case: Case) -> list[Finding]:
    """Tell the unattached disks: those that became so in the incident's window apart from the old ones."""
    activity = case.get(ActivityFacts)
    since = activity.window_start if activity else None
    loose = [disk for disk in facts.disks if is_unattached(disk)]
    recent = [disk for disk in loose if _is_recent(disk.created_at, since) or _is_recent(disk.detached_at, since)]
    old = [disk for disk in loose if disk not in recent]
    free = [blob for blob in facts.blobs if not blob.leased]
    found = []
    if recent:
        size = sum(disk.size_gb for disk in recent)
        found.append(_finding("disks-unattached", f"{len(recent)} disks, {size} GB.", Severity.MEDIUM, recent))
    if old:
        size = sum(disk.size_gb for disk in old)
        found.append(_finding("disks-unattached-before", f"{len(old)} disks, {size} GB.", Severity.INFORMATIONAL, old))
    if free:
        gb = sum((blob.size_gb for blob in free), Decimal(0))
        found.append(_finding("blobs-unattached", f"{len(free)} page blobs, {gb:.0f} GB.", Severity.LOW, free))
    return found


def is_unattached(disk: Disk) -> bool:
    """Azure's own test: attached to nobody and in the state Unattached; Reserved belongs to a deallocated machine."""
    return not disk.attached_to and disk.state.lower() == "unattached"


def _is_recent(moment: datetime | None, since: datetime | None) -> bool:
    return moment is not None and since is not None and moment >= since


_TITLES = {
    "disks-unattached": "Managed disks left unattached in the incident's window",
    "disks-unattached-before": "Managed disks unattached since before the incident",
    "blobs-unattached": "Page blobs that no machine uses",
}


def _finding(kind: str, reason: str, severity: Severity, items: list[Any]) -> Finding:
    names = tuple(item.id for item in items)
    return Finding(id=kind, step=STEP.id, title=_TITLES[kind], severity=severity, reasons=(reason,), resources=names)


def _disk(item: dict[str, Any]) -> Disk:
    properties = doc.mapping(item, "properties")
    attached = [doc.path(item, "managedBy")]
    attached += [str(name) for name in doc.items(item, "managedByExtended")]
    return Disk(
        id=doc.path(item, "id"),
        name=doc.text(item, "name") or doc.path(item, "id").rsplit("/", 1)[-1],
        region=doc.region_name(doc.text(item, "location")),
        size_gb=doc.whole(properties, "diskSizeGB"),
        sku=doc.text(item, "sku", "name"),
        state=doc.text(properties, "diskState"),
        unique_id=doc.text(properties, "uniqueId"),
        created_at=doc.moment(doc.text(properties, "timeCreated")),
        detached_at=doc.moment(doc.text(properties, "LastOwnershipUpdateTime")),
        attached_to=tuple(sorted({name for name in attached if name})),
        tags=doc.tags(item),
    )


async def _blobs(eyes: Eyes, account: dict[str, Any], notes: Notes) -> list[Blob]:
    name = doc.path(account, "id")
    endpoint = doc.path(account, "properties", "primaryEndpoints", "blob")
    if not name or not endpoint:
        return []  # file and premium file accounts have no blobs
    what = f"page blobs of {doc.shown(name, 250)}"
    listed = await notes.attempt(what, eyes.blobs.page_blobs(endpoint), [])
    disks = [item for item in listed if _is_disk(item)]
    if not disks:
        return []
    service = await notes.attempt(
        f"soft delete of {doc.shown(name, 250)}", eyes.arm.get(f"{name}/blobServices/default", _STORAGE), None
    )
    kept = doc.field(service, "properties", "deleteRetentionPolicy", "enabled") is True
    return [
        Blob(
            id=f"{name}/blobServices/default/containers/{item['container']}/blobs/{item['name']}",
            account_id=name,
            url=str(item.get("url", "")),
            container=str(item["container"]),
            name=str(item["name"]),
            size_gb=(Decimal(doc.whole(item, "size")) / _GIB).quantize(Decimal("0.001")),
            leased=bool(item.get("leased", True)),
            etag=str(item.get("etag", "")),
            created_at=_time(item.get("created_at")),
            soft_delete=kept,
        )
        for item in disks
    ]


def _is_disk(item: dict[str, Any]) -> bool:
    named = str(item.get("name", "")).lower().endswith(".vhd") and bool(item.get("container"))
    return named and str(item.get("blob_type", "PageBlob")).lower() == "pageblob"


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else doc.moment(value)
