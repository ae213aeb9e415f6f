"""What asks for a second factor in the partner's tenant: security defaults or access policies, and old policies that do nothing."""

from __future__ import annotations

from firebreak.analysis.identity.protection import ON
from firebreak.analysis.partner import policies
from firebreak.model.case import Case
from firebreak.model.identity import TenantProtection
from firebreak.model.partner import PartnerPolicies
from firebreak.model.step import Effect, Step

STEP = Step(
    id="investigate.partner_policies",
    title="Check what asks for a second factor",
    effect=Effect.READ,
    description="Judges security defaults and access policies of the partner's tenant, and tells baseline policies that were left behind.",
    guidance=("S64", "S106"),
    produces=PartnerPolicies,
    needs=(TenantProtection,),
)


def conclude(case: Case) -> PartnerPolicies:
    facts = case.get(TenantProtection)
    read = facts is not None and facts.policies is not None
    return PartnerPolicies(
        security_defaults=facts.security_defaults if facts else None,
        enforced=tuple(p.name for p in facts.policies or () if p.state == ON) if facts and read else None,
        checks=tuple(policies.checks_of(facts)),
    )
