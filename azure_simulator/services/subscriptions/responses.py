"""Answers about subscriptions, tenants and locations."""

from __future__ import annotations

from azure_simulator.http import ArmError, Request, Response, page
from azure_simulator.services.subscriptions import models
from azure_simulator.world import World, public


def list_subscriptions(world: World, request: Request) -> Response:
    """The subscriptions in which the caller has a role."""
    assert request.principal is not None
    return page(
        world, request, models.visible(world, request.principal.object_id, request.claims.get("tid", "")), wrap=public
    )


def get_subscription(world: World, request: Request) -> Response:
    assert request.principal is not None
    row = world.subscriptions[f"/subscriptions/{request.params['s']}"]
    if row not in models.visible(world, request.principal.object_id, ""):
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{request.params['s']}' could not be found.")
    return Response(200, public(row))


def list_locations(_world: World, request: Request) -> Response:
    """Regions and groups of regions, all on one page."""
    places = (*models.REGIONS, *models.LOGICAL)
    return Response(200, {"value": [models.location(place, request.params["s"]) for place in places]})


def list_tenants(world: World, request: Request) -> Response:
    """The tenant the token is for."""
    tenant = request.claims.get("tid") or world.tenant_id
    domain = next((p.upn.rpartition("@")[2] for p in world.principals.values() if p.upn), "contoso.example")
    return Response(
        200,
        {
            "value": [
                {
                    "id": f"/tenants/{tenant}",
                    "tenantId": tenant,
                    "displayName": domain.split(".")[0].title(),
                    "defaultDomain": domain,
                    "domains": [domain],
                    "countryCode": "NL",
                    "tenantCategory": "Home",
                    "tenantType": "AAD",
                }
            ]
        },
    )
