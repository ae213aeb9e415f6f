"""End the sessions of accounts that the attacker acts as: refresh tokens and cookies from before are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Account, Intrusion
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import moment, text_at
from tasks.judged import newest_outcome
from tasks.requests import request_id
from tasks.words import plain

REVOKE = "user.revoke_sessions"
_FIELDS = {"$select": "id,createdDateTime,signInSessionsValidFromDateTime"}

STEP = Step(
    id="contain.revoke_sessions",
    title="End the sessions of accounts that the attacker acts as",
    effect=Effect.REVERSIBLE,
    description=(
        "Refuses every refresh token and session from before. Access tokens that are out live on for up to an hour where a service does not ask "
        "again. Guests have their sessions in another tenant; blocking their sign-in here is what ends them."
    ),
    graph_permissions=("User.RevokeSessions.All", "User.Read.All"),
    guidance=("S35", "S36"),
    needs=(Intrusion,),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[Intrusion]
    planned: list[Action | NoOp] = []
    for account in facts.accounts:
        target, why = f"/v1.0/users/{account.id}", intrusion.why_left_alone(case, account.id)
        if account.guest:
            why = why or "A guest: the sessions are in the home tenant, where nothing can be revoked from here."
        ended = newest_outcome(case, STEP.id, REVOKE, target)
        if ended is not None and ended.state.is_good and account.enabled is False:
            why = why or "Ended in this incident already, and nobody can sign in since."
        if why:
            planned.append(NoOp(step=STEP.id, target=target, reason=f"{plain(account.name, 80)}: {why}"))
        else:
            planned.append(_revoke(case, account, target))
    return planned


def _revoke(case: Case, account: Account, target: str) -> Action:
    intruder = case[Intrusion].intruder(account.id)
    because = intruder.reasons if intruder else ("The attacker set its password.",)
    return intrusion.action(
        STEP,
        case,
        REVOKE,
        target,
        f"End all sessions of {plain(account.name, 80)}",
        (
            *because,
            "The owner signs in again on every device; nothing else is lost, and nothing is there to take back.",
        ),
        fingerprint={"id": account.id, "createdDateTime": moment(account.created_at)},
        params={"before": moment(account.sessions_from)},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions), _FIELDS)
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=True)
    since = moment(text_at(document, "signInSessionsValidFromDateTime"))
    return Target(
        exists=True,
        already_so=since > str(action.params["before"]),
        state=f"sessions valid from {since or 'the beginning'}",
        fingerprint={"id": text_at(document, "id"), "createdDateTime": moment(text_at(document, "createdDateTime"))},
        prior={"signInSessionsValidFromDateTime": since},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    return await hands.graph.post(f"{action.target}/revokeSignInSessions", None, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - the contract
    return NoOp(
        step=STEP.id, target=action.target, reason="Ended sessions stay ended: whoever owns the account signs in again."
    )


whose = intrusion.whose
