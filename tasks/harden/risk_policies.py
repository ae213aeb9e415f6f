"""Answer sign-ins and accounts that look taken over: two conditional access policies that only report at first. Needs Entra ID P2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.hardening.sign_in_rules import REPORTS, answers_sign_in_risk, answers_user_risk
from firebreak.analysis.identity.protection import P2
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.identity import TenantProtection
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import access_rules
from tasks.words import plain

STEP = Step(
    id="harden.risk_policies",
    title="Answer risky sign-ins and accounts, reporting first",
    effect=Effect.REVERSIBLE,
    description=(
        "Makes two conditional access policies that only report: a second factor at sign-ins of medium and high risk, a new password for accounts of "
        "high risk. Emergency accounts are kept out. Without Entra ID P2 nothing is made, and it is said."
    ),
    graph_permissions=access_rules.PERMISSIONS,
    guidance=("S87",),
    needs=(TenantProtection,),
)
SIGN_INS, ACCOUNTS = "sign_in_risk_policy", "user_risk_policy"


def plan(case: Case) -> list[Action | NoOp]:
    facts = case[TenantProtection]
    why = _why_not(case, facts)
    if why:
        return [NoOp(step=STEP.id, target=access_rules.PATH, reason=why)]
    proposed: list[Action | NoOp] = []
    for aspect, fits in ((SIGN_INS, answers_sign_in_risk), (ACCOUNTS, answers_user_risk)):
        if there := access_rules.standing(facts, fits):
            how = "only reports: read its report, then switch it on" if there.state == REPORTS else "is enforced"
            target = f"{access_rules.PATH}/{there.id}"
            proposed.append(NoOp(step=STEP.id, target=target, reason=f"{plain(there.name)} does it and {how}."))
        else:
            proposed.append(_make(case, aspect))
    return proposed


def _why_not(case: Case, facts: TenantProtection) -> str:
    if case.incident.alert.is_test:
        return "Test alert: no policy is made."
    if facts.policies is None or facts.security_defaults is None or facts.plans is None:
        return "Policies, security defaults or licences could not be read: what is there already is not known."
    if not facts.has_plan(*P2):
        return "The tenant has no licence for rules on risk: they need Entra ID P2."
    if facts.security_defaults:
        return "Security defaults are on, and Entra allows no policies beside them."
    return ""


def _make(case: Case, aspect: str) -> Action:
    if aspect == SIGN_INS:
        body = access_rules.document(
            case,
            "Firebreak: second factor at risky sign-ins",
            {"signInRiskLevels": ["high", "medium"]},
            {"operator": "OR", "builtInControls": ["mfa"]},
        )
        reasons = (
            "Nothing answers a sign-in that looks stolen.",
            "Once switched on, it asks for a second factor there.",
        )
        return access_rules.make(
            STEP.id, case, aspect=aspect, word="firebreak-risky-sign-ins", body=body, reasons=reasons
        )
    body = access_rules.document(
        case,
        "Firebreak: new password for risky accounts",
        {"userRiskLevels": ["high"]},
        {"operator": "AND", "builtInControls": ["mfa", "passwordChange"]},
    )
    reasons = (
        "Nothing answers an account that looks taken over.",
        "Once switched on, its owner has to prove who they are and choose a new password.",
    )
    return access_rules.make(STEP.id, case, aspect=aspect, word="firebreak-risky-accounts", body=body, reasons=reasons)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await access_rules.look(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await access_rules.apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Delete the policy again."""
    return access_rules.undo(action, prior)
