"""Writes what requests do into the activity log: Started, then Succeeded, or Accepted and (when a long operation ends) Succeeded, or Failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from azure_simulator import arm
from azure_simulator.events import event
from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.policy.exceptions import RequestDisallowedByPolicyError
from azure_simulator.world import Document, LongRunning, World

_BODY_LIMIT = 32_768
_HIDDEN = ("password", "secret", "accountkey", "protectedsettings", "customdata", "sshkey", "keydata")
_QUIET = (
    "microsoft.costmanagement/query/action",
    "microsoft.costmanagement/forecast/action",
    "microsoft.resourcegraph/resources/action",
)


def is_recorded(method: str, permission: str) -> bool:
    """Reads are not in the activity log, whatever their method; name checks and queries neither."""
    low = permission.lower()
    if method in ("GET", "HEAD") or not low or low.endswith("/read"):
        return False
    return low not in _QUIET and not low.endswith("/checknameavailability/action")


# The record of a role assignment's deletion holds the assignment, as does the answer.
_TOLD_DELETION = "microsoft.authorization/roleassignments/delete"


@dataclass
class Recorder:
    """The events of one operation; all share its correlation id."""

    world: World
    request: Request
    operation: str
    role: str

    def started(self) -> None:
        body = self.request.body.decode("utf-8", "replace") if self.request.body else ""
        self._add("Started", properties={"requestbody": _without_secrets(body)} if body else {})

    def ended(self, response: Response) -> None:
        """Record what the handler answered."""
        phrase = HTTPStatus(response.status).phrase.replace(" ", "")
        status = "Accepted" if response.status == 202 else "Succeeded"
        properties: dict[str, Any] = {"statusCode": phrase, "serviceRequestId": self.request.request_id}
        told = self.operation.lower()
        if (told.endswith("/write") or told == _TOLD_DELETION) and isinstance(response.body, dict):
            text = json.dumps(response.body, default=str)
            if len(text) <= _BODY_LIMIT:
                properties["responseBody"] = _without_secrets(text)
        self._add(status, sub_status=phrase, properties=properties)

    def failed(self, error: ArmError) -> None:
        """Record a refusal; a policy's denial is an event of its own, too."""
        if isinstance(error, RequestDisallowedByPolicyError):
            self._add(
                "Failed",
                sub_status="Forbidden",
                operation="Microsoft.Authorization/policies/deny/action",
                category="Policy",
                properties={
                    "isComplianceCheck": "False",
                    "resourceLocation": "",
                    "policies": json.dumps(
                        [{"policyAssignmentId": error.assignment_id, "policyDefinitionId": error.definition_id}]
                    ),
                },
            )
        phrase = HTTPStatus(error.status).phrase.replace(" ", "")
        self._add(
            "Failed",
            sub_status=phrase,
            properties={"statusCode": phrase, "statusMessage": json.dumps(error.body(), default=str)},
        )

    def follow(self, operation: LongRunning) -> None:
        """Record the end of the long-running operation that the request started."""
        if operation.status != "InProgress":
            self._finished(operation.error)
            return
        finish = operation.finish

        def finish_and_record() -> Document | None:
            error = finish()
            self._finished(error)
            return error

        operation.finish = finish_and_record

    def _finished(self, error: Document | None) -> None:
        if error:
            self._add(
                "Failed",
                sub_status="Conflict",
                properties={"statusCode": "Conflict", "statusMessage": json.dumps({"error": error})},
            )
        else:
            self._add("Succeeded", properties={"statusCode": "OK"})

    def _add(
        self,
        status: str,
        *,
        sub_status: str = "",
        operation: str = "",
        category: str = "Administrative",
        properties: dict[str, Any] | None = None,
    ) -> None:
        world, request = self.world, self.request
        assert request.principal is not None
        aim = arm.target(request.path)
        resource_id = arm.subject(request.path) if aim.collection or not aim.kind else request.path.rstrip("/")
        stored = world.resources.get(resource_id) or world.groups.get(resource_id)
        tenant = request.claims.get("tid") or world.tenant_id
        extra: dict[str, Any] = {}
        if request.claims.get("appid"):
            extra["app_id"] = request.claims["appid"]
        if request.claims.get("uti"):
            extra["token"] = request.claims["uti"]
        document = event(
            world.memory.setdefault("event_chance", world.chance.child("events")),
            at=world.clock.now(),
            operation=operation or self.operation,
            resource_id=stored["id"] if stored else resource_id,
            principal=request.principal,
            address=request.address,
            status=status,
            correlation_id=request.correlation_id,
            subscription_id=aim.subscription_id,
            tenant_id=tenant,
            sub_status=sub_status,
            role=self.role,
            method=request.method,
            properties=properties,
            category=category,
            **extra,
        )
        if "httpRequest" in document and request.headers.get("x-ms-client-request-id"):
            document["httpRequest"]["clientRequestId"] = request.headers["x-ms-client-request-id"]
        world.events.append(document)


def _without_secrets(text: str) -> str:
    """The body as the log keeps it: secret-looking values replaced, too long ones cut."""
    try:
        document = json.loads(text)
    except ValueError:
        return text[:_BODY_LIMIT]
    return json.dumps(_mask(document), separators=(",", ":"))[:_BODY_LIMIT]


def _mask(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "*****" if any(word in key.lower() for word in _HIDDEN) and item else _mask(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_mask(item) for item in value]
    return value
