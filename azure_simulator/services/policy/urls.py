"""Routes of Azure Policy, at any scope."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.policy import definitions, exemptions, responses

_A = "{scope...}/providers/Microsoft.Authorization/policyAssignments"
_D = "{scope...}/providers/Microsoft.Authorization/policyDefinitions"
_S = "{scope...}/providers/Microsoft.Authorization/policySetDefinitions"
_E = "{scope...}/providers/Microsoft.Authorization/policyExemptions"
_P = "Microsoft.Authorization"

ROUTES: list[Route] = [
    route("GET", _A, responses.list_assignments, f"{_P}/policyAssignments/read"),
    route("GET", f"{_A}/{{name}}", responses.get_assignment, f"{_P}/policyAssignments/read"),
    route("PUT", f"{_A}/{{name}}", responses.put_assignment, f"{_P}/policyAssignments/write"),
    route("DELETE", f"{_A}/{{name}}", responses.delete_assignment, f"{_P}/policyAssignments/delete"),
    route("GET", _D, definitions.list_definitions, f"{_P}/policyDefinitions/read"),
    route("GET", f"{_D}/{{name}}", definitions.get_definition, f"{_P}/policyDefinitions/read"),
    route("PUT", f"{_D}/{{name}}", definitions.put_definition, f"{_P}/policyDefinitions/write"),
    route("DELETE", f"{_D}/{{name}}", definitions.delete_definition, f"{_P}/policyDefinitions/delete"),
    route("GET", _S, definitions.list_sets, f"{_P}/policySetDefinitions/read"),
    route("GET", f"{_S}/{{name}}", definitions.get_set, f"{_P}/policySetDefinitions/read"),
    route("PUT", f"{_S}/{{name}}", definitions.put_set, f"{_P}/policySetDefinitions/write"),
    route("DELETE", f"{_S}/{{name}}", definitions.delete_set, f"{_P}/policySetDefinitions/delete"),
    route("GET", _E, exemptions.list_exemptions, f"{_P}/policyExemptions/read"),
    route("GET", f"{_E}/{{name}}", exemptions.get_exemption, f"{_P}/policyExemptions/read"),
    route("PUT", f"{_E}/{{name}}", exemptions.put_exemption, f"{_P}/policyExemptions/write"),
    route("DELETE", f"{_E}/{{name}}", exemptions.delete_exemption, f"{_P}/policyExemptions/delete"),
]
