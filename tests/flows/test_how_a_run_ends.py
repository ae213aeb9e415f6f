"""A run is never "done" while the attacker's machines run: whose decision that was says how it ends, and a new run looks again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from azure_simulator.app import call_as, empty_world
from azure_simulator.faults import Fault
from azure_simulator.world import World
from firebreak.approval import Answer
from firebreak.engine import Engine, EngineRoom, Question, gather
from firebreak.model.alert import Alert, Incident
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class, Inventory, Judgement
from firebreak.model.mode import Mode
from firebreak.model.playbook import NO_LIMITS, Gate, GuardRails, Playbook, Stage
from firebreak.report.todo import all_items
from flows.course import respond_to
from tasks.arm import COMPUTE
from tests.flows.room_in_process import People, PeopleAnswer, engine_room_of, writes
from tests.support.inprocess import subscription_of

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
READS = ("investigate.subscription", "investigate.access", "investigate.inventory", "investigate.attribution")
STOP = "contain.deallocate_machines"
RIGS = ("rig-1", "rig-2", "rig-kept")  # the last is protected by a tag


@dataclass
class Estate:
    world: World
    room: EngineRoom
    rigs: tuple[str, ...]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        owner = next(p.object_id for p in self.world.principals.values() if p.kind == "User")
        answer = call_as(self.world, owner, method, f"{path}?api-version={COMPUTE}", body)
        assert answer.status < 300, answer.body
        self.world.settle()

    def id_of(self, name: str) -> str:
        return f"/subscriptions/{subscription_of(self.world)}/resourceGroups/rigs/providers/Microsoft.Compute/virtualMachines/{name}"

    def running(self) -> list[str]:
        self.world.settle()
        rows = self.world.resources.of_type("Microsoft.Compute/virtualMachines")
        return sorted(str(row["name"]) for row in rows if row.get("_power", "running") != "deallocated")


def estate(home: Path, *names: str) -> Iterator[Estate]:
    """A subscription with the attacker's machines, and steps that know whose they are."""
    world = empty_world(NOW)

    def judge(case: Case) -> Attribution:
        found = [m.id for m in case[Inventory].machines]
        return Attribution(
            resources=tuple(Judgement(id=i, cls=Class.ATTACKER, score=90) for i in found), verdict="fraud"
        )

    with engine_room_of(world, home) as room:
        loaded = room.steps["investigate.attribution"]
        told = msgspec.structs.replace(loaded, collect=None, conclude=judge, assess=None)
        found = Estate(world, replace(room, steps={**room.steps, "investigate.attribution": told}), names)
        group = f"/subscriptions/{subscription_of(world)}/resourceGroups/rigs"
        found.call("PUT", group, {"location": "westeurope"})
        for name in names:
            tags = {"keep": "yes"} if name == "rig-kept" else {}
            body = {
                "location": "westeurope",
                "tags": tags,
                "properties": {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}, "priority": "Spot"},
            }
            found.call("PUT", found.id_of(name), body)
        yield found


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Estate]:
    yield from estate(tmp_path / "home", *RIGS)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Estate]:
    yield from estate(tmp_path / "home", *RIGS[:2])


@dataclass
class Answering(PeopleAnswer):
    """People who leave out what is named so."""

    leave_out: str = "nothing"

    async def ask(self, question: Question) -> None:
        self.asked.append(question)
        out = tuple(a.id for a in question.plan.actions if a.target.endswith(self.leave_out))
        self.room.desk.answer(
            question.view.id,
            Answer(
                approver="ada@contoso.example",
                code=self.people.code("ada@contoso.example"),
                decision=self.decide(question),
                plan_digest=question.plan.digest,
                reason="exercise",
                leave_out=out,
                confirm=question.view.confirm,
            ),
            ask=question.view.ask,
        )


@dataclass(frozen=True)
class Run:
    state: str
    note: str
    left: str  # what the list of what is left to people says of machines that run


def opened(found: Estate, *, steps: tuple[str, ...] = (STOP,), is_test: bool = False, mode: Mode = Mode.LIVE) -> str:
    gate = Gate(id="contain", title="Contain", approvers=("responder",), optional=True)
    playbook = Playbook(
        id="rigs",
        version="1",
        title="Rigs",
        description="",
        applies_to=("cryptoMining",),
        stages=(
            Stage(id="investigate", title="Look", steps=READS),
            *([Stage(id="contain", title="Contain", steps=steps, gate=gate.id)] if steps else []),
        ),
        gates={gate.id: gate},
        guard_rails=GuardRails(limits=NO_LIMITS, protected_tags=("keep",)),
    )
    alert = Alert(
        id="a",
        source="file",
        type="cryptoMining",
        title="Rigs",
        severity="high",
        subscription_id=subscription_of(found.world),
        customer_tenant_id=found.world.tenant_id,
        detected_at=NOW,
        is_test=is_test,
    )
    incident = Incident(
        id="INC-0000d1ed",
        case="INC-0000d1ed",
        alert=alert,
        playbook="rigs",
        mode=mode,
        opened_at=NOW,
        requested_by="intake",
    )
    found.room.store.incidents.add(incident, raw_alert_digest="")
    found.room.store.values.set(incident.id, "playbook", msgspec.to_builtins(playbook))
    return incident.id


