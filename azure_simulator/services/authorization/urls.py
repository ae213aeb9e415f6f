"""Routes of access control, at any scope."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.authorization import eligibility, responses

_A = "{scope...}/providers/Microsoft.Authorization"
_P = "Microsoft.Authorization"

ROUTES: list[Route] = [
    route("GET", f"{_A}/roleAssignments", responses.list_assignments, f"{_P}/roleAssignments/read"),
    route("GET", f"{_A}/roleAssignments/{{name}}", responses.get_assignment, f"{_P}/roleAssignments/read"),
    route("PUT", f"{_A}/roleAssignments/{{name}}", responses.put_assignment, f"{_P}/roleAssignments/write"),
    route("DELETE", f"{_A}/roleAssignments/{{name}}", responses.delete_assignment, f"{_P}/roleAssignments/delete"),
    route("GET", f"{_A}/roleDefinitions", responses.list_definitions, f"{_P}/roleDefinitions/read"),
    route("GET", f"{_A}/roleDefinitions/{{name}}", responses.get_definition, f"{_P}/roleDefinitions/read"),
    route("PUT", f"{_A}/roleDefinitions/{{name}}", responses.put_definition, f"{_P}/roleDefinitions/write"),
    route("DELETE", f"{_A}/roleDefinitions/{{name}}", responses.delete_definition, f"{_P}/roleDefinitions/delete"),
    route("GET", f"{_A}/roleEligibilitySchedules", eligibility.list_schedules, f"{_P}/roleEligibilitySchedules/read"),
    route(
        "GET",
        f"{_A}/roleEligibilitySchedules/{{name}}",
        eligibility.get_schedule,
        f"{_P}/roleEligibilitySchedules/read",
    ),
    route(
        "PUT",
        f"{_A}/roleEligibilityScheduleRequests/{{name}}",
        eligibility.put_request,
        f"{_P}/roleEligibilityScheduleRequests/write",
    ),
    route("GET", f"{_A}/permissions", responses.permissions),
    route("GET", f"{_A}/denyAssignments", responses.list_denials, f"{_P}/denyAssignments/read"),
    route("GET", f"{_A}/classicAdministrators", responses.empty, f"{_P}/classicAdministrators/read"),
    route("POST", "/providers/Microsoft.Authorization/elevateAccess", responses.elevate_access),
]
