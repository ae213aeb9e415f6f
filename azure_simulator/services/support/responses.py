"""Answers of Microsoft.Support. Tickets and communications are made by long-running operations with both headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure_simulator import odata
from azure_simulator.clock import stamp
from azure_simulator.http import Request, Response, accepted, page
from azure_simulator.services.support import catalogue, models
from azure_simulator.services.support.exceptions import InvalidTicketError, NameTakenError, SupportNotFoundError
from azure_simulator.world import Document, World, public

COMMUNICATIONS = "support.communications"


def list_services(world: World, request: Request) -> Response:
    return page(world, request, catalogue.services(world), wrap=public)


def get_service(world: World, request: Request) -> Response:
    return Response(200, public(_service(world, request)))


def list_classifications(world: World, request: Request) -> Response:
    return page(world, request, catalogue.classifications(world, _service(world, request)), wrap=public)


def get_classification(world: World, request: Request) -> Response:
    for found in catalogue.classifications(world, _service(world, request)):
        if found["name"] == request.params["c"].lower():
            return Response(200, public(found))
    raise SupportNotFoundError("ProblemClassification", request.params["c"])


def _service(world: World, request: Request) -> Document:
    for found in catalogue.services(world):
        if found["name"] == request.params["v"].lower():
            return found
    raise SupportNotFoundError("Service", request.params["v"])


def check_name(world: World, request: Request) -> Response:
    """Whether a ticket (or, below a ticket, a communication) of that name may still be made."""
    body = request.json()
    name, kind = (str((body if isinstance(body, dict) else {}).get(k) or "") for k in ("name", "type"))
    if not name or kind not in ("Microsoft.Support/supportTickets", "Microsoft.Support/communications"):
        raise InvalidTicketError([("InvalidParameter", "Both 'name' and a known 'type' are required.", "type")])
    if kind.endswith("communications"):
        taken = f"{_ticket_id(request)}/communications/{name}" in world.table(COMMUNICATIONS)
    else:
        taken = f"{_base(request)}/supportTickets/{name}" in world.support_tickets
    if taken:
        message = f"The name '{name}' is already in use."
        return Response(200, {"nameAvailable": False, "reason": "AlreadyExists", "message": message})
    return Response(200, {"nameAvailable": True, "reason": None, "message": None})


def _base(request: Request) -> str:
    return f"/subscriptions/{request.params['s']}/providers/Microsoft.Support"


def _ticket_id(request: Request) -> str:
    return f"{_base(request)}/supportTickets/{request.params['t']}"


def _ticket(world: World, request: Request) -> Document:
    if _ticket_id(request) not in world.support_tickets:
        raise SupportNotFoundError("SupportTicket", request.params["t"])
    return world.support_tickets[_ticket_id(request)]


def put_ticket(world: World, request: Request) -> Response:
    """PUT: 202 with `Azure-AsyncOperation` and `Location`; the ticket exists when the operation has ended."""
    identity = _ticket_id(request)
    pending: set[str] = world.memory.setdefault("support.pending", set())
    properties = models.check_new(world, request.json())
    if identity in world.support_tickets or identity.lower() in pending:
        raise NameTakenError("Support ticket", request.params["t"])
    pending.add(identity.lower())

    def finish() -> None:
        pending.discard(identity.lower())
        world.support_tickets[identity] = models.ticket(world, identity, properties)

    return _started(world, request, finish, lambda: public(world.support_tickets[identity]))


def _started(
    world: World, request: Request, finish: Callable[[], None], result: Callable[[], Document | None]
) -> Response:
    def ended() -> Document | None:
        finish()
        return None

    response = accepted(
        world, request, ended, operations_path=f"{_base(request)}/operationsStatus", result=result, location=True
    )
    status_url = response.headers["Azure-AsyncOperation"]
    response.headers["Location"] = status_url.replace("/operationsStatus/", "/operationResults/")
    return response


def get_ticket(world: World, request: Request) -> Response:
    return Response(200, public(_ticket(world, request)))


def list_tickets(world: World, request: Request) -> Response:
    """Newest first; `$filter` on Status, CreatedDate, ServiceId and ProblemClassificationId."""
    found = world.support_tickets.below(f"{_base(request)}/supportTickets")[::-1]
    return page(world, request, _filtered(request, found), size=100, wrap=public)


def patch_ticket(world: World, request: Request) -> Response:
    document = _ticket(world, request)
    models.apply(world, document, models.check_change(request.json()))
    return Response(200, public(document))


def put_communication(world: World, request: Request) -> Response:
    """PUT a message into a ticket: 202 with both headers."""
    ticket = _ticket(world, request)
    body: Any = request.json()
    properties = (body if isinstance(body, dict) else {}).get("properties")
    properties = properties if isinstance(properties, dict) else {}
    missing = [name for name in ("subject", "body") if not properties.get(name)]
    if missing:
        raise InvalidTicketError(
            [("MissingParameter", f"The required parameter '{n}' is missing.", n) for n in missing]
        )
    identity = f"{ticket['id']}/communications/{request.params['m']}"
    if identity in world.table(COMMUNICATIONS):
        raise NameTakenError("Communication", request.params["m"])

    def finish() -> None:
        world.table(COMMUNICATIONS)[identity] = {
            "id": identity,
            "name": request.params["m"],
            "type": "Microsoft.Support/communications",
            "properties": {
                "communicationType": "Web",
                "communicationDirection": "Inbound",
                "sender": properties.get("sender") or "",
                "subject": properties["subject"],
                "body": properties["body"],
                "createdDate": stamp(world.clock.now()),
            },
        }

    return _started(world, request, finish, lambda: public(world.table(COMMUNICATIONS)[identity]))


def get_communication(world: World, request: Request) -> Response:
    identity = f"{_ticket(world, request)['id']}/communications/{request.params['m']}"
    if identity not in world.table(COMMUNICATIONS):
        raise SupportNotFoundError("Communication", request.params["m"])
    return Response(200, public(world.table(COMMUNICATIONS)[identity]))


def list_communications(world: World, request: Request) -> Response:
    found = world.table(COMMUNICATIONS).below(f"{_ticket(world, request)['id']}/communications")[::-1]
    return page(world, request, _filtered(request, found), size=10, wrap=public)


def _filtered(request: Request, documents: list[Document]) -> list[Document]:
    if not request.q("$filter"):
        return documents
    try:
        fits = odata.parse(
            request.q("$filter"),
            known={"status", "createdDate", "serviceId", "problemClassificationId", "communicationType"},
        )
    except ValueError as exc:
        raise InvalidTicketError([("InvalidParameter", f"Invalid $filter: {exc}", "$filter")]) from exc
    return [document for document in documents if fits(document["properties"])]
