"""Check what a sign-in to the tenant has to pass, from what the identity review read."""

from __future__ import annotations

from firebreak.analysis.hardening import sign_in_rules
from firebreak.model.case import Case
from firebreak.model.facts import Facts
from firebreak.model.hardening import SignInRules
from firebreak.model.identity import Administrators, SignIns, TenantProtection
from firebreak.model.step import Effect, Step

STEP = Step(
    id="investigate.sign_in_rules",
    title="Check what a sign-in has to pass",
    effect=Effect.READ,
    description=(
        "Checks from the policies, licences, administrators and sign-ins that were read whether everybody is asked for a second factor, old protocols "
        "are shut, risky sign-ins and accounts are answered, and emergency accounts are kept out of the rules."
    ),
    guidance=("S64", "S74", "S86", "S87"),
    produces=SignInRules,
)


def conclude(case: Case) -> SignInRules:
    """Put together what the identity review read; what it could not read is not looked at here either."""
    protection, administrators, sign_ins = case.get(TenantProtection), case.get(Administrators), case.get(SignIns)
    read: list[Facts] = [one for one in (protection, administrators, sign_ins) if one is not None]
    people, groups = sign_in_rules.emergency_of(protection, case.protection.principals)
    old = sign_in_rules.old_clients_of(sign_ins)
    return SignInRules(
        emergency_people=people,
        emergency_groups=groups,
        old_clients=old,
        checks=sign_in_rules.checks_of(
            protection,
            administrators,
            (*people, *groups),
            old,
            notes=[note for facts in read for note in facts.not_looked_at],
        ),
    )
