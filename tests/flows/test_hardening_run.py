"""A whole run of harden-subscription in this process: its gates are answered, and its report is one that a customer's administrator can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.world import World
from tests.flows.room_in_process import Ran, engine_room_of, go_on
from tests.support.hardened import P2, bare_world, state_of
from tests.support.inprocess import subscription_of


def alert_of(world: World) -> bytes:
    now = world.clock.now().isoformat()
    return json.dumps(
        {
            "id": "harden-1",
            "type": "hardening",
            "title": "Harden <b>Contoso</b>",
            "subscriptionId": subscription_of(world),
            "customerTenantId": world.tenant_id,
            "detectedDateTime": now,
        }
    ).encode()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, dict[str, Any], Ran]:
    world = bare_world(*P2)
    world.directory_rules = False
    before = state_of(world)
    with engine_room_of(world, tmp_path_factory.mktemp("hardened") / "home") as room:
        from firebreak.model.mode import Mode

        opened = room.open(
            alert_of(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="harden-subscription"
        )
        return world, before, go_on(room, world, opened.incident.id, decide=lambda _question: "approve")


def test_a_whole_run_sets_what_is_missing(ran: tuple[World, dict[str, Any], Ran]) -> None:
    world, before, done = ran
    assert done.state == "done", done.json["note"]
    assert state_of(world) != before
    assert {row["state"] for row in done.json["actions"]} == {"done"}
    stages = {row["stage"] for row in done.json["actions"]}
    assert stages == {"be-told", "sign-ins", "defender"}


def test_the_report_tells_the_findings_first_and_escapes_names(ran: tuple[World, dict[str, Any], Ran]) -> None:
    _, _, done = ran
    files = done.json["report"]
    page = Path(files["html"]).read_text(encoding="utf-8")
    assert page.index("What is wrong") < page.index("What is in order")
    assert "What protects the subscription Contoso Production" in page
    assert "<b>Contoso</b>" not in page
    assert "better: Somebody is told when a role on the subscription is given" in page
    told = json.loads(Path(files["json"]).read_text(encoding="utf-8"))
    by_id = {check["id"]: check for check in told["checks"]}
    assert by_id["alert-rule:role-given"]["status"] == "pass"
    assert by_id["second-factor"]["status"] == "fail"  # it only reports: nobody is asked yet
    assert set(told["counts"]) == {"fail", "not looked at", "pass"}
    for word in ("action group", "secure score", "quota"):
        assert f"<dt>{word}</dt>" in page
    assert {item["guidance"] for item in told["todo"]} >= {"S69", "S74", "S75", "S81", "S84", "S85"}
