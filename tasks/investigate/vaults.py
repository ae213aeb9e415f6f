"""What the attacker did to Key Vaults: access they gave, networks they opened, vaults they deleted; and which contents they may have read.

What is read in a vault is not in the activity log, so that is always said as not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, ActivityFacts, Attribution, Class, Inventory, Operation
from firebreak.model.finding import Finding, Severity
from firebreak.model.keys import VaultDeed, VaultDoor, Vaults
from firebreak.model.step import Effect, Step
from tasks.judged import Judged
from tasks.keys import holder_of
from tasks.platform import type_of
from tasks.reading import Notes, each
from tasks.vaults import VAULT, VERSION, entries, network_of
from tasks.words import name_of, plain

STEP = Step(
    id="investigate.vaults",
    title="See what the attacker did to Key Vaults",
    effect=Effect.READ,
    description=(
        "Follows the attacker's sessions to Key Vaults: access policies they gave, settings they wrote, vaults they deleted or purged, as it stands "
        "now; and lists the vaults whose contents they were allowed to read."
    ),
    permissions=("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/deletedVaults/read"),
    guidance=("S37", "S48"),
    produces=Vaults,
    needs=(ActivityFacts, Attribution),
)

_REACH = timedelta(days=90) - timedelta(minutes=15)
_POLICIES = f"{VAULT}/accesspolicies/write"
_WRITE, _DELETE = f"{VAULT}/write", f"{VAULT}/delete"
_PURGE = "microsoft.keyvault/locations/deletedvaults/purge/action"
_CONTENTS = (f"{VAULT}/secrets/write", f"{VAULT}/keys/write")
# Built-in roles that read contents: https://learn.microsoft.com/azure/key-vault/general/rbac-guide
_READING = ("key vault administrator", "key vault secrets", "key vault certificate", "key vault crypto")


async def collect(eyes: Eyes, case: Case) -> Vaults:
    """Read each vault once that a deed points to, and the record of each access policy that was given."""
    notes, judged = Notes(), Judged(case)
    deeds = list(_deeds(case))
    documents = await _documents(
        eyes, notes, {holder_of(one.resource_id) for one in deeds if type_of(one.resource_id).startswith(VAULT)}
    )
    deleted = await _deleted(eyes, notes, deeds)
    own = judged.own_identities()
    doors: dict[tuple[str, str, str], VaultDoor] = {}
    told: list[VaultDeed] = []
    for one in deeds:
        name, vault = one.name.lower(), holder_of(one.resource_id)
        document = documents.get(vault.lower())
        if name == _POLICIES:
            named, taking = await _named(eyes, notes, one)
            given = set(own) if taking else named | set(own)
            for entry in entries(document):
                who = str(entry["objectId"]).lower()
                if who in given:
                    door = VaultDoor(vault_id=vault, principal_id=who, policy=entry, named=who in named, **_who(one))
                    doors[vault.lower(), who, str(entry.get("applicationId", "")).lower()] = door
            standing = {str(entry["objectId"]).lower() for entry in entries(document)}
            if document and (taking or not named or named - standing):
                told.append(_changed_policies(vault, one, sorted(named if taking else named - standing)))
        elif made := _deed(one, name, vault, document, deleted):
            told.append(made)
    reachable = _reachable(case, judged, tuple(doors.values()))
    if reachable:
        notes.add(
            "which secrets, keys and certificates the attacker read",
            "Azure writes that into each vault's own log (AuditEvent), not into the activity log",
        )
    return Vaults(
        doors=tuple(doors[key] for key in sorted(doors)),
        deeds=tuple(sorted(told, key=lambda one: (one.vault_id.lower(), one.at, one.what))),
        reachable=reachable,
        regions={
            key: doc.region_name(doc.text(found, "location")) for key, found in sorted(documents.items()) if found
        },
        not_looked_at=notes.all,
    )


def assess(facts: Vaults, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for access that was given, one for what was done to vaults otherwise."""
    found = []
    if facts.doors:
        found.append(
            Finding(
                id="vault-doors",
                step=STEP.id,
                title="Access to Key Vaults that the attacker gave",
                severity=Severity.HIGH,
                reasons=tuple(
                    f"{name_of(one.vault_id)}: {plain(one.principal_id, 40)}, {one.at:%Y-%m-%d %H:%M}Z by {plain(one.caller, 80)}."
                    for one in facts.doors
                ),
                event_ids=tuple(dict.fromkeys(event for one in facts.doors for event in one.event_ids)),
                resources=tuple(dict.fromkeys(one.vault_id for one in facts.doors)),
                techniques=("T1555.006", "T1098"),
            )
        )
    if facts.deeds:
        found.append(
            Finding(
                id="vaults-by-hand",
                step=STEP.id,
                title="What the attacker did to Key Vaults and a person has to see to",
                severity=Severity.HIGH,
                reasons=tuple(f"{name_of(one.vault_id)}: {one.what} {one.todo}" for one in facts.deeds),
                event_ids=tuple(dict.fromkeys(event for one in facts.deeds for event in one.event_ids)),
                resources=tuple(dict.fromkeys(one.vault_id for one in facts.deeds)),
                techniques=("T1555.006",),
            )
        )
    return found


