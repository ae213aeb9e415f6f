"""Answers of Graph: Identity Protection. Users and their detections need P2 (P1 sees that there was something), applications a licence of their own."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph import licences
from azure_simulator.services.graph.envelope import Collection, bad_request, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.services.graph.store import seen
from azure_simulator.world import Document, World, public

_TIME = "eq gt lt ge le"
_BASE = "identityProtection"
USERS = Collection(
    f"{_BASE}/riskyUsers",
    {
        "id": "eq in",
        "isDeleted": "eq",
        "riskDetail": "eq",
        "riskLastUpdatedDateTime": _TIME,
        "riskLevel": "eq",
        "riskState": "eq",
        "userDisplayName": "eq",
        "userPrincipalName": "eq",
    },
    page=20,
    largest=500,
    cut=True,
    order=("riskLastUpdatedDateTime",),
    refusal=bad_request,
)
DETECTIONS = Collection(
    f"{_BASE}/riskDetections",
    {
        "id": "eq",
        "activityDateTime": _TIME,
        "correlationId": "eq",
        "detectedDateTime": _TIME,
        "ipAddress": "eq",
        "lastUpdatedDateTime": _TIME,
        "requestId": "eq",
        "riskEventType": "eq",
        "riskLevel": "eq",
        "riskState": "eq",
        "riskDetail": "eq",
        "userId": "eq",
        "userPrincipalName": "eq",
    },
    page=20,
    largest=500,
    cut=True,
    order=("activityDateTime", "detectedDateTime"),
    refusal=bad_request,
)
APPLICATIONS = Collection(
    f"{_BASE}/riskyServicePrincipals",
    {"id": "eq", "appId": "eq", "riskLastUpdatedDateTime": "eq", "riskLevel": "eq", "riskState": "eq"},
    page=20,
    largest=500,
    cut=True,
    refusal=bad_request,
)
APPLICATION_DETECTIONS = Collection(
    f"{_BASE}/servicePrincipalRiskDetections",
    {
        "activityDateTime": _TIME,
        "detectedDateTime": _TIME,
        "requestId": "eq",
        "riskEventType": "eq",
        "riskLevel": "eq",
        "riskState": "eq",
        "servicePrincipalId": "eq",
    },
    page=20,
    largest=500,
    cut=True,
    refusal=bad_request,
)
_COLLECTIONS = {
    "riskyUsers": USERS,
    "riskDetections": DETECTIONS,
    "riskyServicePrincipals": APPLICATIONS,
    "servicePrincipalRiskDetections": APPLICATION_DETECTIONS,
}


def all_of(name: str) -> Handler:
    """GET one of the four collections."""

    def answer(world: World, request: Request) -> Response:
        return listed(world, request, _rows(world, request, name), _COLLECTIONS[name])

    return answer


def one_of(name: str) -> Handler:
    """GET one object of a collection."""

    def answer(world: World, request: Request) -> Response:
        for row in _rows(world, request, name):
            if row["id"].lower() == request.params["id"].lower():
                return one(world, request, row, _COLLECTIONS[name].path)
        raise GraphNotFoundError(request.params["id"])

    return answer


def _rows(world: World, request: Request, name: str) -> list[Document]:
    """What was detected until now, newest first, under the names that people and applications have now."""
    now = stamp(world.clock.now())
    full = licences.has(world, tenant_of(world, request), "protection")
    found = []
    for row in seen(world, request, name):
        when = str(row.get("detectedDateTime") or row.get("riskLastUpdatedDateTime"))
        if when <= now:
            shown = public(row) | _names(world, name, row)
            hide = name == "riskDetections" and not full
            found.append(
                (
                    when,
                    shown
                    | ({"riskEventType": "generic", "riskLevel": "hidden", "riskDetail": "hidden"} if hide else {}),
                )
            )
    return [row for _, row in sorted(found, key=lambda each: each[0], reverse=True)]


def _names(world: World, name: str, row: Document) -> Document:
    key = {"riskDetections": "userId", "servicePrincipalRiskDetections": "servicePrincipalId"}.get(name, "id")
    principal = world.principals.get(str(row[key]))
    if principal is None:
        return {}
    if principal.kind == "User":
        return {"userDisplayName": principal.name, "userPrincipalName": principal.upn.lower()}
    return (
        {"displayName": principal.name}
        if name == "riskyServicePrincipals"
        else {"servicePrincipalDisplayName": principal.name}
    )
