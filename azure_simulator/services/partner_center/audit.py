"""The partner's audit records: who did what in Partner Center, kept for 90 days."""

from __future__ import annotations

import json
from datetime import timedelta

from azure_simulator.http import Request, Response
from azure_simulator.odata import moment
from azure_simulator.services.partner_center.envelope import paged
from azure_simulator.services.partner_center.exceptions import BadRequestError, PartnerError
from azure_simulator.world import Document, World

FIELDS = {"customerid": ("customerId", "equals"), "resourcetype": ("resourceType", "equals")} | {
    "companyname": ("customerName", "substring")
}


def list_records(world: World, request: Request) -> Response:
    """GET /v1/auditrecords: 30 days back unless told; there is no filter by operation type."""
    now = world.clock.now()
    first = moment(request.q("startDate")) if request.q("startDate") else now - timedelta(days=30)
    last = moment(request.q("endDate")) if request.q("endDate") else now
    if first is None or last is None:
        raise BadRequestError("'startDate' and 'endDate' must be dates.")
    if first < now - timedelta(days=90):
        raise BadRequestError("'startDate' must be within the last 90 days.")
    if "T" not in request.q("endDate") and request.q("endDate"):
        last += timedelta(days=1)
    rows = []
    for row in world.partner.get("auditRecords") or []:
        at = moment(str(row["operationDate"]))
        if at is not None and first <= at <= last and _fits(row, request.q("filter")):
            rows.append({k: v for k, v in row.items() if k != "id"})
    return Response(200, paged(request, rows, "/auditrecords"))


def get_record(world: World, request: Request) -> Response:
    """GET /auditactivity/v1/auditrecords/{id}: what an event's AuditUri points to."""
    for row in world.partner.get("auditRecords") or []:
        if row.get("id") == request.params["id"]:
            return Response(200, row)
    raise PartnerError(404, "404", f"Audit record '{request.params['id']}' was not found.")


def _fits(row: Document, text: str) -> bool:
    if not text:
        return True
    try:
        wanted = json.loads(text)
        field, operator = FIELDS[str(wanted["Field"]).lower()]
        value, given = str(wanted["Value"]).lower(), str(wanted["Operator"]).lower()
    except (ValueError, KeyError, TypeError) as exc:
        raise BadRequestError(
            "'filter' must be JSON with Field, Value and Operator of a field that can be filtered."
        ) from exc
    if given != operator:
        raise BadRequestError(f"The field '{wanted['Field']}' is filtered with '{operator}'.")
    found = str(row.get(field) or "").lower()
    return found == value if operator == "equals" else value in found
