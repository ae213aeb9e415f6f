"""Routes of Microsoft.Support: the catalogue is the tenant's, tickets are a subscription's."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.support import responses

ROOT = "/providers/Microsoft.Support/services"
BASE = "/subscriptions/{s}/providers/Microsoft.Support"
TICKET = f"{BASE}/supportTickets/{{t}}"
MESSAGE = f"{TICKET}/communications/{{m}}"
READ, WRITE = "Microsoft.Support/supportTickets/read", "Microsoft.Support/supportTickets/write"

# Reading the catalogue needs a token and no role: it has no permission here.
ROUTES: list[Route] = [
    route("GET", ROOT, responses.list_services),
    route("GET", f"{ROOT}/{{v}}", responses.get_service),
    route("GET", f"{ROOT}/{{v}}/problemClassifications", responses.list_classifications),
    route("GET", f"{ROOT}/{{v}}/problemClassifications/{{c}}", responses.get_classification),
    route("POST", f"{BASE}/checkNameAvailability", responses.check_name, READ),
    route("POST", f"{TICKET}/checkNameAvailability", responses.check_name, READ),
    route("GET", f"{BASE}/supportTickets", responses.list_tickets, READ),
    route("GET", TICKET, responses.get_ticket, READ),
    route("PUT", TICKET, responses.put_ticket, WRITE),
    route("PATCH", TICKET, responses.patch_ticket, WRITE),
    route("GET", f"{TICKET}/communications", responses.list_communications, READ),
    route("GET", MESSAGE, responses.get_communication, READ),
    route("PUT", MESSAGE, responses.put_communication, WRITE),
]
