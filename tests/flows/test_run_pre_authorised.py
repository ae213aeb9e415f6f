"""A whole run whose containment goes without people, and one where somebody wrote to the database to get that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.approval import GateDesk
from firebreak.approval.pre_authorised import switch_name
from firebreak.engine import Engine, EngineRoom, Question, gather
from firebreak.model.mode import Mode
from firebreak.report.markdown import report_markdown
from flows.course import respond_to
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of, writes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
STEPS = "contain.block_creation, contain.disable_autoscale, contain.deallocate_machines, contain.deallocate_scale_sets"


def own_playbook(home: Path) -> None:
    """The shipped playbook, which pre-authorises containment and lets it go before the gate about accounts."""
    text = (Path(__file__).parents[2] / "playbooks" / "compromised-subscription.yaml").read_text()
    key = f"expires_after: 4h\n    pre_authorised: {{steps: [{STEPS}], min_score: 75, goes_first: true}}"
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / "compromised-subscription.yaml").write_text(text.replace("expires_after: 4h", key, 1))


def switched_on(room: EngineRoom) -> EngineRoom:
    playbook = room.playbook("compromised-subscription")
    name = switch_name(playbook.id, playbook.digest)
    return replace(room, desk=GateDesk(room.store, room.approvers, room.audit, room.clock, [name]))


@dataclass
class Intruder(PeopleAnswer):
    """Writes to the database as soon as attribution is known: more surely the attacker's than the engine found."""

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await work()
        if name == self.room.steps["investigate.attribution"].step.title:
            with self.room.store.write() as tx:
                changed = tx.exec_driver_sql(
                    "UPDATE facts SET body = replace(body, '\"score\":80', '\"score\":95') "
                    "WHERE step = 'investigate.attribution'"
                )
                assert changed.rowcount == 1


def run(room: EngineRoom, world: World, runtime: PeopleAnswer) -> str:
    opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake")

    async def course() -> str:
        async with room.connect(opened.incident.id) as clouds:
            return await respond_to(Engine(room, opened.incident.id, clouds, run_id="test"), runtime)

    assert asyncio.run(course()) == "stopped"
    return opened.incident.id


def reject(_question: Question) -> str:
    return "reject"


def skip_or_reject(question: Question) -> str:
    return "skip" if question.view.optional else "reject"


def test_containment_goes_without_people_and_what_cannot_be_undone_asks_them(tmp_path: Path) -> None:
    world = build("service-principal-abuse", seed=7, now=NOW)
    own_playbook(tmp_path)
    with engine_room_of(world, tmp_path) as opened:
        room = switched_on(opened)
        runtime = PeopleAnswer(room, People(world), reject)
        incident = run(room, world, runtime)
        dossier = gather(Engine(room, incident, None, run_id=""), 2)
        kinds = [record.kind for record in room.audit.records(incident)]
    sent = [row.url.split("?")[0].rsplit("/", 1)[-1] for row in writes(world)]
    assert sent.count("deallocate") + sent.count("bulkDeallocate") > 0
    assert not [row for row in writes(world) if row.method == "DELETE"]
    assert runtime.asked[0].view.stage == "close-doors"
    assert kinds.count("gate.pre_authorised") == 1
    assert all(held for _, _, held in dossier.promises)
    report = report_markdown(dossier)
    assert "**Nobody was asked** at" in report
    assert "rejected" in report
    assert any("NOBODY WAS ASKED" in text for text in runtime.said)


def test_facts_that_somebody_wrote_into_the_database_leave_nobody_out(tmp_path: Path) -> None:
    world = build("service-principal-abuse", seed=7, now=NOW)
    own_playbook(tmp_path)
    with engine_room_of(world, tmp_path) as opened:
        room = switched_on(opened)
        runtime = Intruder(room, People(world), skip_or_reject)
        incident = run(room, world, runtime)
        because = [r.data["because"] for r in room.audit.records(incident) if r.kind == "gate.not_pre_authorised"]
    # The playbook's order, and at the machines' gate people as well.
    assert [question.view.stage for question in runtime.asked] == ["close-doors", "contain"]
    assert "not made by this engine" in because[0]
    assert writes(world) == []
