"""Addresses of Privileged Identity Management in Azure Resource Manager, and the requests that change who is eligible.

https://learn.microsoft.com/rest/api/authorization/role-eligibility-schedule-requests
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

VERSION: Final = "2020-10-01"
SCHEDULES: Final = "providers/Microsoft.Authorization/roleEligibilitySchedules"
REQUESTS: Final = "providers/Microsoft.Authorization/roleEligibilityScheduleRequests"
_NAMESPACE: Final = uuid.UUID("0d5c2ab1-4c55-4c1e-8f3a-3d7f1f4b8a61")


def request_path(scope: str, action_id: str, case: str) -> str:
    """Where a request is put: its name is always the same for one action of one incident, so that it cannot be made twice."""
    return f"{scope.rstrip('/')}/{REQUESTS}/{uuid.uuid5(_NAMESPACE, f'{case}/{action_id}')}"


def removal(principal_id: str, role_definition_id: str) -> dict[str, Any]:
    """The body that ends an eligibility."""
    return {
        "properties": {
            "principalId": principal_id,
            "roleDefinitionId": role_definition_id,
            "requestType": "AdminRemove",
            "justification": "Incident response: taken back.",
        }
    }


def grant(principal_id: str, role_definition_id: str, ends_at: datetime | None) -> dict[str, Any]:
    """The body that makes somebody eligible again, until the former end."""
    expiration: dict[str, Any] = {"type": "NoExpiration"}
    if ends_at is not None:
        expiration = {"type": "AfterDateTime", "endDateTime": f"{ends_at:%Y-%m-%dT%H:%M:%SZ}"}
    return {
        "properties": {
            "principalId": principal_id,
            "roleDefinitionId": role_definition_id,
            "requestType": "AdminAssign",
            "scheduleInfo": {"expiration": expiration},
            "justification": "Incident response: given back.",
        }
    }
