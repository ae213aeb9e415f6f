"""Answers of Graph: conditional access, named locations, security defaults, authorization, access from other tenants."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph.envelope import Collection, bad_request, listed, one
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.services.graph.store import row, seen
from azure_simulator.world import World, public

_BASE = "identity/conditionalAccess"
POLICIES = Collection(
    f"{_BASE}/policies",
    {
        "id": "eq",
        "displayName": "eq startswith",
        "state": "eq",
        "createdDateTime": "ge le",
        "modifiedDateTime": "ge le",
    },
    refusal=bad_request,
)
LOCATIONS = Collection(
    f"{_BASE}/namedLocations",
    {"id": "eq", "displayName": "eq startswith", "createdDateTime": "ge le", "modifiedDateTime": "ge le"},
    refusal=bad_request,
)
PARTNERS = Collection("policies/crossTenantAccessPolicy/partners", {"tenantId": "eq"}, refusal=bad_request)


def list_policies(world: World, request: Request) -> Response:
    found = [public(each) for each in seen(world, request, "conditionalAccessPolicies")]
    return listed(world, request, found, POLICIES)


def get_policy(world: World, request: Request) -> Response:
    return one(world, request, row(world, request, "conditionalAccessPolicies", request.params["id"]), POLICIES.path)


def list_locations(world: World, request: Request) -> Response:
    return listed(world, request, [public(each) for each in seen(world, request, "namedLocations")], LOCATIONS)


def get_location(world: World, request: Request) -> Response:
    return one(world, request, row(world, request, "namedLocations", request.params["id"]), LOCATIONS.path)


def single(name: str) -> Handler:
    """GET a policy of which a tenant has one, such as `authorizationPolicy`."""

    def answer(world: World, request: Request) -> Response:
        for found in seen(world, request, "policies"):
            if found["_name"] == name:
                return one(world, request, found, f"policies/{name}")
        raise GraphNotFoundError(name)

    return answer


def list_partners(world: World, request: Request) -> Response:
    """GET crossTenantAccessPolicy/partners: tenants with settings of their own, service providers among them."""
    return listed(world, request, [public(each) for each in seen(world, request, "crossTenantPartners")], PARTNERS)