def run(
    found: Estate, incident: str, *, leave_out: str = "nothing", decide: Callable[[Question], str] | None = None
) -> Run:
    runtime = Answering(
        found.room, People(found.world), leave_out=leave_out, decide=decide or (lambda _question: "approve")
    )

    async def course() -> str:
        async with found.room.connect(incident) as clouds:
            return await respond_to(Engine(found.room, incident, clouds, run_id="test"), runtime)

    state = asyncio.run(course())
    row = found.room.store.incidents.row(incident)
    assert row.state == state
    dossier = gather(
        Engine(found.room, incident, None, run_id=""), int(found.room.store.values.get(incident, "last-round"))
    )
    return Run(state, row.note, "\n".join(item.text for item in all_items(dossier) if item.measured))


def test_when_everything_is_stopped_the_run_is_done(two: Estate) -> None:
    ended = run(two, opened(two))
    assert two.running() == []
    assert (ended.state, ended.note, ended.left) == ("done", "", "")


def test_what_a_guard_rail_leaves_running_fails_the_run_until_a_new_look_sees_it_stopped(three: Estate) -> None:
    incident = opened(three)
    ended = run(three, incident)
    assert three.running() == ["rig-kept"]
    assert ended.state == "failed"
    assert "still runs and is billed (1)" in ended.note
    assert "rig-kept" in ended.left
    assert "It was left alone: Protected" in ended.left
    again = run(three, incident)
    assert (again.state, three.running()) == ("failed", ["rig-kept"])
    three.call("POST", f"{three.id_of('rig-kept')}/deallocate")
    sent = len(writes(three.world))
    assert run(three, incident) == Run("done", "", "")
    assert len(writes(three.world)) == sent


def test_nothing_could_be_proposed_and_the_run_is_not_done(tmp_path: Path) -> None:
    for found in estate(tmp_path / "home", "rig-kept"):
        incident = opened(found)
        assert run(found, incident).state == "failed"
        assert writes(found.world) == []
        found.call("POST", f"{found.id_of('rig-kept')}/deallocate")
        assert run(found, incident).state == "done"


def test_what_people_leave_out_stops_the_run_and_says_so(two: Estate) -> None:
    ended = run(two, opened(two), leave_out="rig-2")
    assert two.running() == ["rig-2"]
    assert ended.state == "stopped"
    assert "still runs and is billed (1)" in ended.note
    assert "People left it out at a gate." in ended.note
    assert "rig-2" in ended.left


def test_what_people_pass_over_stops_the_run(two: Estate) -> None:
    ended = run(two, opened(two), decide=lambda _question: "skip")
    assert two.running() == ["rig-1", "rig-2"]
    assert ended.state == "stopped"
    assert writes(two.world) == []


def test_what_was_left_out_excuses_nothing_else(three: Estate) -> None:
    assert run(three, opened(three), leave_out="rig-2").state == "failed"
    assert three.running() == ["rig-2", "rig-kept"]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({"steps": ()}, id="a playbook that only looks"),
        pytest.param({"is_test": True}, id="a test alert"),
        pytest.param({"mode": Mode.DRY_RUN}, id="a dry run"),
    ],
)
def test_a_run_that_is_to_stop_nothing_ends_as_done_and_says_what_runs(two: Estate, kind: dict[str, Any]) -> None:
    ended = run(two, opened(two, **kind))
    assert ended.state == "done"
    assert "still runs and is billed (2)" in ended.note
    assert writes(two.world) == []


def test_the_note_names_what_did_not_end_well_by_its_kind(two: Estate) -> None:
    refusal = Fault(method="POST", url="/rig-1/deallocate", kind="status", status=409, code="OperationNotAllowed")
    two.world.faults.append(refusal)
    ended = run(two, opened(two))
    assert two.running() == ["rig-1"]
    assert ended.note.startswith("1 of 2 actions did not end well: Deallocate machine (1); the report says why.")


def test_an_unread_last_look_is_not_taken_for_an_empty_subscription(three: Estate) -> None:
    incident = opened(three)
    assert run(three, incident).state == "failed"
    engine = Engine(three.room, incident, None, run_id="")
    last = max(engine.rounds())
    # A later look of which nothing was kept: the one before counts, without what was stopped.
    three.room.store.steps.begin(incident, last + 1, "investigate", "investigate.inventory")
    assert engine.end_state(last + 1) == "failed"
    note = engine.closing_note("failed", last + 1)
    assert "is billed (1)" in note
