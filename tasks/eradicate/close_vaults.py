"""Take away the access to Key Vaults that the attacker gave, and tell people what else happened to vaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firebreak.model.canonical import digest_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, Class, SubscriptionFacts
from firebreak.model.keys import VaultDoor, Vaults
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import Document, read_all
from tasks.judged import Judged, id_of_this_time
from tasks.vaults import VERSION, entry_like
from tasks.words import name_of, plain

CLOSE, REOPEN = "vault_door.close", "vault_door.reopen"

STEP = Step(
    id="eradicate.close_vaults",
    title="Take away access to Key Vaults that the attacker gave",
    effect=Effect.REVERSIBLE,
    description=(
        "Removes access policies that the attacker gave in Key Vaults. Networks that were opened, vaults that were deleted and contents that may "
        "have been read are a list for people."
    ),
    permissions=("Microsoft.KeyVault/vaults/read", "Microsoft.KeyVault/vaults/accessPolicies/write"),
    guidance=("S37", "S48"),
    needs=(Vaults, Attribution),
    comes_after=("contain.remove_access",),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts, judged = case[Vaults], Judged(case)
    planned: list[Action | NoOp] = []
    newest: dict[str, Action] = {}  # one change of a vault after the other: Azure writes the whole list each time
    for door in facts.doors:
        keep = _keep(door, case, judged)
        if keep:
            planned.append(
                NoOp(step=STEP.id, target=_place(door.vault_id, door.policy), reason=f"{_name(door, judged)}: {keep}")
            )
            continue
        action = _close(door, case, judged, newest.get(door.vault_id.lower()))
        newest[door.vault_id.lower()] = action
        planned.append(action)
    for deed in facts.deeds:
        when = f"{deed.at:%Y-%m-%d %H:%M}Z as {plain(deed.caller, 80) or 'an unknown caller'}"
        reason = f"Key vault: {plain(deed.what, 400)} By the attacker at {when}. To do by people: {deed.todo}"
        planned.append(NoOp(step=STEP.id, target=deed.vault_id, reason=reason))
    for vault, names in facts.reachable.items():
        who = ", ".join(plain(name, 60) for name in names)
        reason = (
            f"Contents of a key vault: the attacker acted as {who}, who may read them; what was read stands in the vault's own log alone. To do by "
            "people: make every secret, key and certificate in it anew, those first that its log shows being read."
        )
        planned.append(NoOp(step=STEP.id, target=vault, reason=reason))
    return planned


def _place(vault_id: str, policy: Mapping[str, Any]) -> str:
    """An entry's own id, so that one entry is told from the next: the vault's and whose it is."""
    through = f".{policy['applicationId']}" if policy.get("applicationId") else ""
    return f"{vault_id}/accessPolicies/{policy['objectId']}{through}"


def _vault(place: str) -> str:
    return place.rpartition("/accessPolicies/")[0]


def _keep(door: VaultDoor, case: Case, judged: Judged) -> str:
    if case.incident.alert.is_test:
        return "Test alert: nothing is changed."
    facts = case.get(SubscriptionFacts)
    if facts is not None and door.principal_id in {own.lower() for own in facts.own_principal_ids}:
        return "Firebreak's own identity: never changed."
    if judged.is_protected_principal(door.principal_id):
        return "a protected principal."
    return judged.protection(door.vault_id) or judged.locked(door.vault_id, deleting=False)


def _name(door: VaultDoor, judged: Judged) -> str:
    return judged.principal_name(door.principal_id)


def _close(door: VaultDoor, case: Case, judged: Judged, before: Action | None) -> Action:
    place = _place(door.vault_id, door.policy)
    proof = f" (activity log {', '.join(plain(event, 40) for event in door.event_ids[:2])})" if door.event_ids else ""
    given = (
        f"Given by the attacker as {plain(door.caller, 80)}, {door.at:%Y-%m-%d %H:%M}Z{proof}."
        if door.named
        else "It is an identity of the attacker's own."
    )
    may = "; ".join(
        f"{kind} {', '.join(map(str, what))}" for kind, what in sorted(door.policy["permissions"].items()) if what
    )
    more = (
        ()
        if door.principal_id in judged.own_identities()
        else (
            "Whether it had access before the attacker wrote it, the log cannot tell: undo gives back what it has now.",
        )
    )
    return Action(
        id=id_of_this_time(case, STEP.id, CLOSE, place),
        step=STEP.id,
        kind=CLOSE,
        target=place,
        title=f"Take the access to the key vault {name_of(door.vault_id)} from {_name(door, judged)}",
        effect=Effect.REVERSIBLE,
        reasons=(given, f"It may: {plain(may, 400)}.", *more),
        fingerprint={"policy": digest_of(door.policy)},
        params={"policy": door.policy, "principal_id": door.principal_id},
        after=(before.id,) if before is not None else (),
        region=case[Vaults].regions.get(door.vault_id.lower(), ""),
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    documents = await read_all(eyes, (_vault(action.target) for action in actions), VERSION)
    return {action.id: _target(action, documents[_vault(action.target).lower()]) for action in actions}


def _target(action: Action, document: Document | None) -> Target:
    wanted = action.params["policy"]
    found = entry_like(document, wanted)
    if action.kind == REOPEN:
        if document is None:
            return Target(exists=False, already_so=False, state="no such vault", fingerprint={"place": "gone"})
        place = FREE if found is None else {"place": "other access"}
        return Target(
            exists=found is not None,
            already_so=found == wanted,
            state="access" if found else "no access",
            fingerprint=place,
        )
    if document is None or found is None:
        return Target(exists=False, already_so=True, state="no access", fingerprint=dict(action.fingerprint))
    return Target(
        exists=True,
        already_so=False,
        state="access",
        fingerprint={"policy": digest_of(found)},
        prior={"policy": found},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    verb = "remove" if action.kind == CLOSE else "add"
    body = {"properties": {"accessPolicies": [action.params["policy"]]}}
    return await hands.arm.put(f"{_vault(action.target)}/accessPolicies/{verb}", VERSION, body)


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Give the same access again, or take it away again."""
    closing = action.kind == CLOSE
    policy = prior.get("policy") if closing else action.params["policy"]
    if not isinstance(policy, dict):
        return NoOp(step=STEP.id, target=action.target, reason="It had no access: there is nothing to give back.")
    kind = REOPEN if closing else CLOSE
    words = ("Take", "Give", " from ", " to ") if closing else ("Give", "Take", " to ", " from ")
    title = action.title.replace(words[0], words[1], 1)
    head, _, who = title.rpartition(words[2])
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"{head}{words[3]}{who}",
        effect=Effect.REVERSIBLE,
        reasons=("It had this access before." if closing else "It had no access before it was given back.",),
        fingerprint=dict(FREE) if closing else {"policy": digest_of(policy)},
        params={"policy": policy, "principal_id": str(policy.get("objectId", "")).lower()},
        region=action.region,
    )


def whose(action: Action, case: Case) -> Class:
    """Access that the attacker gave is the attacker's, whose vault it is."""
    found = case.get(Vaults)
    wanted = str(action.params.get("principal_id", ""))
    theirs = found is not None and any(
        one.vault_id.lower() == _vault(action.target).lower() and one.principal_id == wanted for one in found.doors
    )
    return Class.ATTACKER if theirs else Class.UNKNOWN
