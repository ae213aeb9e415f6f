"""Switch on security defaults in the partner's tenant, where nothing else asks for a second factor; the gate says whom it locks out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.partner import PartnerPolicies, PartnerSignIns
from firebreak.model.plan import NEEDS_TWO, Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import directory
from tasks.arm import text_at, value_at
from tasks.requests import request_id
from tasks.words import plain

ENABLE, DISABLE = "partner_defaults.enable", "partner_defaults.disable"
_ID = "00000000-0000-0000-0000-000000000005"  # every tenant's: https://learn.microsoft.com/graph/api/resources/identitysecuritydefaultsenforcementpolicy
_MOST = 10

STEP = Step(
    id="harden.enable_partner_defaults",
    title="Switch on security defaults in the partner's tenant",
    effect=Effect.REVERSIBLE,
    description=(
        "Switches on security defaults where no access policy is in force. Nothing is planned when it was not read who signs in by old protocols "
        "or with a password alone: they would be locked out unseen."
    ),
    graph_permissions=("Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"),
    guidance=("S64", "S104"),
    needs=(PartnerPolicies, PartnerSignIns),
)


def plan(case: Case) -> list[Action | NoOp]:
    facts, sign_ins = case[PartnerPolicies], case[PartnerSignIns]
    target = directory.SECURITY_DEFAULTS.path
    if facts.security_defaults is True:
        return [NoOp(step=STEP.id, target=target, reason="They are on.")]
    if facts.security_defaults is None or facts.enforced is None:
        return [
            NoOp(step=STEP.id, target=target, reason="It was not read what is in force: see what was not looked at.")
        ]
    if facts.enforced:
        names = ", ".join(plain(name, 60) for name in facts.enforced[:5])
        reason = f"Access policies are in force ({names}), and a tenant has one or the other. Write a policy that asks everybody."
        return [NoOp(step=STEP.id, target=target, reason=reason)]
    if not sign_ins.were_read:
        reason = "The sign-in log could not be read whole, so nobody knows who would be locked out."
        return [NoOp(step=STEP.id, target=target, reason=reason)]
    return [_enable(case, target, sign_ins)]


def _enable(case: Case, target: str, sign_ins: PartnerSignIns) -> Action:
    locked = [f"Locks out {plain(one.upn, 100)}: it {plain(one.why, 120)}." for one in sign_ins.shut_out[:_MOST]]
    if len(sign_ins.shut_out) > _MOST:
        locked.append(f"Locks out {len(sign_ins.shut_out) - _MOST} more accounts: see the check of sign-ins.")
    reasons = (
        "Nothing asks everybody in this tenant for a second factor: whoever has a password is in.",
        *(locked or ["No sign-in of the last seven days used what security defaults block."]),
        "Everybody registers a second factor at their next sign-in, within 14 days. The account that synchronises the directory is exempt.",
        "All rules come at once, and access policies cannot be switched on beside them.",
    )
    return Action(
        id=action_id(STEP.id, ENABLE, target),
        step=STEP.id,
        kind=ENABLE,
        target=target,
        title="Switch on security defaults in the partner's tenant",
        effect=Effect.REVERSIBLE,
        reasons=reasons,
        fingerprint={"id": _ID, "enforced": "none"},
        params={"case": case.incident.case, "round": case.round, "enabled": True}
        | ({NEEDS_TWO: True} if sign_ins.shut_out else {}),
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Read the switch, and whether an access policy came into force since."""
    found = await eyes.graph.get(directory.SECURITY_DEFAULTS.path)
    policies = await eyes.graph.list(directory.ACCESS_POLICIES.path)
    enforced = [text_at(one, "displayName") for one in policies if text_at(one, "state") == "enabled"]
    now = value_at(found, "isEnabled")
    conflict = f"Access policies are in force since: {plain(', '.join(enforced), 160)}." if enforced else ""
    return {
        action.id: Target(
            exists=found is not None,
            already_so=now is action.params["enabled"],
            state={True: "on", False: "off"}.get(now, "not told"),
            fingerprint={"id": text_at(found, "id").lower(), "enforced": "none"},
            prior={"isEnabled": now} if isinstance(now, bool) else {},
            conflict=conflict if action.params["enabled"] else "",
        )
        for action in actions
    }


async def apply(action: Action, hands: Hands) -> Sent:
    body = {"isEnabled": bool(action.params["enabled"])}
    return await hands.graph.patch(action.target, body, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> Action | NoOp | None:
    """Put the switch back as it stood."""
    before = prior.get("isEnabled")
    if not isinstance(before, bool):
        return None
    if before is action.params["enabled"]:
        return NoOp(step=STEP.id, target=action.target, reason="It stood so before.")
    kind = ENABLE if before else DISABLE
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"Switch {'on' if before else 'off'} security defaults in the partner's tenant",
        effect=Effect.REVERSIBLE,
        reasons=("It stood so before this run.",),
        fingerprint=action.fingerprint,
        params={"case": action.params.get("case", ""), "enabled": before},
    )
