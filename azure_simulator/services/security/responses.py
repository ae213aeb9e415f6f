"""Answers of Defender for Cloud and of Microsoft.Subscription."""

from __future__ import annotations

from azure_simulator.http import Request, Response, page
from azure_simulator.services.security import models, secure_score, subscription_state
from azure_simulator.services.security.exceptions import (
    BadSubscriptionRequestError,
    SecurityNotFoundError,
    SubscriptionHasResourcesError,
)
from azure_simulator.world import World, public


def list_pricings(world: World, request: Request) -> Response:
    """Every plan, in one answer without nextLink."""
    plans = [models.pricing(world, request.params["s"], name) for name in models.SUB_PLANS]
    return Response(200, {"value": [public(plan) for plan in plans]})


def get_pricing(world: World, request: Request) -> Response:
    return Response(200, public(models.pricing(world, request.params["s"], request.params["name"])))


def put_pricing(world: World, request: Request) -> Response:
    plan = models.pricing(world, request.params["s"], request.params["name"])
    models.set_pricing(world, plan, request.json())
    return Response(200, public(plan))


def list_alerts(world: World, request: Request) -> Response:
    scope = f"/subscriptions/{request.params['s']}"
    if "g" in request.params:
        scope += f"/resourceGroups/{request.params['g']}"
    return page(world, request, world.table(models.ALERTS).below(scope), size=100, wrap=public)


def _alert_id(request: Request) -> str:
    group = f"/resourceGroups/{request.params['g']}" if "g" in request.params else ""
    base = f"/subscriptions/{request.params['s']}{group}/providers/Microsoft.Security"
    return f"{base}/locations/{request.params['l']}/alerts/{request.params['name']}"


def get_alert(world: World, request: Request) -> Response:
    table = world.table(models.ALERTS)
    if _alert_id(request) not in table:
        raise SecurityNotFoundError("Alert", request.params["name"])
    return Response(200, public(table[_alert_id(request)]))


def set_alert_state(world: World, request: Request) -> Response:
    """POST .../{dismiss|resolve|inProgress|activate}: 204."""
    table = world.table(models.ALERTS)
    wanted = models.TRANSITIONS[request.path.rstrip("/").rsplit("/", 1)[1].lower()]
    if _alert_id(request) not in table:
        raise SecurityNotFoundError("Alert", request.params["name"])
    table[_alert_id(request)]["properties"]["status"] = wanted
    return Response(204)


def list_contacts(world: World, request: Request) -> Response:
    found = world.table(models.CONTACTS).below(f"/subscriptions/{request.params['s']}")
    return Response(200, {"value": [public(contact) for contact in found]})


def get_contact(world: World, request: Request) -> Response:
    identity = f"/subscriptions/{request.params['s']}/providers/Microsoft.Security/securityContacts/default"
    if request.params["name"].lower() != "default" or identity not in world.table(models.CONTACTS):
        raise SecurityNotFoundError("Security contact", request.params["name"])
    return Response(200, public(world.table(models.CONTACTS)[identity]))


def put_contact(world: World, request: Request) -> Response:
    if request.params["name"].lower() != "default":
        raise SecurityNotFoundError("Security contact", request.params["name"])
    document = models.contact(request.params["s"], request.json())
    new = document["id"] not in world.table(models.CONTACTS)
    world.table(models.CONTACTS)[document["id"]] = document
    return Response(201 if new else 200, public(document))


def delete_contact(world: World, request: Request) -> Response:
    """DELETE .../securityContacts/default: 200, or 204 when there is none."""
    if request.params["name"].lower() != "default":
        raise SecurityNotFoundError("Security contact", request.params["name"])
    identity = f"/subscriptions/{request.params['s']}/providers/Microsoft.Security/securityContacts/default"
    return Response(204 if world.table(models.CONTACTS).pop(identity, None) is None else 200)


def list_scores(world: World, request: Request) -> Response:
    """The secure score of the subscription; there is one initiative, `ascScore`."""
    return Response(200, {"value": [secure_score.score(world, request.params["s"])]})


def get_score(world: World, request: Request) -> Response:
    if request.params["name"].lower() != "ascscore":
        raise SecurityNotFoundError("Secure score", request.params["name"])
    return Response(200, secure_score.score(world, request.params["s"]))


def list_controls(world: World, request: Request) -> Response:
    """The controls that the score is the sum of."""
    return Response(200, {"value": secure_score.controls(world, request.params["s"])})


def cancel_subscription(world: World, request: Request) -> Response:
    """POST .../cancel: not a long-running operation; refused while resources exist unless IgnoreResourceCheck=true."""
    subscription = request.params["s"]
    count = len(world.resources.below(f"/subscriptions/{subscription}"))
    if count and request.q("IgnoreResourceCheck").lower() != "true":
        raise SubscriptionHasResourcesError(count)
    subscription_state.disable(world, subscription)
    return Response(200, {"subscriptionId": subscription})


def enable_subscription(world: World, request: Request) -> Response:
    subscription_state.enable(world, request.params["s"])
    return Response(200, {"subscriptionId": request.params["s"]})


def rename_subscription(world: World, request: Request) -> Response:
    body = request.json()
    name = str((body if isinstance(body, dict) else {}).get("subscriptionName") or "").strip()
    if not name or len(name) > 64:
        raise BadSubscriptionRequestError("'subscriptionName' must have 1 to 64 characters.")
    world.subscriptions[f"/subscriptions/{request.params['s']}"]["displayName"] = name
    return Response(200, {"subscriptionId": request.params["s"]})
