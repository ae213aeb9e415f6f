"""Answers of Graph: the partner's security score with its requirements, its history and what it says of customers (beta alone).

https://learn.microsoft.com/graph/api/resources/partner-security-score-api-overview: issued to partners, read with `PartnerSecurity.Read.All`.
Rows are in `graph.securityScores`, `graph.securityRequirements`, `graph.securityScoreHistory` and `graph.customerInsights`.
"""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph.envelope import Collection, bad_request, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import DeniedError, GraphNotFoundError
from azure_simulator.services.graph.store import seen
from azure_simulator.world import World, public

_BASE = "security/partner/securityScore"
# The part of the path -> the table.
PARTS = {
    "requirements": "securityRequirements",
    "history": "securityScoreHistory",
    "customerInsights": "customerInsights",
}
_FILTERS = {
    "requirements": {"requirementType": "eq ne", "complianceStatus": "eq ne", "state": "eq ne"},
    "history": {"createdDateTime": "ge le"},
    "customerInsights": {"tenantId": "eq"},
}


def score(world: World, request: Request) -> Response:
    """GET /security/partner/securityScore, for partners alone."""
    _partner_only(world, request)
    for found in seen(world, request, "securityScores"):
        return one(world, request, found, _BASE)
    raise GraphNotFoundError("securityScore")


def part(name: str) -> Handler:
    """GET a list below the score."""
    collection = Collection(f"{_BASE}/{name}", _FILTERS[name], refusal=bad_request)

    def answer(world: World, request: Request) -> Response:
        _partner_only(world, request)
        return listed(world, request, [public(each) for each in seen(world, request, PARTS[name])], collection)

    return answer


def _partner_only(world: World, request: Request) -> None:
    if world.partner_tenant_id and tenant_of(world, request) != world.partner_tenant_id.lower():
        raise DeniedError