def _deeds(case: Case) -> Iterator[Operation]:
    """What the attacker's sessions did to vaults that are not their own."""
    attribution = case[Attribution]
    for operation in sorted(case[ActivityFacts].operations, key=lambda one: (one.at, one.id)):
        name = operation.name.lower()
        if name not in (_POLICIES, _WRITE, _DELETE, _PURGE, *_CONTENTS) or operation.status == "failed":
            continue
        judgement = attribution.of(holder_of(operation.resource_id))
        theirs = judgement is not None and judgement.cls is Class.ATTACKER
        if not theirs and attribution.did(operation):
            yield operation


async def _documents(eyes: Eyes, notes: Notes, ids: set[str]) -> dict[str, dict[str, Any]]:
    """Vaults by id in lower case; {} for one that could not be read, none for one that is gone."""
    unread: dict[str, Any] = {}

    async def read(vault: str) -> tuple[str, dict[str, Any] | None]:
        shown = doc.shown(vault, 250)
        return vault.lower(), await notes.attempt(f"key vault {shown}", eyes.arm.get(vault, VERSION), unread)

    unique = {one.lower(): one for one in sorted(ids)}
    found = await each(read, [unique[key] for key in sorted(unique)])
    return {key: document for key, document in found if document is not None}


async def _deleted(eyes: Eyes, notes: Notes, deeds: list[Operation]) -> dict[str, dict[str, Any]]:
    """Deleted vaults that can be recovered, by id in lower case; asked only when one was deleted."""
    if not any(one.name.lower() == _DELETE for one in deeds):
        return {}
    path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.KeyVault/deletedVaults"
    nothing: list[dict[str, Any]] = []
    rows = await notes.attempt("deleted key vaults", eyes.arm.list(path, VERSION), nothing)
    return {doc.path(row, "properties", "vaultId").lower(): row for row in rows}


async def _named(eyes: Eyes, notes: Notes, operation: Operation) -> tuple[set[str], bool]:
    """The identities that a request for access policies named, from its record in the log, and whether it took their access away."""
    log = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"
    quoted, since = operation.resource_id.replace("'", "''"), eyes.now() - _REACH
    query = {"$filter": f"eventTimestamp ge '{since:%Y-%m-%dT%H:%M:%SZ}' and resourceUri eq '{quoted}'"}
    nothing: list[dict[str, Any]] = []
    what = f"what the log tells of the access given in {doc.shown(operation.resource_id, 250)}"
    rows = await notes.attempt(what, eyes.arm.list(log, "2015-04-01", query), nothing)
    mine = [row for row in rows if doc.text(row, "eventDataId") in operation.event_ids]
    named = {
        doc.text(entry, "objectId").lower()
        for row in mine
        for entry in doc.items(doc.mapping(row, "properties", "requestbody"), "properties", "accessPolicies")
        if doc.text(entry, "objectId")
    }
    places = [operation.resource_id, *(doc.text(row, "httpRequest", "uri").partition("?")[0] for row in mine)]
    return named, any(place.lower().rstrip("/").endswith("/accesspolicies/remove") for place in places)


