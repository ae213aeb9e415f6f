"""Errors of Azure Policy."""

from __future__ import annotations

import json

from azure_simulator.http import ArmError
from azure_simulator.world import Document


class RequestDisallowedByPolicyError(ArmError):
    """403: an effective assignment with effect deny, or denyAction of a deletion; `reference` names the member of an initiative."""

    def __init__(
        self, name: str, assignment: Document, definition: Document, *, effect: str = "deny", reference: str = ""
    ) -> None:
        assigned, defined = assignment["properties"], definition["properties"]
        identifiers = [
            {
                "policyAssignment": {"name": assigned.get("displayName", assignment["name"]), "id": assignment["id"]},
                "policyDefinition": {"name": defined["displayName"], "id": definition["id"], "version": "2.0.0"},
            }
        ]
        info = {
            "policyDefinitionDisplayName": defined["displayName"],
            "policyDefinitionId": definition["id"],
            "policyDefinitionName": definition["name"],
            "policyDefinitionEffect": "DenyAction" if effect == "denyaction" else "deny",
            "policyDefinitionVersion": "2.0.0",
            "policyAssignmentId": assignment["id"],
            "policyAssignmentName": assignment["name"],
            "policyAssignmentDisplayName": assigned.get("displayName", assignment["name"]),
            "policyAssignmentScope": assigned["scope"],
            "policyAssignmentParameters": assigned.get("parameters", {}),
            **({"policySetDefinitionId": assigned["policyDefinitionId"]} if reference else {}),
            **({"policyDefinitionReferenceId": reference} if reference else {}),
            "policyExemptionIds": [],
        }
        self.assignment_id = assignment["id"]
        self.definition_id = definition["id"]
        super().__init__(
            403,
            "RequestDisallowedByPolicy",
            f"Resource '{name}' was disallowed by policy. Policy identifiers: '{json.dumps(identifiers, separators=(',', ':'))}'.",
            target=name,
            additionalInfo=[{"type": "PolicyViolation", "info": info}],
        )


class PolicyNotFoundError(ArmError):
    """404 on an assignment, definition, initiative or exemption."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(404, f"{what}NotFound", f"The {_WORDS[what]} '{name}' is not found.")


_WORDS = {
    "PolicyAssignment": "policy assignment",
    "PolicyDefinition": "policy definition",
    "PolicySetDefinition": "policy set definition",
    "PolicyExemption": "policy exemption",
}
