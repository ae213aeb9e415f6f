"""What stands between a password and the tenant: licences, security defaults, conditional access, named locations."""

from __future__ import annotations

from firebreak.analysis.identity import protection
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.finding import Finding
from firebreak.model.identity import TenantProtection
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes

_READS = (directory.LICENCES, directory.SECURITY_DEFAULTS, directory.ACCESS_POLICIES, directory.LOCATIONS)

STEP = Step(
    id="investigate.tenant_protection",
    title="See what protects the tenant's sign-ins",
    effect=Effect.READ,
    description=(
        "Reads the tenant's licences, security defaults, conditional access policies and named locations, and tells what was loosened in "
        "the window and what asks nobody for a second factor."
    ),
    graph_permissions=directory.permissions_of(*_READS),
    guidance=("S44",),
    produces=TenantProtection,
)


async def collect(eyes: Eyes, case: Case) -> TenantProtection:
    """Read each of the four on its own; what is refused is noted."""
    notes = Notes()
    skus = await directory.attempt(notes, directory.LICENCES, directory.everything(eyes, directory.LICENCES), None)
    defaults = await directory.attempt(
        notes, directory.SECURITY_DEFAULTS, eyes.graph.get(directory.SECURITY_DEFAULTS.path), None
    )
    policies = await directory.attempt(
        notes, directory.ACCESS_POLICIES, directory.everything(eyes, directory.ACCESS_POLICIES), None
    )
    locations = None
    if policies is not None:  # the same permission, and each costs a second
        locations = await directory.attempt(
            notes, directory.LOCATIONS, directory.everything(eyes, directory.LOCATIONS), None
        )
    on = None if defaults is None else defaults.get("isEnabled")
    return TenantProtection(
        window_start=directory.window_of(eyes, case),
        plans=None if skus is None else protection.plans_of(skus),
        security_defaults=on if isinstance(on, bool) else None,
        policies=None if policies is None else tuple(protection.policy_of(one) for one in policies),
        locations=None if locations is None else tuple(protection.location_of(one) for one in locations),
        not_looked_at=notes.all,
    )


def assess(facts: TenantProtection, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    return protection.find(facts)
