"""What Partner Center says of second factors: the last requests on behalf of people, applications by day, and people without one.

All three tell of the same rows, `world.partner["requests"]`:
https://learn.microsoft.com/partner-center/developer/mfa-resources
"""

from __future__ import annotations

from datetime import datetime, timedelta

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.odata import moment
from azure_simulator.services.partner_center.envelope import paged
from azure_simulator.services.partner_center.exceptions import BadRequestError
from azure_simulator.world import Document, World, public

MOST = 10_000
_WEEK = timedelta(days=7)


def list_requests(world: World, request: Request) -> Response:
    """GET /v1/partnerRequests: at most 10,000, the newest first."""
    return Response(200, paged(request, [public(row) for row in _newest(world)[:MOST]], "/partnerRequests"))


def list_people(world: World, request: Request) -> Response:
    """GET /v1/nonMfaCompliantPartnerPrincipals: who asked without a second factor in the last seven days."""
    since = world.clock.now() - _WEEK
    found: dict[str, Document] = {}
    for row in _newest(world):
        if not row["mfaCompliant"] and _at(row) >= since:
            found.setdefault(
                row["objectId"],
                {
                    "objectId": row["objectId"],
                    "tenantId": row["tenantId"],
                    "upn": row["upn"],
                    "lastNonMfaCompliantRequestDateTime": row["requestDateTime"],
                },
            )
    return Response(200, paged(request, list(found.values())[:MOST], "/nonMfaCompliantPartnerPrincipals"))


def list_applications(world: World, request: Request) -> Response:
    """GET /v1/applicationmfaadoptionstatus: a bare array, one row for an application and day."""
    now = world.clock.now()
    first = moment(request.q("startDate")) if request.q("startDate") else now - _WEEK
    last = moment(request.q("endDate")) if request.q("endDate") else now
    if first is None or last is None or first > last:
        raise BadRequestError("'startDate' and 'endDate' must be dates, the first not after the second.")
    if "T" not in request.q("endDate") and request.q("endDate"):
        last += timedelta(days=1)
    days: dict[tuple[str, str], Document] = {}
    for row in _newest(world):
        if not first <= _at(row) <= last:
            continue
        day = row["requestDateTime"][:10]
        counted = days.setdefault(
            (day, row["applicationId"]),
            {
                "loginDate": f"{day}T00:00:00",
                "mfaCompliantRequestCount": 0,
                "totalRequestCount": 0,
                "applicationId": row["applicationId"],
                "applicationName": row["_application"],
            },
        )
        counted["totalRequestCount"] += 1
        counted["mfaCompliantRequestCount"] += int(row["mfaCompliant"])
    return Response(200, list(days.values()))


def _newest(world: World) -> list[Document]:
    now = stamp(world.clock.now())
    rows = [row for row in world.partner.get("requests") or () if row["requestDateTime"] <= now]
    return sorted(rows, key=lambda row: str(row["requestDateTime"]), reverse=True)


def _at(row: Document) -> datetime:
    found = moment(str(row["requestDateTime"]))
    assert found is not None
    return found
