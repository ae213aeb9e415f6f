"""Snapshot first, then delete: the two actions on a managed disk, shared by the steps that remove disks (P7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.model.canonical import digest_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Disk, Inventory
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Target
from tasks.arm import (
    DISKS,
    FEW,
    Document,
    absent,
    is_provisioning,
    items_at,
    known,
    look_at,
    read_all,
    text_at,
    value_at,
)
from tasks.judged import Judged
from tasks.words import group_of, name_of, per_hour, plain, slug

SNAPSHOT = "disk.snapshot"
DELETE = "disk.delete"
RESTORE = "disk.restore"
READY = "ready"
_KEPT = (
    "dataAccessAuthMode",
    "diskAccessId",
    "diskSizeGB",
    "encryption",
    "hyperVGeneration",
    "maxShares",
    "networkAccessPolicy",
    "osType",
    "publicNetworkAccess",
    "purchasePlan",
    "securityProfile",
    "supportedCapabilities",
    "supportsHibernation",
)
_KEPT_OF_PREMIUM = ("tier", "burstingEnabled")
_KEPT_OF_FAST = ("diskIOPSReadWrite", "diskMBpsReadWrite", "diskIOPSReadOnly", "diskMBpsReadOnly")

PERMISSIONS = (
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/disks/delete",
    "Microsoft.Compute/disks/beginGetAccess/action",
    "Microsoft.Compute/snapshots/read",
    "Microsoft.Compute/snapshots/write",
)
PARAMETERS = {
    "snapshot_sku": "Storage of the evidence snapshots, Standard_LRS when not given.",
    "evidence_group": "Existing resource group for the snapshots; without it they lie beside the disk.",
}
_KUBERNETES = ("kubernetes.io", "k8s-azure", "k8s-")
_BUSY = ("activesas", "activesasfrozen", "activeupload", "readytoupload")


def excluded(disk: Disk) -> str:
    """Return why a disk is never removed by machine, whoever made it; "" when nothing speaks against it."""
    tags = {key.lower() for key in disk.tags}
    if any(tag.startswith(_KUBERNETES) for tag in tags) or str(disk.tags.get("created-by", "")).startswith(
        "kubernetes"
    ):
        return "A Kubernetes volume: the cluster may attach it again."
    if disk.name.lower().endswith("-asrreplica") or disk.name.lower().startswith("ms-asr-"):
        return "A replica of Azure Site Recovery."
    if disk.state.lower() in _BUSY:
        return f"Its data is being exported or uploaded ({disk.state}): find out by whom first."
    if disk.state.lower() == "frozen":
        return "It belongs to a hibernated machine."
    return ""


def missing_group(case: Case, step: str) -> str:
    """Return why snapshots have no place, "" when they have one."""
    wanted = str(case.parameter(step, "evidence_group", ""))
    inventory = case.get(Inventory)
    if not wanted or inventory is None or any(g.name.lower() == wanted.lower() for g in inventory.groups):
        return ""
    return f"The evidence group {plain(wanted)} does not exist: create it, then plan again."


def snapshot_of(disk: Disk, step: str, case: Case, reasons: Sequence[str], *, group: str = "") -> Action:
    """The action that keeps a disk's content as evidence; in `group` where the disk's own is deleted with it."""
    group = str(case.parameter(step, "evidence_group", "")) or group or group_of(disk.id)
    mark = digest_of([disk.id.lower(), disk.unique_id])[:10]
    name = f"firebreak-{slug(case.incident.case, 30)}-{mark}"
    path = f"/subscriptions/{case.incident.subscription_id}/resourceGroups/{group}/providers/Microsoft.Compute/snapshots/{name}"
    body = {
        "location": disk.region,
        "sku": {"name": str(case.parameter(step, "snapshot_sku", "Standard_LRS"))},
        "properties": {"incremental": True, "creationData": {"createOption": "Copy", "sourceResourceId": disk.id}},
        "tags": {"incident": case.incident.case, "firebreak": "evidence", "source-disk": plain(disk.name, 200)},
    }
    return Action(
        id=action_id(step, SNAPSHOT, disk.id),
        step=step,
        kind=SNAPSHOT,
        target=disk.id,
        title=f"Snapshot disk {plain(disk.name)} ({disk.size_gb} GB) as evidence",
        effect=Effect.REVERSIBLE,
        reasons=("Keeps the content before the disk is deleted.", *reasons),
        irreversible_because="A snapshot is evidence: undo leaves it where it is.",
        fingerprint=known({"uniqueId": disk.unique_id.lower()}),
        params={"snapshot": path, "document": body},
        region=disk.region,
    )


def deletion_of(
    disk: Disk, step: str, judged: Judged, snapshot: Action, *, after: Sequence[str] = (), state: str = "Unattached"
) -> Action:
    """The action that deletes a disk after its snapshot (and whatever else must have ended first); refused when it is attached by then."""
    cost = judged.per_hour(disk.id)
    reasons = list(judged.reasons(disk.id))
    if disk.detached_at is not None:
        reasons.append(f"Detached since {disk.detached_at:%Y-%m-%d %H:%M}Z.")
    kept = str(snapshot.params["snapshot"])
    return Action(
        id=action_id(step, DELETE, disk.id),
        step=step,
        kind=DELETE,
        target=disk.id,
        title=f"Delete disk {plain(disk.name)} ({disk.size_gb} GB, {plain(disk.sku, 30)}){per_hour(cost, judged.currency)}",
        effect=Effect.IRREVERSIBLE,
        reasons=tuple(reasons),
        fingerprint=known({"uniqueId": disk.unique_id.lower(), "state": state.lower()}),
        params={"snapshot": kept},
        after=(snapshot.id, *after),
        per_hour=cost,
        region=disk.region,
        irreversible_because=f"A deleted disk does not come back; its content stays in snapshot {name_of(kept)}.",
    )


async def look_at_disks(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Look at disks and, for snapshots and restores, at the snapshots that belong to them."""
    snapshots = await _snapshots(actions, eyes)

    def judge(action: Action, disk: Document | None) -> Target:
        if action.kind == SNAPSHOT:
            return _judge_snapshot(action, disk, snapshots.get(str(action.params["snapshot"]).lower()))
        if action.kind == RESTORE:
            return _judge_restored(action, disk, snapshots.get(snapshot_path(action).lower()))
        if disk is None:
            return absent(action)
        return Target(
            exists=True,
            already_so=False,
            in_progress=text_at(disk, "properties", "provisioningState").lower() == "deleting",
            state=state_of(disk),
            fingerprint=known({"uniqueId": text_at(disk, "properties", "uniqueId").lower(), "state": state_of(disk)}),
            prior={"document": _kept(disk)},
        )

    return await look_at(actions, eyes, judge, version=DISKS, list_path="providers/Microsoft.Compute/disks")


