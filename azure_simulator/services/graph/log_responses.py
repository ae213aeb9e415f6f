"""Answers of Graph: sign-ins and directory audits.

v1.0 answers interactive sign-ins alone, and beta too unless a filter names `signInEventTypes`.
"""

from __future__ import annotations

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import audits, sign_in_rows, sign_ins
from azure_simulator.services.graph.envelope import Collection, bad_request, is_beta, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.services.graph.permissions import granted
from azure_simulator.world import Document, World, public

_SAME, _BEGINS = "eq", "eq startswith"
# https://learn.microsoft.com/graph/api/resources/signin
V1 = (
    "id",
    "createdDateTime",
    "userDisplayName",
    "userPrincipalName",
    "userId",
    "appId",
    "appDisplayName",
    "ipAddress",
    "clientAppUsed",
    "correlationId",
    "conditionalAccessStatus",
    "isInteractive",
    "riskDetail",
    "riskLevelAggregated",
    "riskLevelDuringSignIn",
    "riskState",
    "riskEventTypes",
    "riskEventTypes_v2",
    "resourceDisplayName",
    "resourceId",
    "status",
    "deviceDetail",
    "location",
    "appliedConditionalAccessPolicies",
)
_V1_FILTERS = {
    "id": _SAME,
    "createdDateTime": "eq ge le",
    "userId": _SAME,
    "userPrincipalName": _BEGINS,
    "userDisplayName": _BEGINS,
    "appId": _SAME,
    "appDisplayName": _BEGINS,
    "ipAddress": _BEGINS,
    "clientAppUsed": _SAME,
    "correlationId": _SAME,
    "conditionalAccessStatus": _SAME,
    "isInteractive": _SAME,
    "resourceDisplayName": _SAME,
    "resourceId": _SAME,
    "riskDetail": _SAME,
    "riskLevelAggregated": _SAME,
    "riskLevelDuringSignIn": _SAME,
    "riskState": _SAME,
    "riskEventTypes_v2": _BEGINS,
    "status/errorCode": _SAME,
    "location/city": _BEGINS,
    "location/state": _BEGINS,
    "location/countryOrRegion": _BEGINS,
    "deviceDetail/browser": _BEGINS,
    "deviceDetail/operatingSystem": _BEGINS,
}
_BETA_FILTERS = _V1_FILTERS | {
    "signInEventTypes": "eq ne",
    "servicePrincipalId": _BEGINS,
    "servicePrincipalName": _BEGINS,
    "authenticationRequirement": _BEGINS,
    "uniqueTokenIdentifier": _BEGINS,
    "originalRequestId": _SAME,
    "userAgent": _BEGINS,
    "crossTenantAccessType": _SAME,
    "userType": _SAME,
}


SIGN_INS = Collection(
    "auditLogs/signIns",
    _V1_FILTERS,
    page=1000,
    largest=1000,
    cut=True,
    order=("createdDateTime",),
    newest_first=True,
    default=V1,
    refusal=bad_request,
)
BETA_SIGN_INS = Collection(
    "auditLogs/signIns",
    _BETA_FILTERS,
    page=1000,
    largest=1000,
    cut=True,
    order=("createdDateTime",),
    newest_first=True,
    refusal=bad_request,
)
AUDITS = Collection(
    "auditLogs/directoryAudits",
    {
        "id": _SAME,
        "activityDateTime": "eq ge le",
        "activityDisplayName": _BEGINS,
        "category": _SAME,
        "correlationId": _SAME,
        "loggedByService": _SAME,
        "result": _SAME,
        "operationType": _SAME,
        "initiatedBy/user/id": _SAME,
        "initiatedBy/user/displayName": _SAME,
        "initiatedBy/user/userPrincipalName": _BEGINS,
        "initiatedBy/app/appId": _SAME,
        "initiatedBy/app/displayName": _SAME,
        "targetResources/id": _SAME,
        "targetResources/displayName": _BEGINS,
    },
    page=1000,
    largest=1000,
    cut=True,
    order=("activityDateTime",),
    newest_first=True,
    refusal=bad_request,
)


def list_sign_ins(world: World, request: Request) -> Response:
    rows = sign_ins.shown(world, tenant_of(world, request))
    if not is_beta(request) or "signineventtypes" not in request.q("$filter").lower():
        rows = [row for row in rows if sign_in_rows.INTERACTIVE in row["signInEventTypes"]]
    collection = BETA_SIGN_INS if is_beta(request) else SIGN_INS
    return listed(world, request, rows, collection, shape=lambda row: _row(world, request, row))


def get_sign_in(world: World, request: Request) -> Response:
    for row in sign_ins.shown(world, tenant_of(world, request)):
        if row["id"] == request.params["id"].lower():
            return one(world, request, _row(world, request, row), SIGN_INS.path, () if is_beta(request) else V1)
    raise GraphNotFoundError(request.params["id"])


def _row(world: World, request: Request, row: Document) -> Document:
    """A row as the caller may see it: what conditional access made of it needs a permission of its own."""
    shown = public(row)
    if world.directory_rules and request.principal is not None:
        held = granted(world, request.principal, tenant_of(world, request), str(request.claims.get("appid") or ""))
        if not held & {"Policy.Read.All", "Policy.Read.ConditionalAccess", "Policy.ReadWrite.ConditionalAccess"}:
            shown["appliedConditionalAccessPolicies"] = []
    return shown


def list_audits(world: World, request: Request) -> Response:
    rows = audits.shown(world, tenant_of(world, request))
    return listed(world, request, rows, AUDITS, shape=public)


def get_audit(world: World, request: Request) -> Response:
    for row in audits.shown(world, tenant_of(world, request)):
        if row["id"].lower() == request.params["id"].lower():
            return one(world, request, row, AUDITS.path)
    raise GraphNotFoundError(request.params["id"])
