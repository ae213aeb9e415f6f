"""Ask everybody for a second factor: by a conditional access policy that only reports at first, or by security defaults without the licence for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.hardening.sign_in_rules import REPORTS, asks_everybody, needs_licence
from firebreak.analysis.identity.protection import ON
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.hardening import SignInRules
from firebreak.model.identity import TenantProtection
from firebreak.model.plan import NEEDS_TWO, Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import access_rules
from tasks.arm import value_at
from tasks.requests import request_id
from tasks.words import plain

STEP = Step(
    id="harden.require_second_factor",
    title="Ask everybody for a second factor",
    effect=Effect.REVERSIBLE,
    description=(
        "With Entra ID P1, makes a conditional access policy for all people and applications that only reports whom it would stop. Without it, and where "
        "no policy is used and nobody signs in by old protocols, switches on security defaults, which hold at once for everybody."
    ),
    graph_permissions=access_rules.PERMISSIONS,
    guidance=("S64", "S86"),
    needs=(TenantProtection, SignInRules),
)
ASPECT = "second_factor_policy"
SWITCH, BACK = "security_defaults.switch_on", "security_defaults.put_back"
DEFAULTS = "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[TenantProtection]
    if case.incident.alert.is_test:
        return [_left(access_rules.PATH, "Test alert: nothing is asked of anybody.")]
    if facts.policies is None or facts.security_defaults is None or facts.plans is None:
        reason = "Policies, security defaults or licences could not be read: what is there already is not known."
        return [_left(access_rules.PATH, reason)]
    if facts.security_defaults:
        return [_left(DEFAULTS, "Security defaults are on: Microsoft asks everybody.")]
    if there := access_rules.standing(facts, asks_everybody):
        how = (
            "only reports: read its report, mend what it would stop, then switch it on"
            if there.state == REPORTS
            else "is enforced"
        )
        return [_left(f"{access_rules.PATH}/{there.id}", f"{plain(there.name)} asks everybody and {how}.")]
    if not needs_licence(facts, risk=False):
        return [_policy(case)]
    return [_defaults(case, facts)]


def _policy(case: Case) -> Action:
    old = case[SignInRules].old_clients
    body = access_rules.document(
        case, "Firebreak: second factor for everybody", {}, {"operator": "OR", "builtInControls": ["mfa"]}
    )
    seen = "Who signs in by old protocols was not read: ask before you switch it on."
    if old is not None:
        seen = f"Sign-ins by old protocols, which it would stop: {', '.join(f'{k} {v}' for k, v in old.items()) or 'none seen'}."
    reasons = ("No policy asks everybody for a second factor in every application.", seen)
    return access_rules.make(
        STEP.id, case, aspect=ASPECT, word="firebreak-second-factor-for-everybody", body=body, reasons=reasons
    )


def _defaults(case: Case, facts: TenantProtection) -> Action | NoOp:
    old, used = case[SignInRules].old_clients, [one for one in facts.policies or () if one.state in (ON, REPORTS)]
    if used:
        return _left(
            DEFAULTS, f"{len(used)} conditional access policies are in use; security defaults cannot stand beside them."
        )
    if old:
        seen = ", ".join(f"{plain(name)} {count}" for name, count in old.items())
        return _left(
            DEFAULTS,
            f"Somebody signs in by old protocols, which security defaults shut at once ({seen}): move them first.",
        )
    unread = "Who signs in by old protocols could not be read without Entra ID P1: printers and old mail programs may stop working."
    return Action(
        id=action_id(STEP.id, SWITCH, DEFAULTS),
        step=STEP.id,
        kind=SWITCH,
        target=DEFAULTS,
        title="Switch on security defaults: off -> on",
        effect=Effect.REVERSIBLE,
        reasons=(
            "Nothing asks everybody for a second factor, and the tenant has no licence for policies of its own (Entra ID P1).",
            "They hold at once and for everybody, emergency accounts too: everybody registers within 14 days, administrators are asked each time.",
            unread if old is None else "Nobody was seen to sign in by old protocols, which they shut.",
        ),
        fingerprint={"on": "false"},
        params={"on": True, "case": case.incident.case, NEEDS_TWO: True},
    )


def _left(target: str, reason: str) -> NoOp:
    return NoOp(step=STEP.id, target=target, reason=reason)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    switches = [one for one in actions if one.kind in (SWITCH, BACK)]
    found = await access_rules.look([one for one in actions if one not in switches], eyes)
    on = value_at(await eyes.graph.get(DEFAULTS), "isEnabled") if switches else None
    for action in switches:
        found[action.id] = Target(
            exists=isinstance(on, bool),
            already_so=on is action.params["on"],
            state="on" if on is True else "off" if on is False else "unknown",
            fingerprint={"on": str(on).lower()},
            prior={"on": on} if isinstance(on, bool) else {},
        )
    return found


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind in (SWITCH, BACK):
        return await hands.graph.patch(DEFAULTS, {"isEnabled": action.params["on"]}, request_id=request_id(action))
    return await access_rules.apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Delete the policy again, or switch security defaults back."""
    if action.kind not in (SWITCH, BACK):
        return access_rules.undo(action, prior)
    if "on" not in prior:
        return None
    kind = BACK if action.kind == SWITCH else SWITCH
    return Action(
        id=action_id(STEP.id, kind, f"{DEFAULTS}#undo"),
        step=STEP.id,
        kind=kind,
        target=DEFAULTS,
        title=f"Switch security defaults {'on' if prior['on'] else 'off'} again",
        effect=Effect.REVERSIBLE,
        reasons=("They stood so before. Whoever registered a second factor keeps it.",),
        fingerprint={"on": str(action.params["on"]).lower()},
        params={"on": prior["on"], "case": action.params.get("case", "")},
    )
