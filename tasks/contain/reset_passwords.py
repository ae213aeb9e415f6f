"""Give accounts whose password the attacker has a new one that nobody knows, and end the sessions once more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.intrusion import Account, Intrusion
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import intrusion
from tasks.arm import moment, text_at, value_at
from tasks.passwords import unknown_to_all
from tasks.requests import request_id
from tasks.words import plain

RESET, REVOKE = "user.reset_password", "user.revoke_sessions_again"
_FIELDS = {
    "$select": "id,createdDateTime,lastPasswordChangeDateTime,signInSessionsValidFromDateTime,passwordProfile",
}

STEP = Step(
    id="contain.reset_passwords",
    title="Reset passwords that the attacker has",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Sets a random password that is sent once and kept nowhere, to be changed at the next sign-in, and ends the sessions again. The owner gets "
        "in by a Temporary Access Pass that a person issues, or by self-service with methods that are theirs."
    ),
    graph_permissions=("User-PasswordProfile.ReadWrite.All", "User.RevokeSessions.All", "User.Read.All"),
    guidance=("S35", "S36", "S37"),
    needs=(Intrusion,),
    comes_after=("contain.block_sign_in", "contain.revoke_sessions"),
)


def plan(case: Case) -> list[Action | NoOp]:
    planned: list[Action | NoOp] = []
    for account in case[Intrusion].accounts:
        target, why = f"/v1.0/users/{account.id}", intrusion.why_left_alone(case, account.id)
        intruder = case[Intrusion].intruder(account.id)
        if account.guest:
            why = why or "A guest: the password is in the home tenant."
        elif intruder is not None and intruder.own:
            why = why or "The attacker's own account: it is blocked, and nobody is to get in again."
        if why:
            planned.append(NoOp(step=STEP.id, target=target, reason=f"{plain(account.name, 80)}: {why}"))
        else:
            planned += _reset(case, account, target)
    return planned


def _reset(case: Case, account: Account, target: str) -> list[Action | NoOp]:
    intruder = case[Intrusion].intruder(account.id)
    name, because = plain(account.name, 80), intruder.reasons if intruder else ("The attacker set its password.",)
    mark = {"id": account.id, "createdDateTime": moment(account.created_at)}
    more = ("Synchronised: this needs password writeback, else reset it in the customer's own directory.",)
    reset = intrusion.action(
        STEP,
        case,
        RESET,
        target,
        f"Reset the password of {name}",
        (
            *because,
            "The new password is known to nobody. To do before it is opened again: prove who the owner is, then issue a Temporary Access Pass.",
            *(more if account.synced else ()),
        ),
        effect=Effect.IRREVERSIBLE,
        irreversible_because="The old password cannot be set again; the owner needs a pass from a person to get in.",
        fingerprint=mark,
        params={"before": moment(account.password_changed_at)},
    )
    again = intrusion.action(
        STEP,
        case,
        REVOKE,
        target,
        f"End the sessions of {name} once more",
        ("Whoever signed in between the first end of sessions and the new password is out as well.",),
        fingerprint=mark,
        after=(reset.id,),
    )
    return [reset, again]


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await intrusion.documents(eyes, (one.target for one in actions), _FIELDS)
    return {one.id: _target(one, found[one.target]) for one in actions}


def _target(action: Action, document: dict[str, Any] | None) -> Target:
    if document is None:
        return intrusion.absent(action, wanted=True)
    changed = moment(text_at(document, "lastPasswordChangeDateTime"))
    since = moment(text_at(document, "signInSessionsValidFromDateTime"))
    # A change that its owner does not have to make again at the next sign-in is nobody's reset: it may be the attacker's.
    must_change = value_at(document, "passwordProfile", "forceChangePasswordNextSignIn") is True
    reset = must_change and changed > str(action.params.get("before", ""))
    return Target(
        exists=True,
        already_so=reset if action.kind == RESET else must_change and since >= changed,
        state=f"password of {changed or 'an unknown time'}, sessions from {since or 'an unknown time'}",
        fingerprint={"id": text_at(document, "id"), "createdDateTime": moment(text_at(document, "createdDateTime"))},
        prior={"lastPasswordChangeDateTime": changed},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == REVOKE:
        return await hands.graph.post(f"{action.target}/revokeSignInSessions", None, request_id=request_id(action))
    profile = {"forceChangePasswordNextSignIn": True, "password": unknown_to_all()}
    return await hands.graph.patch(action.target, {"passwordProfile": profile}, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> NoOp | None:  # noqa: ARG001 - the contract
    """A password cannot be put back; ended sessions need not be."""
    if action.kind == RESET:
        return None
    return NoOp(
        step=STEP.id, target=action.target, reason="Ended sessions stay ended: whoever owns the account signs in again."
    )


whose = intrusion.whose
