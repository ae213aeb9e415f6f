"""Service-health events: listed by date and kind, without the text of sensitive ones."""

from __future__ import annotations

from azure_simulator.services.resource_health.models import announce
from azure_simulator.world import World
from tests.unit.azure_simulator.business.conftest import Caller


def test_events_are_listed_by_date_and_kind(arm: Caller, world: World, scope: str) -> None:
    subscription = scope.rsplit("/", 1)[1]
    world.registered_providers.setdefault(subscription, set()).add("microsoft.resourcehealth")
    announce(world, subscription, "S1", kind="SecurityAdvisory", title="Odd sign-ins", summary="Who and where")
    world.clock.advance(3 * 86400)
    announce(world, subscription, "I1", kind="ServiceIssue", title="Slow disks", summary="In one region")
    events = f"{scope}/providers/Microsoft.ResourceHealth/events"
    assert [row["name"] for row in arm("GET", events).body["value"]] == ["S1", "I1"]
    late = f"{world.clock.now():%m/%d/%Y}"
    assert [row["name"] for row in arm("GET", f"{events}?queryStartTime={late}").body["value"]] == ["I1"]
    advisories = arm("GET", f"{events}?$filter=eventType eq 'SecurityAdvisory'").body["value"]
    assert [row["name"] for row in advisories] == ["S1"]
    assert "summary" not in advisories[0]["properties"]
    assert arm("GET", f"{events}/I1").body["properties"]["summary"] == "In one region"


def test_wrong_questions_are_refused(arm: Caller, world: World, scope: str) -> None:
    events = f"{scope}/providers/Microsoft.ResourceHealth/events"
    world.registered_providers.setdefault(scope.rsplit("/", 1)[1], set()).add("microsoft.resourcehealth")
    assert arm("GET", f"{events}?queryStartTime=2026-11-20").status == 400
    assert arm("GET", f"{events}?$filter=color eq 'red'").status == 400
    assert arm("GET", f"{events}/none").status == 404
