"""Routes of Partner Center, below /partnercenter; what its webhooks are checked with is below /webhook-certificates."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response, Route, route
from azure_simulator.services.partner_center import (
    audit,
    fraud_events,
    responses,
    second_factors,
    sender,
    validations,
    webhooks,
)
from azure_simulator.services.partner_center.envelope import answered
from azure_simulator.services.partner_center.exceptions import PartnerError
from azure_simulator.world import World

V1 = "/partnercenter/v1"
C = f"{V1}/customers/{{c}}"
S = f"{C}/subscriptions/{{s}}"
E = f"{S}/azureEntitlements"
W = "/partnercenter/webhooks/v1/registration"


def _route(method: str, path: str, handler: Handler, *, user_only: bool = False) -> Route:
    return route(method, path, answered(handler, user_only=user_only), kind="partner")


def _unknown(_world: World, request: Request) -> Response:
    raise PartnerError(404, "404", f"The path '{request.path}' is not known.")


ROUTES: list[Route] = [
    _route("GET", f"{V1}/profiles/organization", responses.organization, user_only=True),
    _route("GET", f"{V1}/customers", responses.list_customers),
    _route("GET", C, responses.get_customer),
    _route("GET", f"{C}/relationships", responses.list_relationships, user_only=True),
    _route("GET", f"{C}/subscriptions", responses.list_subscriptions),
    _route("GET", S, responses.get_subscription),
    _route("PATCH", S, responses.patch_subscription),
    _route("GET", E, responses.list_entitlements),
    _route("GET", f"{E}/{{e}}", responses.get_entitlement),
    _route("POST", f"{E}/{{e}}/cancel", responses.cancel_entitlement),
    _route("POST", f"{E}/{{e}}/reactivate", responses.reactivate_entitlement),
    _route("GET", f"{C}/usagebudget", responses.get_budget),
    _route("PATCH", f"{C}/usagebudget", responses.patch_budget),
    _route("GET", f"{C}/usagesummary", responses.usage_summary),
    _route("GET", f"{C}/servicerequests", responses.list_service_requests, user_only=True),
    _route("GET", f"{V1}/auditrecords", audit.list_records, user_only=True),
    _route("GET", "/partnercenter/auditactivity/v1/auditrecords/{id}", audit.get_record, user_only=True),
    _route("GET", f"{V1}/partnerRequests", second_factors.list_requests, user_only=True),
    _route("GET", f"{V1}/nonMfaCompliantPartnerPrincipals", second_factors.list_people, user_only=True),
    _route("GET", f"{V1}/applicationmfaadoptionstatus", second_factors.list_applications, user_only=True),
    _route("GET", f"{V1}/fraudEvents", fraud_events.list_events, user_only=True),
    _route("POST", f"{V1}/fraudEvents/subscription/{{s}}/status", fraud_events.set_status, user_only=True),
    _route("GET", f"{W}/events", webhooks.list_events),
    _route("GET", W, webhooks.get_registration),
    _route("POST", W, webhooks.post_registration),
    _route("PUT", W, webhooks.put_registration),
    _route("POST", f"{W}/validationEvents", validations.post),
    _route("GET", f"{W}/validationEvents/{{id}}", validations.get),
    route("GET", "/webhook-certificates/cert/{name}", sender.certificate, kind="blob"),
    route("GET", "/webhook-certificates/pkiops/certs/{name}", sender.issuer, kind="blob"),
    *(_route(method, "/partnercenter/{path...}", _unknown) for method in ("GET", "POST", "PATCH", "PUT", "DELETE")),
]
