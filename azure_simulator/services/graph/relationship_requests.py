"""The requests of delegated admin relationships: `terminate` ends an active one for good, some minutes later; nobody can take it back.

https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-requests: on behalf of a person alone, a member of the admin agents.
"""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response
from azure_simulator.services.graph.envelope import Collection, bad_request, body_of, context, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import DeniedError, GraphBadRequestError
from azure_simulator.services.graph.permissions import groups_of
from azure_simulator.services.graph.store import put, row, rows
from azure_simulator.world import Document, World, public

SECONDS = 120.0  # how long the end of a relationship takes
_ENDS_FROM = ("active", "expiring")
_TABLE, _BASE = "delegatedAdminRequests", "tenantRelationships/delegatedAdminRelationships"


def post(world: World, request: Request) -> Response:
    """POST .../requests: 201 with the request and its address. Only `terminate` is served here."""
    _agents_only(world, request)
    found = row(world, request, "delegatedAdminRelationships", request.params["id"])
    action = body_of(request).get("action")
    if action != "terminate":
        raise GraphBadRequestError(f"The action '{action}' is not supported for this relationship.")
    if found["status"] not in _ENDS_FROM:
        raise GraphBadRequestError(f"A relationship in status '{found['status']}' cannot be terminated.")
    now = world.clock.now()
    made: Document = {
        "id": world.chance.guid(),
        "action": "terminate",
        "status": "created",
        "createdDateTime": stamp(now),
        "lastModifiedDateTime": stamp(now),
        "_relationship": found["id"],
    }
    put(world, _TABLE, made["id"], made, tenant=tenant_of(world, request))
    _set(world, found, "terminationRequested")

    def begin() -> None:
        _set(world, found, "terminating")
        made["status"] = "pending"

    def end() -> None:
        _set(world, found, "terminated")
        made["status"] = "succeeded"
        for access in found["_accessAssignments"]:
            access["status"] = "deleted"

    world.later(SECONDS / 4, begin)
    world.later(SECONDS, end)
    body = {"@odata.context": context(world, request, f"{_BASE}('{found['id']}')/requests/$entity")} | public(made)
    place = f"{world.base_url}/graph/v1.0/{_BASE}/{found['id']}/requests/{made['id']}"
    return Response(201, body, {"Location": place})


def list_requests(world: World, request: Request) -> Response:
    found = row(world, request, "delegatedAdminRelationships", request.params["id"])
    mine = [
        public(each) for each in rows(world, _TABLE, tenant_of(world, request)) if each["_relationship"] == found["id"]
    ]
    return listed(world, request, mine, Collection(f"{_BASE}/requests", {"action": "eq"}, refusal=bad_request))


def get(world: World, request: Request) -> Response:
    return one(world, request, row(world, request, _TABLE, request.params["request"]), f"{_BASE}/requests")


def _set(world: World, relationship: Document, status: str) -> None:
    relationship["status"] = status
    relationship["lastModifiedDateTime"] = stamp(world.clock.now())


def _agents_only(world: World, request: Request) -> None:
    """Refuse applications without a person, and people outside the group of admin agents."""
    person = request.principal
    if not world.directory_rules or person is None:
        return
    agents = {p.object_id for p in world.principals.values() if p.kind == "ForeignGroup" and p.name == "AdminAgents"}
    if person.kind != "User" or not agents & set(groups_of(world, person.object_id)):
        raise DeniedError
