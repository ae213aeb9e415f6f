"""Close the accounts that the attacker acts as: their own for good, stolen ones until the owner has proved who they are. Nobody is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Account, Intruder, Intrusion
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import directory, intrusion
from tasks.arm import moment, text_at, value_at
from tasks.requests import request_id
from tasks.words import plain

BLOCK, OPEN = "user.disable", "user.enable"
_FIELDS = {"$select": "id,accountEnabled,createdDateTime"}

STEP = Step(
    id="contain.block_sign_in",
    title="Block the sign-in of accounts that the attacker acts as",
    effect=Effect.REVERSIBLE,
    description=(
        "Disables the accounts of intruders, guests they invited among them: no new tokens, and open sessions end within the hour. Nobody is "
        "deleted. The last Global Administrator who could still sign in stays."
    ),
    graph_permissions=("User.EnableDisableAccount.All", "User.Read.All"),
    guidance=("S35", "S48"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[Intrusion]
    accounts = {one.id: one for one in facts.accounts}
    planned: list[Action | NoOp] = []
    for intruder in (one for one in facts.intruders if one.kind == "user"):
        target, account = f"/v1.0/users/{intruder.id}", accounts.get(intruder.id)
        why = intrusion.why_left_alone(case, intruder.id)
        if account is None:
            why = why or intrusion.gone(facts, directory.USERS)
        elif account.enabled is False:
            why = why or "Its sign-in is blocked already."
        if why or account is None:
            planned.append(NoOp(step=STEP.id, target=target, reason=f"{plain(intruder.name, 80)}: {why}"))
        else:
            planned.append(_block(case, intruder, account, target))
    return planned


def _block(case: Case, intruder: Intruder, account: Account, target: str) -> Action:
    whose = (
        "The attacker brought this account in."
        if intruder.own
        else "It is somebody's account. It stays closed until its owner has proved who they are, by telephone or in person; undo opens it again."
    )
    more = (
        ("Synchronised from a directory of the customer's own, which may open it again: disable it there too.",)
        if account.synced
        else ()
    )
    return intrusion.action(
        STEP,
        case,
        BLOCK,
        target,
        f"Block sign-in of {plain(account.name, 80)}{' (guest)' if account.guest else ''}",
        (*intruder.reasons, whose, *more),
        fingerprint={"id": account.id, "createdDateTime": moment(account.created_at)},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions), _FIELDS)
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=action.kind == BLOCK)
    enabled = value_at(document, "accountEnabled") is True
    return Target(
        exists=True,
        already_so=enabled == (action.kind == OPEN),
        state="can sign in" if enabled else "blocked",
        fingerprint={"id": text_at(document, "id"), "createdDateTime": moment(text_at(document, "createdDateTime"))},
        prior={"accountEnabled": enabled},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    body = {"accountEnabled": action.kind == OPEN}
    return await hands.graph.patch(action.target, body, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Open the account again, or close it."""
    opened = bool(prior.get("accountEnabled"))
    if opened == (action.kind == OPEN):
        return NoOp(step=STEP.id, target=action.target, reason="It was so before: nothing to take back.")
    kind = OPEN if opened else BLOCK
    name = action.title.rpartition(" of ")[2]
    reason = "Anybody who knows the password gets in again: reset it first." if opened else "It was closed before."
    verb = "Allow" if opened else "Block"
    return intrusion.inverse(action, kind, f"{verb} sign-in of {name}", reason, fingerprint=dict(action.fingerprint))


whose = intrusion.whose
