"""Answers of Graph: the organization, its domains and licences, and the partner's customers and delegated relationships."""

from __future__ import annotations

from azure_simulator.http import Request, Response
from azure_simulator.services.graph.envelope import Collection, bad_request, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import DeniedError
from azure_simulator.services.graph.store import row, seen
from azure_simulator.world import Document, World, public

ORGANIZATION = Collection("organization", {"id": "eq"})
DOMAINS = Collection("domains")
SKUS = Collection("subscribedSkus", largest=1000)
CONTRACTS = Collection("contracts", {"customerId": "eq", "displayName": "eq", "defaultDomainName": "eq"})
RELATIONSHIPS = Collection(
    "tenantRelationships/delegatedAdminRelationships",
    {
        "status": "eq",
        "displayName": "eq startswith",
        "customer/tenantId": "eq",
        "customer/displayName": "eq",
        "createdDateTime": "eq ge le gt lt",
        "endDateTime": "eq ge le gt lt",
    },
    page=300,
    largest=300,
    order=("createdDateTime", "displayName", "status", "endDateTime"),
    refusal=bad_request,
)
ACCESS = Collection(
    "tenantRelationships/delegatedAdminRelationships/accessAssignments", {"status": "eq"}, refusal=bad_request
)


def organization(world: World, request: Request) -> Response:
    """The tenant of the token."""
    found = [public(each) for each in seen(world, request, "organization")]
    return listed(world, request, found or [_bare(world, tenant_of(world, request))], ORGANIZATION)


def _bare(world: World, tenant: str) -> Document:
    """A tenant of which the directory keeps nothing, named as Partner Center names it."""
    given: Document = world.partner.get("organization") or {}
    name = str(given.get("companyName") or "Partner")
    if not world.partner_tenant_id or tenant != world.partner_tenant_id.lower():
        customers: dict[str, Document] = world.partner.get("customers") or {}
        found: Document = next((r for t, r in customers.items() if t.lower() == tenant), {})
        profile: Document = found.get("profile") or {}
        name = str(profile.get("companyName") or (profile.get("companyProfile") or {}).get("companyName") or "Customer")
    return {"id": tenant, "displayName": name, "tenantType": "AAD", "verifiedDomains": [], "assignedPlans": []}


def list_domains(world: World, request: Request) -> Response:
    return listed(world, request, [public(each) for each in seen(world, request, "domains")], DOMAINS)


def list_skus(world: World, request: Request) -> Response:
    return listed(world, request, [public(each) for each in seen(world, request, "subscribedSkus")], SKUS)


def list_contracts(world: World, request: Request) -> Response:
    """GET /contracts: a partner's customers; empty for everybody else."""
    return listed(world, request, [public(each) for each in seen(world, request, "contracts")], CONTRACTS)


def list_relationships(world: World, request: Request) -> Response:
    """GET delegatedAdminRelationships, for partners alone."""
    _partner_only(world, request)
    found = [public(each) for each in seen(world, request, "delegatedAdminRelationships")]
    return listed(world, request, found, RELATIONSHIPS)


def get_relationship(world: World, request: Request) -> Response:
    _partner_only(world, request)
    found = row(world, request, "delegatedAdminRelationships", request.params["id"])
    return one(world, request, found, RELATIONSHIPS.path)


def list_access(world: World, request: Request) -> Response:
    """GET .../accessAssignments: which groups of the partner use which of the relationship's roles."""
    _partner_only(world, request)
    found = row(world, request, "delegatedAdminRelationships", request.params["id"])
    return listed(world, request, [public(each) for each in found["_accessAssignments"]], ACCESS)


def _partner_only(world: World, request: Request) -> None:
    if world.partner_tenant_id and tenant_of(world, request) != world.partner_tenant_id.lower():
        raise DeniedError
