"""Answers about the organization, customers, commerce subscriptions and Azure entitlements."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.services.cost.models import month_to_date
from azure_simulator.services.partner_center import models
from azure_simulator.services.partner_center.envelope import collection, linked, paged
from azure_simulator.services.partner_center.exceptions import BadRequestError
from azure_simulator.services.prices.models import to_usd
from azure_simulator.world import Document, World


def organization(world: World, _request: Request) -> Response:
    given: Document = world.partner.get("organization") or {}
    base = {"id": world.partner_tenant_id, "tenantId": world.partner_tenant_id, "language": "en", "culture": "en-US"}
    return Response(200, base | given | {"attributes": {"objectType": "OrganizationProfile"}})


def list_customers(world: World, request: Request) -> Response:
    rows = [
        linked(models.profile(tenant, row), f"/customers/{tenant}")
        for tenant, row in (world.partner.get("customers") or {}).items()
    ]
    return Response(200, paged(request, rows, "/customers"))


def get_customer(world: World, request: Request) -> Response:
    row = models.customer(world, request.params["c"])
    return Response(200, linked(models.profile(request.params["c"].lower(), row), f"/customers/{request.params['c']}"))


def list_relationships(world: World, request: Request) -> Response:
    row = models.customer(world, request.params["c"])
    return Response(
        200, collection(list(row.get("relationships") or []), f"/customers/{request.params['c']}/relationships")
    )


def list_subscriptions(world: World, request: Request) -> Response:
    base = f"/customers/{request.params['c']}/subscriptions"
    rows = models.customer(world, request.params["c"]).get("subscriptions") or {}
    items = [linked(models.shown(world, row), f"{base}/{row['document']['id']}") for row in rows.values()]
    return Response(200, collection(items, base))


def _plan(world: World, request: Request) -> Document:
    return models.subscription(world, request.params["c"], request.params["s"])


def get_subscription(world: World, request: Request) -> Response:
    shown = models.shown(world, _plan(world, request))
    path = f"/customers/{request.params['c']}/subscriptions/{shown['id']}"
    return Response(200, linked(shown, path), {"ETag": shown["attributes"]["etag"]})


def patch_subscription(world: World, request: Request) -> Response:
    """PATCH with If-Match and the whole resource: 200 with the new one."""
    row = _plan(world, request)
    after = models.update(world, row, request.json(), request.headers.get("if-match", ""))
    models.record(world, request, "update_subscription", "subscription", request.params["c"].lower(), after)
    return Response(200, after, {"ETag": after["attributes"]["etag"]})


def _entitlement_path(request: Request, identity: str) -> str:
    return f"/customers/{request.params['c']}/subscriptions/{request.params['s']}/azureEntitlements/{identity}"


def list_entitlements(world: World, request: Request) -> Response:
    rows = _plan(world, request).get("entitlements") or {}
    items = [linked(row, _entitlement_path(request, row["id"])) for row in rows.values()]
    path = f"/customers/{request.params['c']}/subscriptions/{request.params['s']}/azureEntitlements"
    return Response(200, collection(items, path))


def _entitlement(world: World, request: Request) -> Document:
    return models.entitlement(world, request.params["c"], request.params["s"], request.params["e"])


def get_entitlement(world: World, request: Request) -> Response:
    found = _entitlement(world, request)
    return Response(200, linked(found, _entitlement_path(request, found["id"])))


def cancel_entitlement(world: World, request: Request) -> Response:
    """POST .../cancel: 200 and still `active`; the caller has to read it until it is `inactive`."""
    return _change(world, request, "cancel_azure_entitlement", 200)


def reactivate_entitlement(world: World, request: Request) -> Response:
    """POST .../reactivate: 202."""
    return _change(world, request, "reactivate_azure_entitlement", 202)


def _change(world: World, request: Request, operation: str, status: int) -> Response:
    found = _entitlement(world, request)
    answer = linked(found, _entitlement_path(request, found["id"]))
    if operation.startswith("cancel"):
        models.cancel(world, found, request.json())
    else:
        models.reactivate(world, found)
    models.record(
        world, request, operation, "azure_entitlement", request.params["c"].lower(), {"SubscriptionId": found["id"]}
    )
    return Response(status, answer)


def get_budget(world: World, request: Request) -> Response:
    return Response(200, _budget(models.customer(world, request.params["c"])))


def patch_budget(world: World, request: Request) -> Response:
    """PATCH the spending budget of a customer. It notifies; it stops nothing."""
    row = models.customer(world, request.params["c"])
    body: Any = request.json()
    amount = next((v for k, v in body.items() if k.lower() == "amount"), None) if isinstance(body, dict) else None
    if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
        raise BadRequestError("'Amount' must be a number of at least 0.")
    row["usagebudget"] = amount
    models.record(world, request, "update_customer_usage_budget", "customer", request.params["c"].lower(), _budget(row))
    return Response(200, _budget(row))


def _budget(row: Document) -> Document:
    return {"amount": row.get("usagebudget"), "attributes": {"objectType": "SpendingBudget"}}


def usage_summary(world: World, request: Request) -> Response:
    """Month-to-date cost of a customer's Azure subscriptions, as far as data has arrived."""
    row = models.customer(world, request.params["c"])
    now = world.clock.now()
    scopes = [f"/subscriptions/{key}" for p in (row.get("subscriptions") or {}).values() for key in p["entitlements"]]
    total = sum((month_to_date(world, scope, now) for scope in scopes), start=Decimal(0))
    shown = models.profile(request.params["c"].lower(), row)
    return Response(
        200,
        {
            "resourceId": shown["id"],
            "resourceName": shown["companyProfile"]["companyName"],
            "billingStartDate": now.strftime("%Y-%m-01T00:00:00Z"),
            "billingEndDate": None,
            "totalCost": float(total),
            "currencyCode": world.currency,
            "usdTotalCost": float(to_usd(total, world.currency)),
            "lastModifiedDate": stamp(now),
            "budget": _budget(row),
            "attributes": {"objectType": "CustomerUsageSummary"},
        },
    )


def list_service_requests(world: World, request: Request) -> Response:
    row = models.customer(world, request.params["c"])
    items = list(row.get("serviceRequests") or [])
    return Response(200, paged(request, items, f"/customers/{request.params['c']}/servicerequests"))
