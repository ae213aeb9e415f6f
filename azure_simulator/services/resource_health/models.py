"""Events of service health: `announce` puts one into a world, as Microsoft would tell the customer."""

from __future__ import annotations

from datetime import datetime

from azure_simulator.clock import stamp
from azure_simulator.world import Document, World

EVENTS = "resource_health.events"
KINDS = ("ServiceIssue", "PlannedMaintenance", "HealthAdvisory", "SecurityAdvisory", "RCA", "EmergingIssues", "Billing")


def announce(world: World, subscription: str, name: str, *, kind: str, title: str, summary: str = "") -> Document:
    """Add an event of one of `KINDS` that begins now. A security advisory is sensitive: its summary is left out of lists."""
    assert kind in KINDS, kind
    now = stamp(world.clock.now())
    document: Document = {
        "id": f"/subscriptions/{subscription}/providers/Microsoft.ResourceHealth/events/{name}",
        "name": name,
        "type": "/providers/Microsoft.ResourceHealth/events",
        "properties": {
            "eventType": kind,
            "eventSource": "ServiceHealth",
            "eventLevel": "Warning",
            "status": "Active",
            "title": title,
            "summary": summary,
            "header": "Your subscription may be affected",
            "impactStartTime": now,
            "lastUpdateTime": now,
            "priority": 10,
            "isEventSensitive": kind == "SecurityAdvisory",
            "impact": [],
        },
    }
    world.table(EVENTS)[document["id"]] = document
    return document


def updated_since(document: Document, start: datetime) -> bool:
    return datetime.fromisoformat(str(document["properties"]["lastUpdateTime"])[:19] + "+00:00") >= start


def shown(document: Document) -> Document:
    """The event as lists have it: without the text of a sensitive one."""
    if not document["properties"]["isEventSensitive"]:
        return document
    return document | {"properties": {k: v for k, v in document["properties"].items() if k != "summary"}}
