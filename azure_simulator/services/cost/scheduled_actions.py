"""Scheduled actions: mails on a schedule and the anomaly alert rule (`InsightAlert`). They only mail; nothing is stopped."""

from __future__ import annotations

from typing import Any

from azure_simulator.http import ArmError, Request
from azure_simulator.world import Document, World

KINDS = ("Email", "InsightAlert")
ANOMALY_VIEW = "ms:DailyAnomalyByResourceGroup"


def checked(world: World, request: Request, identity: str, scope: str, before: Document | None) -> Document:
    """The document to store for a PUT.

    Raises:
        ArmError: 400 for a missing or unknown field, 412 for an eTag that is no longer current.
    """
    body = request.json()
    properties = body.get("properties") if isinstance(body, dict) else None
    if not isinstance(properties, dict):
        raise _bad("The request body must have 'properties'.")
    kind = next((k for k in KINDS if k.lower() == str(body.get("kind", "")).lower()), None)
    if kind is None:
        raise _bad(f"Invalid kind: '{body.get('kind')}'; valid values: Email, InsightAlert.")
    for name in ("displayName", "viewId", "status"):
        _require(properties.get(name), f"properties.{name}")
    if properties["status"] not in ("Enabled", "Disabled"):
        raise _bad(f"Invalid properties.status: '{properties['status']}'.")
    schedule, notification = properties.get("schedule") or {}, properties.get("notification") or {}
    for name in ("frequency", "startDate", "endDate"):
        _require(schedule.get(name), f"properties.schedule.{name}")
    for name in ("to", "subject"):
        _require(notification.get(name), f"properties.notification.{name}")
    view = str(properties["viewId"])
    if kind == "InsightAlert":
        if schedule["frequency"] != "Daily":
            raise _bad("An InsightAlert runs daily: properties.schedule.frequency must be 'Daily'.")
        if not view.lower().endswith(f"/views/{ANOMALY_VIEW}".lower()):
            raise _bad(f"An InsightAlert needs the view '{ANOMALY_VIEW}', not '{view}'.")
    given = str(body.get("eTag") or request.headers.get("if-match") or "")
    if given and given != "*" and (before is None or given != before["eTag"]):
        raise ArmError(
            412, "PreconditionFailed", "The eTag does not match the current version of the scheduled action."
        )
    version = int(before["_version"]) + 1 if before else 1
    return {
        "id": identity,
        "name": identity.rsplit("/", 1)[1],
        "type": "Microsoft.CostManagement/scheduledActions",
        "kind": kind,
        "eTag": f'"{world.chance.child(f"{identity.lower()}/{version}").guid()}"',
        "properties": properties | {"scope": scope},
        "_version": version,
    }


def _require(value: Any, name: str) -> None:
    if not value:
        raise _bad(f"'{name}' is required.")


def _bad(message: str) -> ArmError:
    return ArmError(400, "BadRequest", message)
