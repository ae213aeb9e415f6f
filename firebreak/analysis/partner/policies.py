"""What asks for a second factor in the partner's tenant: security defaults, access policies, and old policies that ask nobody."""

from __future__ import annotations

from firebreak.analysis.documents import shown
from firebreak.analysis.identity.protection import ON
from firebreak.analysis.partner.judging import Claim, why_not
from firebreak.model.check import Check
from firebreak.model.identity import AccessPolicy, TenantProtection

STEP = "investigate.partner_policies"
DEFAULTS_NAME, POLICIES_NAME = "security defaults", "conditional access policies"
_BASELINE = "baseline policy"

DEFAULTS = Claim(
    id="something-enforces",
    row="S104",
    step=STEP,
    title="Security defaults or access policies ask everybody for a second factor",
    advice="Switch on security defaults (one switch, no licence; they block old mail protocols), or write access policies if you have the licence.",
)
BASELINE = Claim(
    id="no-baseline-policies",
    row="S106",
    step=STEP,
    title="No old baseline policies are left",
    advice="Delete them in the Entra admin center; they do nothing any more. Security defaults or access policies take their place.",
)


def checks_of(facts: TenantProtection | None) -> list[Check]:
    if facts is None:
        return [claim.unread("The policies were not read.") for claim in (DEFAULTS, BASELINE)]
    why = why_not(facts.not_looked_at, DEFAULTS_NAME, POLICIES_NAME)
    return [_defaults(facts, why), _baseline(facts, why)]


def _defaults(facts: TenantProtection, why: str) -> Check:
    if facts.security_defaults is True:
        return DEFAULTS.judged([], failed="", passed="Security defaults are on.")
    if facts.policies is None:
        return DEFAULTS.unread(why)
    asking = [policy for policy in facts.policies if _asks_everybody(policy)]
    if asking:
        names = [shown(policy.name, 80) for policy in asking]
        return DEFAULTS.judged([], failed="", passed="Access policies ask everybody.", seen=names)
    if facts.security_defaults is None:
        return DEFAULTS.unread(why)
    lines = [f"{shown(policy.name, 80)}: {_state(policy)}" for policy in facts.policies]
    return DEFAULTS.judged(
        ["Security defaults are off", *lines],
        failed="Security defaults are off, and no access policy asks everybody.",
        passed="",
    )


def _baseline(facts: TenantProtection, why: str) -> Check:
    if facts.policies is None:
        return BASELINE.unread(why)
    lines = [
        f"{shown(policy.name, 80)}: {_state(policy)}"
        for policy in facts.policies
        if policy.name.strip().lower().startswith(_BASELINE)
    ]
    return BASELINE.judged(lines, failed=f"Baseline policies that are left: {len(lines)}.", passed="There are none.")


def _asks_everybody(policy: AccessPolicy) -> bool:
    wants = "mfa" in policy.controls or bool(policy.strength)
    whole = not (policy.narrowed or policy.user_risk or policy.sign_in_risk) and "All" in policy.applications
    return policy.state == ON and wants and whole and "All" in policy.users


def _state(policy: AccessPolicy) -> str:
    if policy.state == ON:
        return "on, for some people or some applications"
    return {"disabled": "off", "enabledForReportingButNotEnforced": "reports only"}.get(policy.state, policy.state)
