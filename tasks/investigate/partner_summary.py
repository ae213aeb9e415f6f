"""What the single checks come to: whether access may be cut, and how far the partner is with zero trust."""

from __future__ import annotations

from firebreak.analysis.partner import summary
from firebreak.model.case import Case
from firebreak.model.check import checks_in
from firebreak.model.partner import (
    PartnerAccounts,
    PartnerCalls,
    PartnerCustomers,
    PartnerFederation,
    PartnerLicences,
    PartnerPolicies,
    PartnerScore,
    PartnerSignIns,
    PartnerSummary,
    SecureModel,
)
from firebreak.model.step import Effect, Step

_KINDS = (
    PartnerScore,
    PartnerAccounts,
    PartnerCalls,
    PartnerSignIns,
    PartnerFederation,
    PartnerPolicies,
    PartnerCustomers,
    PartnerLicences,
    SecureModel,
)

STEP = Step(
    id="investigate.partner_summary",
    title="Sum the checks up",
    effect=Effect.READ,
    description="Counts what is open of Microsoft's mandatory requirements, and of the principles of zero trust, over all checks of the run.",
    guidance=("S116", "S117"),
    produces=PartnerSummary,
)


def conclude(case: Case) -> PartnerSummary:
    found = [facts for kind in _KINDS if (facts := case.get(kind)) is not None]
    return PartnerSummary(checks=tuple(summary.checks_of(checks_in(found))))
