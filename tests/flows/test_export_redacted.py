"""`incidents export --redact` of a whole run: the same plans up to the mapping, and no planted name or secret in the bundle, however it is spelled."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from azure_simulator import AsgiApp
from azure_simulator.world import World
from firebreak.bundle import open_bundle
from firebreak.clients.inprocess import in_process
from firebreak.model.plan import Plan
from firebreak.replay import Point, stage_replay
from flows.replay import replay
from tasks.registry import load_steps
from tests.flows.room_in_process import PeopleAnswer, engine_room_of, respond_in
from tests.support.canaries import Canaries
from tests.support.console import calling
from tests.support.inprocess import SimulatedToken, responder
from tests.support.planted import PLAYBOOK, Planted, small_world
from tests.support.recorded import files_in, truth_of
from tests.support.redacted import found_again, isomorphic, spelled

pytestmark = pytest.mark.timeout(600)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
MAIL, PERSON, ADDRESS = "ann.kestrelcanary@kestrel-canary.example", "Ann van Kestrelcanary", "151.20.33.47"
NAMES = {
    "mail address": MAIL,
    "person": PERSON,
    "person in base64": base64.b64encode(PERSON.encode()).decode(),
    "person in an address": quote(f"https://kestrel-canary.example/{PERSON}", safe=""),
    "person in capitals": PERSON.upper(),
    "address": ADDRESS,
    "subscription": "Kestrelcanary Holding (production)",
    "approver's reason": "Kestrelcanary on the phone",
}


def plant(world: World) -> None:
    """The names, in tags, JSON within tags, the activity log and the subscription."""
    for number, document in enumerate(world.resources.values()):
        tags = document.setdefault("tags", {})
        tags["kestrelcanary-owner"] = MAIL if number % 2 else PERSON
        tags["coded"] = NAMES["person in base64"] if number % 2 else NAMES["person in an address"]
        tags["note"] = json.dumps({"for": PERSON.upper(), "from": ADDRESS})
    for document in world.subscriptions.values():
        document["displayName"] = NAMES["subscription"]
    for event in world.events[::3]:
        event.setdefault("properties", {})["message"] = f"asked by {MAIL} at {ADDRESS}"


def plans_of(bundle: Path) -> dict[Point, Plan]:
    with open_bundle(bundle) as opened, stage_replay(opened, load_steps()) as staged:
        dossier = asyncio.run(replay(staged, lambda _: None))
        assert list(staged.missing) == []
        return {Point(plan.stage, plan.round): plan for plan in dossier.plans}


@pytest.mark.slow
def test_an_exported_run_holds_no_name_and_gives_the_same_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world, home = small_world("crypto-mining", NOW), tmp_path / "home"
    cloud, acting = Planted(world), responder(world)
    plant(world)
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / "small.yaml").write_text(PLAYBOOK)
    (tmp_path / "expected.yaml").write_bytes(truth_of(world))
    with engine_room_of(world, home) as opened:
        app = cloud.around(AsgiApp(world))
        room = replace(
            opened,
            transport=in_process(
                app, credential=lambda tenant: SimulatedToken(world, acting, tenant or world.tenant_id)
            ),
        )

        def people(*given: Any) -> PeopleAnswer:
            return PeopleAnswer(*given, reason=NAMES["approver's reason"])

        ran = respond_in(room, world, cloud.alert(), runtime=people)
        monkeypatch.setenv("FIREBREAK_DATABASE_URL", room.settings.database_url)
        monkeypatch.setenv("FIREBREAK_EVIDENCE_URL", room.settings.evidence_url)
    monkeypatch.chdir(tmp_path)
    firebreak = calling(monkeypatch, capsys)
    export = ("incidents", "export", ran.incident, "--expected", "expected.yaml", "--json")
    assert firebreak(*export, "--out", "plain.zip")[0] == 0
    code, out, err = firebreak(*export, "--out", "shared.zip", "--redact", "--mapping", "who-is-who.json")
    assert code == 0, out + err
    told = json.loads(out)
    assert (told["same_plans"], told["differs"]) == (True, [])
    assert told["replaced"]["words"] > 100

    plain, shared = files_in(tmp_path / "plain.zip"), files_in(tmp_path / "shared.zip")
    assert missing_in(plain) == []
    for name, content in shared.items():
        for text in spelled(content):
            assert "kestrel" not in text.casefold(), name
    found = Canaries({**NAMES, **cloud.secrets()})
    for name, content in shared.items():
        found.look(name, content)
    assert found.found == []
    assert found_again(plain, shared, set(told["names_left"])) == []

    mapping = json.loads((tmp_path / "who-is-who.json").read_bytes())
    assert isomorphic(plans_of(tmp_path / "plain.zip"), plans_of(tmp_path / "shared.zip"), mapping) > 20


def missing_in(files: dict[str, bytes]) -> list[str]:
    """The planted names that the original does not hold: what was never there could not be found again."""
    whole = b"\n".join(files.values())
    return [what for what, name in NAMES.items() if name.encode() not in whole]
