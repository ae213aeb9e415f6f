"""Answers of Cost Management: query, cost alerts and scheduled actions; and Consumption's usage details."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import quote, urlencode

from azure_simulator.http import Request, Response
from azure_simulator.services.cost import alerts, definition, models, usage_details
from azure_simulator.services.cost.allowance import spend
from azure_simulator.services.cost.exceptions import BadQueryError, CostHiddenError, NotFoundError
from azure_simulator.services.cost.scheduled_actions import checked
from azure_simulator.world import Document, World, public

DEFAULT_PAGE, LARGEST_PAGE = 1000, 5000


def scope_of(request: Request) -> str:
    """The subscription or resource group that the path names."""
    group = request.params.get("g")
    return f"/subscriptions/{request.params['s']}" + (f"/resourceGroups/{group}" if group else "")


def query(world: World, request: Request) -> Response:
    """POST .../query: 200 with columns and rows, 204 when nothing was spent, `nextLink` to be POSTed with the same body."""
    _require_cost_view(world, request)
    asked = definition.parse(request.json(), world.clock.now())
    start = _position(request.q("$skiptoken"))
    headers = spend(world, str(request.claims.get("tid") or world.tenant_id), 1 if start else asked.months)
    answer = models.run(world, scope_of(request), asked)
    if not answer.rows:
        return Response(204, None, headers)
    top = request.q("$top")
    if top and not (top.isdigit() and 1 <= int(top) <= LARGEST_PAGE):
        raise BadQueryError(f"Invalid $top: '{top}'; it must be between 1 and {LARGEST_PAGE}.")
    size = int(top) if top else DEFAULT_PAGE
    next_link = None
    if start + size < len(answer.rows):
        token = base64.b64encode(str(start + size).encode()).decode()
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"} | {"$skiptoken": token}
        next_link = f"{world.base_url}{quote(request.path)}?{urlencode(kept)}"
    name = world.chance.child(f"query/{scope_of(request).lower()}/{request.body.hex()}").guid()
    body: Document = {
        "id": f"{scope_of(request).lstrip('/')}/providers/Microsoft.CostManagement/query/{name}",
        "name": name,
        "type": "Microsoft.CostManagement/query",
        "location": None,
        "sku": None,
        "eTag": None,
        "properties": {"nextLink": next_link, "columns": answer.columns, "rows": answer.rows[start : start + size]},
    }
    return Response(200, body, headers)


def list_alerts(world: World, request: Request) -> Response:
    return Response(200, {"value": [public(row) for row in alerts.refresh(world, scope_of(request))], "nextLink": None})


def get_alert(world: World, request: Request) -> Response:
    return Response(200, public(_alert(world, request)))


def patch_alert(world: World, request: Request) -> Response:
    """PATCH: only the status may change, and a dismissed alert stays dismissed."""
    alert = _alert(world, request)
    body = request.json()
    wanted = str(((body if isinstance(body, dict) else {}).get("properties") or {}).get("status") or "")
    alerts.set_status(world, alert, wanted, request.principal.upn if request.principal else "")
    return Response(200, public(alert))


def _alert(world: World, request: Request) -> Document:
    alerts.refresh(world, scope_of(request))
    identity = f"{scope_of(request)}/providers/Microsoft.CostManagement/alerts/{request.params['name']}"
    try:
        return world.table(alerts.TABLE)[identity]
    except KeyError:
        raise NotFoundError(f"Alert '{request.params['name']}'") from None


def _action_id(request: Request) -> str:
    return f"{scope_of(request)}/providers/Microsoft.CostManagement/scheduledActions/{request.params['name']}"


def list_actions(world: World, request: Request) -> Response:
    below = f"{scope_of(request)}/providers/Microsoft.CostManagement/scheduledActions/"
    table = world.table("costmanagement.scheduledActions")
    return Response(200, {"value": [public(table[key]) for key in table if key.startswith(below.lower())]})


def put_action(world: World, request: Request) -> Response:
    """PUT: 201 new, 200 changed; kinds Email and InsightAlert (the anomaly rule)."""
    identity = _action_id(request)
    table = world.table("costmanagement.scheduledActions")
    new = identity not in table
    table[identity] = checked(world, request, identity, scope_of(request), table.get(identity))
    return Response(201 if new else 200, public(table[identity]))


def get_action(world: World, request: Request) -> Response:
    table = world.table("costmanagement.scheduledActions")
    if _action_id(request) not in table:
        raise NotFoundError(f"Scheduled action '{request.params['name']}'")
    return Response(200, public(table[_action_id(request)]))


def delete_action(world: World, request: Request) -> Response:
    table = world.table("costmanagement.scheduledActions")
    return Response(200 if table.pop(_action_id(request), None) else 204)


def list_usage_details(world: World, request: Request) -> Response:
    """GET .../usageDetails in the modern shape, at most 1,000 rows a page, `$skiptoken` to go on."""
    _require_cost_view(world, request)
    found = usage_details.rows(world, scope_of(request), request.q("$filter"))
    top = int(request.q("$top")) if request.q("$top").isdigit() else 1000
    size, start = max(1, min(top, 1000)), _position(request.q("$skiptoken"))
    body: Document = {"value": [usage_details.item(world, row) for row in found[start : start + size]]}
    if start + size < len(found):
        token = base64.b64encode(str(start + size).encode()).decode()
        kept = {k: v for k, v in request.query.items() if k.lower() != "$skiptoken"} | {"$skiptoken": token}
        body["nextLink"] = f"{world.base_url}{quote(request.path)}?{urlencode(kept)}"
    return Response(200, body)


def _require_cost_view(world: World, request: Request) -> None:
    """A subscription document with `_cost_hidden` set refuses: the partner's cost visibility policy is off."""
    if world.subscriptions.get(f"/subscriptions/{request.params['s']}", {}).get("_cost_hidden"):
        raise CostHiddenError


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except (ValueError, binascii.Error) as exc:
        raise BadQueryError("Invalid $skiptoken.") from exc
