"""Snapshot first, then delete: the two actions on a managed disk, shared by the steps that remove disks (P7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.model.canonical import digest_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Disk, Inventory
from firebreak.model.ids import ResourceId
from firebreak.model.plan import Action, action_id
from firebreak.model.step import Effect, Sent, Target
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
from tasks.words import name_of, per_hour, plain, slug

SNAPSHOT = "disk.snapshot"
DELETE = "disk.delete"
RESTORE = "disk.restore"

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
    return f"The evidence group {plain(wanted, 90)} does not exist: create it, then plan again."


def snapshot_of(disk: Disk, step: str, case: Case, reasons: Sequence[str]) -> Action:
    """The action that keeps a disk's content as evidence."""
    group = str(case.parameter(step, "evidence_group", "")) or ResourceId.parse(disk.id).resource_group
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
        title=f"Snapshot disk {plain(disk.name, 80)} ({disk.size_gb} GB) as evidence",
        effect=Effect.REVERSIBLE,
        reasons=("Keeps the content before the disk is deleted.", *reasons),
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
        title=f"Delete disk {plain(disk.name, 80)} ({disk.size_gb} GB, {plain(disk.sku, 30)}){per_hour(cost, judged.currency)}",
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
            return Target(
                exists=disk is not None,
                already_so=disk is not None and not is_provisioning(disk),
                in_progress=is_provisioning(disk),
                state="absent" if disk is None else text_at(disk, "properties", "diskState"),
            )
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
    paths = [str(action.params["snapshot"]) for action in actions if action.kind == SNAPSHOT]
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
    )


def state_of(disk: Document) -> str:
    """Return `attached` whenever anything holds the disk, else Azure's disk state in lower case."""
    held = text_at(disk, "managedBy") or items_at(disk, "managedByExtended")
    return "attached" if held else text_at(disk, "properties", "diskState").lower()


def _kept(disk: Document) -> dict[str, Any]:
    names = ("location", "sku", "tags", "zones")
    return {name: value_at(disk, name) for name in names if value_at(disk, name)}


async def change_disk(action: Action, hands: Hands) -> Sent:
    """Send the one request of a disk action."""
    if action.kind == SNAPSHOT:
        return await hands.arm.put(str(action.params["snapshot"]), DISKS, action.params["document"])
    if action.kind == RESTORE:
        return await hands.arm.put(action.target, DISKS, action.params["document"])
    return await hands.arm.delete(action.target, DISKS)


def restoration_of(action: Action, prior: Mapping[str, Any]) -> Action | None:
    """The inverse of a deletion: a new disk of the same name from the snapshot; it gets a new unique id."""
    document = prior.get("document")
    if action.kind != DELETE or not isinstance(document, dict):
        return None
    source = {"createOption": "Copy", "sourceResourceId": action.params["snapshot"]}
    return Action(
        id=action_id(action.step, RESTORE, action.target),
        step=action.step,
        kind=RESTORE,
        target=action.target,
        title=f"Create disk {name_of(action.target)} again from its snapshot",
        effect=Effect.REVERSIBLE,
        reasons=("Restores the content that the snapshot kept; the disk is new to Azure.",),
        params={"document": document | {"properties": {"creationData": source}}},
        region=action.region,
    )