async def _snapshots(actions: Sequence[Action], eyes: Eyes) -> Mapping[str, Document | None]:
    paths = [snapshot_path(action) for action in actions if action.kind in (SNAPSHOT, RESTORE)]
    if len(paths) <= FEW:
        return await read_all(eyes, paths, DISKS)
    rows = await eyes.arm.list(
        f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Compute/snapshots", DISKS
    )
    return {text_at(row, "id").lower(): row for row in rows}


def _judge_snapshot(action: Action, disk: Document | None, snapshot: Document | None) -> Target:
    source = text_at(snapshot, "properties", "creationData", "sourceResourceId").lower()
    ours = snapshot is not None and source == action.target.lower()
    provisioning = text_at(snapshot, "properties", "provisioningState").lower()
    percent = value_at(snapshot, "properties", "completionPercent")
    ready = ours and provisioning == "succeeded" and (percent is None or float(percent) >= 100)
    unique = text_at(disk, "properties", "uniqueId") or text_at(
        snapshot, "properties", "creationData", "sourceUniqueId"
    )
    failed = ours and provisioning in ("failed", "canceled")
    return Target(
        exists=disk is not None or ready,
        already_so=ready,
        in_progress=ours and not ready and not failed,
        failed=f"The snapshot ended {provisioning}." if failed else "",
        state="snapshot ready" if ready else "snapshot on its way" if ours else "no snapshot",
        fingerprint=known({"uniqueId": unique.lower()}) or (dict(action.fingerprint) if ready else {}),
        # Azure deletes many a disk together with its machine: then nobody sees it again.
        prior={"document": _kept(disk)} if disk is not None else {},
    )


