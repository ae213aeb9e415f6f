"""Reads the targets of deletions again: whether they still are what was approved, and whether they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from firebreak.model.clouds import Eyes
from firebreak.model.plan import Action
from firebreak.model.step import PRINCIPALS, Target
from tasks.arm import (
    COMPUTE,
    FEW,
    RESOURCES,
    Document,
    absent,
    identities_of,
    items_at,
    known,
    look_at,
    moment,
    read_all,
    text_at,
    value_at,
)
from tasks.platform import at
from tasks.platform_removal import DELETES
from tasks.platform_stops import created_in_list, documents_of
from tasks.removal import AS_PLANNED, EMPTY, GROUP, MACHINE, RESOURCE, SCALE_SET, VERSIONS
from tasks.words import name_of


def version_of(action: Action) -> str:
    """The api-version of a deletion."""
    if "version" in action.params:
        return str(action.params["version"])
    if action.kind in (MACHINE, SCALE_SET):
        return COMPUTE
    return RESOURCES if action.kind == GROUP else VERSIONS[str(action.params["type"])]


async def look_at_removals(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Look at the targets of deletions: machines, scale sets and generic resources by list, groups with their contents."""
    found: dict[str, Target] = {}
    lists = {
        MACHINE: (COMPUTE, "providers/Microsoft.Compute/virtualMachines"),
        SCALE_SET: (COMPUTE, "providers/Microsoft.Compute/virtualMachineScaleSets"),
    }
    for kind, (version, path) in lists.items():
        chosen = [a for a in actions if a.kind == kind]
        if chosen:
            found |= await look_at(chosen, eyes, _judge, version=version, list_path=path)
    resources = [a for a in actions if a.kind == RESOURCE]
    if resources:
        found |= await _look_at_resources(resources, eyes)
    platform = [a for a in actions if a.kind in DELETES]
    if platform:
        found |= await _look_at_platform(platform, eyes)
    groups = [a for a in actions if a.kind == GROUP]
    targets = await asyncio.gather(*(_look_at_group(group, eyes) for group in groups))
    return found | {group.id: target for group, target in zip(groups, targets, strict=True)}


def _judge(action: Action, document: Document | None) -> Target:
    if document is None:
        return absent(action)
    provisioning = text_at(document, "properties", "provisioningState").lower()
    fingerprint = {key: text_at(document, "properties", key).lower() for key in ("vmId", "uniqueId")}
    if action.kind == MACHINE:
        planned = {str(d).lower() for d in action.params.get("disks", ())}
        more = sorted(d for d in _disks_of(document) if d not in planned)
        fingerprint["disks"] = f"also {name_of(more[0])}" if more else AS_PLANNED
    return Target(
        exists=True,
        already_so=False,
        in_progress=provisioning == "deleting",
        state=provisioning or "present",
        fingerprint=known(fingerprint),
        prior=_ends(document),
    )


def _ends(document: Document) -> dict[str, list[str]]:
    """What of a deleted thing an undo has to know: the identities that nobody is any more."""
    found = identities_of(document)
    return {PRINCIPALS: found} if found else {}


def _disks_of(document: Document) -> set[str]:
    storage = value_at(document, "properties", "storageProfile")
    slots = [value_at(storage, "osDisk"), *items_at(storage, "dataDisks")]
    return {text_at(slot, "managedDisk", "id").lower() for slot in slots} - {""}


async def _look_at_resources(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    rows = await eyes.arm.list(
        f"/subscriptions/{eyes.arm.subscription_id}/resources", RESOURCES, {"$expand": "createdTime,provisioningState"}
    )
    by_id = {text_at(row, "id").lower(): row for row in rows}
    # The list alone tells when a thing was created; whether it is still there, a list that lags behind does not.
    alone = await _each_alone(actions, eyes, listed=by_id)
    found = {}
    for action in actions:
        row = by_id.get(action.target.lower())
        now = alone.get(action.id, row)
        if now is None:
            found[action.id] = absent(action)
            continue
        row = row or {}
        state = (text_at(now, "properties", "provisioningState") or text_at(now, "provisioningState")).lower()
        found[action.id] = Target(
            exists=True,
            already_so=False,
            in_progress=state == "deleting",
            state=state or "present",
            fingerprint=known({"createdTime": moment(text_at(row, "createdTime"))}),
            prior=_ends(now),
        )
    return found


async def _each_alone(
    actions: Sequence[Action], eyes: Eyes, *, listed: Mapping[str, Document]
) -> dict[str, Document | None]:
    """Read the listed ones, and the missing ones, again by their ids, each when there are few of them."""
    present = [action for action in actions if action.target.lower() in listed]
    missing = [action for action in actions if action.target.lower() not in listed]
    few = [action for part in (present, missing) if len(part) <= FEW for action in part]
    documents: dict[str, Document | None] = {}
    for version in sorted({version_of(action) for action in few}):
        documents |= await read_all(eyes, (a.target for a in few if version_of(a) == version), version)
    return {action.id: documents[action.target.lower()] for action in few}


async def _look_at_platform(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    documents = await documents_of(actions, eyes)
    listed = await created_in_list([a for a in actions if documents[a.id] is not None], eyes)
    found = {}
    for action in actions:
        document = documents[action.id]
        if document is None:
            found[action.id] = absent(action)
            continue
        state = text_at(document, "properties", "provisioningState").lower()
        created = moment(listed.get(action.target.lower(), "") or at(document))
        found[action.id] = Target(
            exists=True,
            already_so=False,
            in_progress=state == "deleting",
            state=state or "present",
            fingerprint=known({"created": created}),
            prior=_ends(document),
        )
    return found


async def _look_at_group(action: Action, eyes: Eyes) -> Target:
    document = await eyes.arm.get(action.target, RESOURCES)
    if document is None:
        return absent(action)
    inside = await eyes.arm.list(f"{action.target}/resources", RESOURCES)
    contents = EMPTY if not inside else f"{len(inside)} resources, {name_of(text_at(inside[0], 'id'))} among them"
    deleting = text_at(document, "properties", "provisioningState").lower() == "deleting"
    return Target(
        exists=True,
        already_so=False,
        in_progress=deleting,
        state=contents,
        fingerprint={"contents": contents, "location": text_at(document, "location").replace(" ", "").lower()},
    )
