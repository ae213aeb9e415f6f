"""The activity log while it is written: whole operations (2 to 4 events with one correlation id) by actors, in any order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.events import AZURE_CLI_APP, event
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.people import Actor
from azure_simulator.world import Document, Principal, World

LONG_RUNNING = ("Started", "Accepted", "Succeeded")
AT_ONCE = ("Started", "Succeeded")
FAILED = ("Started", "Failed")
HISTORY_DAYS = 90


@dataclass(frozen=True)
class Caller:
    """An actor at one address, as they appear in events."""

    principal: Principal
    address: str
    role: str
    app_id: str = AZURE_CLI_APP
    mfa: bool = True
    token: str = ""  # the id of the access token; by default one an hour


def caller(actor: Actor, address: str = "", *, app_id: str = AZURE_CLI_APP, mfa: bool = True, role: str = "") -> Caller:
    """The actor at `address`, by default the usual one."""
    return Caller(actor.principal, address or actor.addresses[0], role or actor.role, app_id, mfa and actor.mfa)


class Log:
    """Collects events and hands them to the world in the order in which they happened."""

    def __init__(self, chance: Chance, now: datetime) -> None:
        self._chance = chance
        self._now = now
        self._since = now - timedelta(days=HISTORY_DAYS)
        self._events: list[Document] = []

    def __len__(self) -> int:
        return len(self._events)

    def operation(
        self,
        at: datetime,
        name: str,
        resource_id: str,
        by: Caller,
        *,
        steps: tuple[str, ...] = LONG_RUNNING,
        request: dict[str, Any] | None = None,
        response: dict[str, Any] | None = None,
        method: str = "",
        seconds: float = 0.0,
        sub_status: str = "",
        failure: tuple[str, str] | None = None,
        category: str = "Administrative",
        properties: dict[str, Any] | None = None,
        level: str = "",
    ) -> str:
        """Write one operation and return its correlation id.

        `request` goes as a JSON string on Started, `response` on Accepted and Succeeded. `seconds` is how long it took (a few by
        default); `failure` is (code, message) of a Failed one. What would lie after now or before the log begins is left out.
        """
        chance = self._chance
        correlation = chance.guid()
        took = seconds or (3 + chance.random() * 40 if len(steps) > 2 else 0.3 + chance.random() * 2)
        moments = {"Started": 0.0, "Accepted": min(2.0, took / 3) + chance.random()}
        verb = method or _method(name)
        for index, status in enumerate(steps):
            when = at + timedelta(seconds=moments.get(status, took + index * 0.1), microseconds=chance.randrange(1000))
            if not self._since <= when <= self._now:
                continue
            told = dict(properties or {})
            if status == "Started" and request is not None:
                told["requestbody"] = json.dumps(request, separators=(",", ":"))
            if status in ("Accepted", "Succeeded"):
                told["statusCode"] = sub_status or ("Created" if verb == "PUT" else "OK")
                if response is not None:
                    told["responseBody"] = json.dumps(response, separators=(",", ":"))
            if status == "Failed" and failure:
                told["statusCode"] = failure[0]
                told["statusMessage"] = json.dumps({"error": {"code": failure[0], "message": failure[1]}})
            self._events.append(
                event(
                    chance,
                    at=when,
                    operation=name,
                    resource_id=resource_id,
                    principal=by.principal,
                    address=by.address,
                    status=status,
                    correlation_id=correlation,
                    subscription_id=ids.SUBSCRIPTION_GUID,
                    tenant_id=ids.CUSTOMER_TENANT,
                    sub_status=told.get("statusCode", "") if status != "Started" else "",
                    role=by.role,
                    app_id=by.app_id,
                    method=verb,
                    properties=told,
                    level=level,
                    category=category,
                    mfa=by.mfa,
                    token=by.token,
                )
            )
        return correlation

    def platform(
        self,
        at: datetime,
        name: str,
        resource_id: str,
        category: str,
        statuses: tuple[str, ...],
        message: str,
        level: str,
    ) -> None:
        """Write what nobody did: service and resource health, alerts, autoscale."""
        correlation = self._chance.guid()
        for index, status in enumerate(statuses):
            when = at + timedelta(minutes=18 * index, seconds=self._chance.randrange(60))
            if not self._since <= when <= self._now:
                continue
            document = event(
                self._chance,
                at=when,
                operation=name,
                resource_id=resource_id,
                principal=_PLATFORM,
                address="",
                status=status,
                correlation_id=correlation,
                subscription_id=ids.SUBSCRIPTION_GUID,
                tenant_id=ids.CUSTOMER_TENANT,
                properties={"title": message, "message": message},
                level=level,
                category=category,
            )
            document.pop("httpRequest", None)
            document["claims"] = {}
            document["caller"] = (
                "Microsoft.Insights" if category != "Autoscale" else "Microsoft.Insights/autoscaleSettings"
            )
            del document["authorization"]
            self._events.append(document)

    def write_to(self, world: World) -> None:
        """Give the world all events, oldest first."""
        world.events.extend(sorted(self._events, key=lambda row: str(row["eventTimestamp"])))


_PLATFORM = Principal(object_id="", kind="ServicePrincipal", name="Azure")


def _method(operation: str) -> str:
    verb = operation.rsplit("/", 1)[1].lower()
    return {"write": "PUT", "delete": "DELETE"}.get(verb, "POST")


def creation_bodies(document: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request and response bodies of the PUT that created a resource, as the log keeps them."""
    properties: dict[str, Any] = document["properties"]
    kept: dict[str, Any] = {
        key: properties[key]
        for key in (
            "hardwareProfile",
            "priority",
            "osProfile",
            "creationData",
            "diskSizeGB",
            "orchestrationMode",
            "level",
            "roleDefinitionId",
            "principalId",
            "principalType",
        )
        if key in properties
    }
    request: dict[str, Any] = {key: document[key] for key in ("location", "tags", "sku", "kind") if key in document}
    response: dict[str, Any] = {"name": document["name"], "id": document["id"], "type": document["type"], **request}
    answered: dict[str, Any] = kept | {
        key: properties[key] for key in ("vmId", "uniqueId", "timeCreated") if key in properties
    }
    if "storageProfile" in properties:
        os_disk: dict[str, Any] = properties["storageProfile"]["osDisk"]
        answered["storageProfile"] = {"osDisk": {key: os_disk[key] for key in ("osType", "name", "deleteOption")}}
        answered["networkProfile"] = properties["networkProfile"]
    answered["provisioningState"] = "Creating"
    return request | {"properties": kept}, response | {"properties": answered}
