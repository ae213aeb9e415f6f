"""Routes of Azure Policy, at any scope."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.policy import responses

_A = "{scope...}/providers/Microsoft.Authorization/policyAssignments"
_D = "{scope...}/providers/Microsoft.Authorization/policyDefinitions"
_P = "Microsoft.Authorization"

ROUTES: list[Route] = [
    route("GET", _A, responses.list_assignments, f"{_P}/policyAssignments/read"),
    route("GET", f"{_A}/{{name}}", responses.get_assignment, f"{_P}/policyAssignments/read"),
    route("PUT", f"{_A}/{{name}}", responses.put_assignment, f"{_P}/policyAssignments/write"),
    route("DELETE", f"{_A}/{{name}}", responses.delete_assignment, f"{_P}/policyAssignments/delete"),
    route("GET", _D, responses.list_definitions, f"{_P}/policyDefinitions/read"),
    route("GET", f"{_D}/{{name}}", responses.get_definition, f"{_P}/policyDefinitions/read"),
    route("PUT", f"{_D}/{{name}}", responses.put_definition, f"{_P}/policyDefinitions/write"),
    route("DELETE", f"{_D}/{{name}}", responses.delete_definition, f"{_P}/policyDefinitions/delete"),
]