def snapshot_path(action: Action) -> str:
    """The snapshot that a disk's action makes, relies on or is made from."""
    return str(action.params["snapshot"])


def _judge_restored(action: Action, disk: Document | None, snapshot: Document | None) -> Target:
    """A disk that is to stand again: its place is free, its snapshot is there; afterwards it was made from that snapshot."""
    state = text_at(snapshot, "properties", "provisioningState").lower()
    kept = READY if state == "succeeded" else f"{state or 'in an unknown state'}" if snapshot is not None else "gone"
    if disk is None:
        fingerprint = FREE | {"snapshot": kept}
        return Target(exists=False, already_so=False, state="absent", fingerprint=fingerprint)
    source = text_at(disk, "properties", "creationData", "sourceResourceId").lower()
    ours = source == snapshot_path(action).lower()
    provisioning = text_at(disk, "properties", "provisioningState").lower()
    failed = ours and provisioning in ("failed", "canceled")
    return Target(
        exists=True,
        already_so=ours and not failed and not is_provisioning(disk),
        in_progress=ours and is_provisioning(disk),
        failed=f"The disk ended {provisioning}." if failed else "",
        state=state_of(disk),
        fingerprint={"place": "taken by another disk of this name", "snapshot": kept},
    )


def state_of(disk: Document) -> str:
    """Return `attached` whenever anything holds the disk, else Azure's disk state in lower case."""
    held = text_at(disk, "managedBy") or items_at(disk, "managedByExtended")
    return "attached" if held else text_at(disk, "properties", "diskState").lower()


def _kept(disk: Document) -> dict[str, Any]:
    """What has to be sent to make the disk again as it was; the content comes from its snapshot."""
    top = {name: value_at(disk, name) for name in ("location", "tags", "zones", "extendedLocation")}
    sku = text_at(disk, "sku", "name")
    wanted = [*_KEPT, *(_KEPT_OF_PREMIUM if sku.lower().startswith("premium_") else ())]
    wanted += _KEPT_OF_FAST if sku.lower() in ("ultrassd_lrs", "premiumv2_lrs") else ()
    properties = {name: value_at(disk, "properties", name) for name in wanted}
    document = {name: value for name, value in top.items() if value} | ({"sku": {"name": sku}} if sku else {})
    return document | {"properties": {name: value for name, value in properties.items() if value is not None}}


async def change_disk(action: Action, hands: Hands) -> Sent:
    """Send the one request of a disk action."""
    if action.kind == SNAPSHOT:
        return await hands.arm.put(str(action.params["snapshot"]), DISKS, action.params["document"])
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, DISKS, action.params["document"])
    return await hands.arm.delete(action.target, DISKS)


def restoration_of(action: Action, prior: Mapping[str, Any]) -> Action | NoOp | None:
    """The inverse of a deletion: a new disk of the same name from the snapshot; it gets a new unique id. Snapshots stay."""
    if action.kind == SNAPSHOT:
        reason = "Its evidence snapshot stays, and is billed: delete it by hand when nobody needs it."
        return NoOp(step=action.step, target=action.target, reason=reason)
    if action.kind == RESTORE:
        reason = "A disk that was created again stays: whoever wants it gone deletes it by hand."
        return NoOp(step=action.step, target=action.target, reason=reason)
    document = prior.get("document")
    if action.kind != DELETE or not isinstance(document, dict) or not document:
        return None
    source = {"createOption": "Copy", "sourceResourceId": snapshot_path(action)}
    properties = {**(document.get("properties") or {}), "creationData": source}
    return Action(
        id=action_id(action.step, RESTORE, action.target),
        step=action.step,
        kind=RESTORE,
        target=action.target,
        title=f"Create disk {name_of(action.target)} again from its snapshot",
        effect=Effect.REVERSIBLE,
        reasons=("Restores the content that the snapshot kept; the disk is new to Azure and attached to nothing.",),
        fingerprint=FREE | {"snapshot": READY},
        params={"document": {**document, "properties": properties}, "snapshot": snapshot_path(action)},
        per_hour=action.per_hour,
        region=action.region,
    )