def _who(operation: Operation) -> dict[str, Any]:
    return {
        "at": operation.at,
        "caller": operation.caller,
        "address": operation.address,
        "event_ids": operation.event_ids,
    }


def _changed_policies(vault: str, operation: Operation, gone: list[str]) -> VaultDeed:
    what = (
        f"The access of {', '.join(gone)} was written, and all or some of it is not there now."
        if gone
        else "Access policies were written, and the log does not tell whose."
    )
    return VaultDeed(
        vault_id=vault,
        what=what,
        todo="Compare the vault's access policies with what they should be.",
        **_who(operation),
    )


def _deed(
    operation: Operation, name: str, vault: str, document: dict[str, Any] | None, deleted: dict[str, dict[str, Any]]
) -> VaultDeed | None:
    if name == _WRITE:
        if document is None:
            return None
        state = network_of(document) if document else ""
        return VaultDeed(
            vault_id=vault,
            what="Its settings were written" + (f"; it is {state} now." if state else "."),
            state=state,
            todo="Compare its network rules, access policies and soft delete with what they should be.",
            **_who(operation),
        )
    if name == _DELETE:
        if document is not None:
            return None  # it is there again
        row = deleted.get(vault.lower())
        until = doc.text(row, "properties", "scheduledPurgeDate")[:10] if row else ""
        return VaultDeed(
            vault_id=vault,
            what="It was deleted" + (f" and can be recovered until {until}." if until else "."),
            state="deleted",
            todo="Recover it (az keyvault recover), then compare its access policies with what they should be."
            if until
            else "It is not among the vaults that can be recovered: restore its contents from a backup.",
            **_who(operation),
        )
    if name == _PURGE:
        return VaultDeed(
            vault_id=operation.resource_id,
            what="It was purged: its secrets, keys and certificates are gone for good.",
            state="purged",
            todo="Restore its contents from a backup, and look for data that was encrypted with its keys.",
            **_who(operation),
        )
    return VaultDeed(
        vault_id=vault,
        what="A secret or key was written through Azure Resource Manager.",
        todo="Look at its versions: whoever reads it may be given a secret of the attacker's.",
        **_who(operation),
    )


def _reachable(case: Case, judged: Judged, doors: tuple[VaultDoor, ...]) -> dict[str, tuple[str, ...]]:
    """Vaults whose contents an identity of the attacker's, own or stolen, was allowed to read, as far as roles and given access tell."""
    held = judged.own_identities() | judged.stolen_identities()
    found: dict[str, set[str]] = {}
    for door in doors:
        found.setdefault(door.vault_id, set()).add(held.get(door.principal_id, door.principal_id))
    access, inventory = case.get(AccessFacts), case.get(Inventory)
    vaults = [one.id for one in inventory.resources if one.type.lower() == VAULT] if inventory else []
    for assignment in access.role_assignments if access else ():
        if assignment.principal_id.lower() not in held or not assignment.role_name.lower().startswith(_READING):
            continue
        scope = assignment.scope.lower().rstrip("/")
        for vault in vaults:
            if not scope.startswith("/subscriptions/") or f"{vault.lower()}/".startswith(f"{scope}/"):
                found.setdefault(vault, set()).add(held[assignment.principal_id.lower()])
    spelled = {vault.lower(): vault for vault in sorted(found, reverse=True)}
    return {
        spelled[key]: tuple(sorted({name for vault in found if vault.lower() == key for name in found[vault]}))
        for key in sorted(spelled)
    }
