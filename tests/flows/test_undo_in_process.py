"""Undo after a whole response against the embedded Azure: judged by the simulator's state and request log, not by our own records."""

from __future__ import annotations

import asyncio
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from azure_simulator import build
from azure_simulator.truth import score
from azure_simulator.world import LoggedRequest, World
from firebreak.engine import Engine, EngineRoom, Question, Undo, Undoing, gather
from firebreak.engine.undoing import begin_undo
from firebreak.errors import ApprovalError, GuardRailError
from firebreak.model.mode import Mode
from firebreak.report.dossier import Dossier, run_json
from firebreak.report.html import report_html
from firebreak.report.markdown import report_markdown
from flows.course import respond_to
from flows.undo_course import take_back
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of, writes
from tests.support.playbooks import small_playbook

pytestmark = pytest.mark.timeout(420)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
ASKS = "grace@contoso.example"  # she is an approver, too, and may not approve what she asked for
PLAYBOOK = small_playbook("small")

State = dict[str, dict[str, dict[str, Any]]]


class KilledError(BaseException):
    """The process is gone, with requests in the air."""


@dataclass
class Run:
    """One undo: how it ended, what was asked, what the simulator was asked to change meanwhile."""

    state: str
    asked: list[Question]
    written: list[LoggedRequest]


@dataclass
class Story:
    """A response and the undos that followed, in order."""

    world: World
    room: EngineRoom
    incident: str
    before: State
    responded: State
    runs: dict[str, Run] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def dossier(self) -> Dossier:
        engine = Engine(self.room, self.incident, None, run_id="")
        return gather(engine, int(self.room.store.values.get(self.incident, "last-round")))


def state_of(world: World) -> State:
    tables = {"resources": world.resources, "roles": world.role_assignments, "locks": world.locks}
    tables["policies"] = world.policy_assignments
    return copy.deepcopy({name: {key.lower(): dict(row) for key, row in t.items()} for name, t in tables.items()})


def small_world() -> World:
    """The mining attack with a shorter log and no price list: its investigation takes seconds of work, not half a minute."""
    world = build("crypto-mining", seed=7, now=NOW)
    callers = tuple(str(attacker["caller"]) for attacker in world.truth["attackers"])
    world.events = [e for n, e in enumerate(world.events) if e.get("caller") in callers or n % 25 == 0]
    world.prices = []
    return world


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world, home = small_world(), tmp_path_factory.mktemp("undo")
    (home / "playbooks").mkdir()
    (home / "playbooks" / "small.yaml").write_text(PLAYBOOK)
    people, before = People(world), state_of(world)
    with engine_room_of(world, home) as room:
        incident = room.open(
            alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="small"
        ).incident.id
        assert asyncio.run(_respond(room, incident, people)) == "done"
        told = Story(world, room, incident, before, state_of(world))
        told.runs["plain"] = undo(told, people)
        told.states["plain"] = state_of(world)
        told.runs["again"] = undo(told, people)
        killed, start = _dying(told, after=8), len(world.requests)
        with pytest.raises(KilledError):
            undo(told, people, room=killed, include_attacker=True)
        told.runs["killed"] = Run("killed", [], writes(world, start))
        room.store.incidents.set_state(incident, "executing")
        with pytest.raises(GuardRailError) as refused:
            undo(told, people)
        told.refusals["running"] = str(refused.value)
        room.store.incidents.set_state(incident, "done")
        resumed = undo(told, people)
        told.runs["everything"] = replace(resumed, written=writes(world, start))
        told.states["everything"] = state_of(world)
        told.runs["everything again"] = undo(told, people, include_attacker=True)
        told.runs["undo undone"] = undo(told, people, stages=("undo",))
        told.states["undo undone"] = state_of(world)
        yield told


async def _respond(room: EngineRoom, incident: str, people: People) -> str:
    async with room.connect(incident) as clouds:
        return await respond_to(Engine(room, incident, clouds, run_id="test"), PeopleAnswer(room, people))


def _wanted(room: EngineRoom, **choice: Any) -> Undo:
    return Undo(number=0, requested_by=ASKS, asked_at=room.clock(), **choice)


def undo(told: Story, people: People, *, room: EngineRoom | None = None, **choice: Any) -> Run:
    """Ask for an undo, or go on with the one that is open, as a new process would."""
    here = room or told.room
    runtime, start = _AskerIsRefused(here, people), len(told.world.requests)

    async def course() -> str:
        async with here.connect(told.incident) as clouds:
            engine = Engine(here, told.incident, clouds, run_id=f"undo-{start}")
            return await take_back(Undoing(engine, begin_undo(engine, _wanted(here, **choice))), runtime)

    return Run(asyncio.run(course()), runtime.asked, writes(told.world, start))


class _AskerIsRefused(PeopleAnswer):
    """Whoever asked for the undo tries to approve it first; then somebody else does."""

    async def ask(self, question: Question) -> None:
        if question.view.ask == 1:
            self.people.seeds = dict(sorted(self.people.seeds.items(), key=lambda pair: pair[0] != ASKS))
            with pytest.raises(ApprovalError) as refused:
                await super().ask(question)
            assert refused.value.reason == "requester"
            self.people.seeds = dict(sorted(self.people.seeds.items()))
            return
        await super().ask(question)


def _dying(told: Story, *, after: int) -> EngineRoom:
    start, sleep = len(told.world.requests), told.room.sleep

    async def die(seconds: float) -> None:
        if len(writes(told.world, start)) >= after:
            raise KilledError
        await sleep(seconds)

    return replace(told.room, sleep=die)


def differences(before: State, after: State) -> dict[str, set[str]]:
    """Every document that differs, as table/name, with the paths that do; a missing or new one has the path "absent" or "new"."""
    found: dict[str, set[str]] = {}
    for table, rows in before.items():
        for key in rows.keys() | after[table].keys():
            name = f"{table} {key.rsplit('/', 1)[-1]}"
            if key not in after[table]:
                found[name] = {"absent"}
            elif key not in rows:
                found[name] = {"new"}
            elif paths := set(_paths(rows[key], after[table][key])):
                found[name] = paths
    return found


def _paths(one: Any, other: Any, at: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from _paths(one.get(key), other.get(key), f"{at}.{key}" if at else str(key))
    elif one != other:
        yield at


def test_what_is_the_customers_is_given_back_and_the_attackers_stays_away(story: Story) -> None:
    run = story.runs["plain"]
    assert run.state == "done"
    assert [(row.method, row.status) for row in run.written] == [("DELETE", 200)]
    assert "/policyassignments/firebreak-" in run.written[0].url.lower()
    assert not [k for k in story.states["plain"]["policies"] if "/firebreak-" in k]
    truth = score(story.world)
    assert truth["protected_touched"] == truth["legitimate_stopped"] == []
    (question, *_) = run.asked
    assert "it is not given back unless somebody asks for it" in question.page
    assert question.view.confirm == ""


def test_a_second_undo_writes_nothing_and_asks_nobody(story: Story) -> None:
    for name in ("again", "everything again"):
        run = story.runs[name]
        assert (run.state, run.asked, run.written) == ("nothing", [], [])


def test_undo_killed_in_the_middle_and_resumed_sends_nothing_twice(story: Story) -> None:
    assert len(story.runs["killed"].written) >= 8
    run = story.runs["everything"]
    assert run.state == "done"
    assert len(run.written) > len(story.runs["killed"].written)
    sent = Counter((row.method, row.url.split("?")[0].lower()) for row in run.written)
    assert {request: times for request, times in sent.items() if times > 1} == {}
    assert {row.status // 100 for row in run.written} == {2}


def test_undoing_everything_brings_the_subscription_back_to_what_it_was(story: Story) -> None:
    """All that may differ is named here with its reason; the gate named the first two."""
    new_to_azure = {"properties.uniqueId", "properties.timeCreated", "_created"}  # a disk made again is another disk
    from_snapshot = {"properties.creationData"}  # it says of itself that it was made from the snapshot
    handled = {"properties.LastOwnershipUpdateTime"}  # when it was last attached or detached
    granted_anew = {  # Azure says of a grant when and by whom it was made
        f"properties.{name}" for name in ("createdOn", "updatedOn", "createdBy", "updatedBy")
    }
    assert differences(story.before, story.responded)  # or the test shows nothing
    for name, paths in differences(story.before, story.states["everything"]).items():
        table, _, leaf = name.partition(" ")
        if table == "resources" and leaf.startswith("firebreak-"):
            assert paths == {"new"}, name  # evidence snapshots stay
        elif table == "resources" and "disk" in leaf:
            left = {p for p in paths if not p.startswith(tuple(from_snapshot))}
            assert left <= new_to_azure | handled, (name, left)
        elif leaf.endswith("-autoscale"):
            assert paths == {"_watching"}  # the simulator's own note of when it looks at the setting again
        elif table == "locks":
            assert paths == {"_created", "systemData.createdAt"}  # a lock made again is younger
        elif table == "roles":
            assert paths <= granted_anew, (name, paths)
        else:
            raise AssertionError((name, paths))


def test_nothing_is_started_that_was_not_running(story: Story) -> None:
    started = {row.url.split("/start?")[0].lower() for row in story.runs["everything"].written if "/start?" in row.url}
    assert started
    for target in started:
        resource = next(row for key, row in story.before["resources"].items() if target.endswith(key))
        assert resource.get("_power", "running") == "running"


def test_the_gate_says_to_whom_each_action_gives_and_asks_for_the_subscription_in_letters(story: Story) -> None:
    question = story.runs["everything"].asked[0] if story.runs["everything"].asked else None
    plans = [p for p in story.dossier().plans if p.stage == "undo" and p.gives_back_to_attacker]
    assert plans
    assert {a.params["gives_back_to"] for p in plans for a in p.actions} == {"attacker"}
    assert question is None  # approved before the process died: nobody is asked again
    view = story.room.desk.view(f"{story.incident}.undo.3")
    assert view.confirm == story.dossier().incident.subscription_id
    assert [a.approver for a in view.approvals] == ["ada@contoso.example"]


def test_an_undo_can_be_undone_and_blocks_creation_before_it_stops_machines(story: Story) -> None:
    run = story.runs["undo undone"]
    assert run.state == "done"
    order = [row.url.lower() for row in run.written]
    block = next(i for i, url in enumerate(order) if "/policyassignments/" in url)
    stop = next(i for i, url in enumerate(order) if "/deallocate" in url)
    assert block < stop
    machines = [key for key in story.before["resources"] if "/virtualmachines/" in key]
    powers = {key: story.states["undo undone"]["resources"][key].get("_power") for key in machines}
    assert powers == {key: story.responded["resources"][key].get("_power") for key in machines}


def test_a_response_that_has_not_ended_is_not_undone(story: Story) -> None:
    assert "has not ended" in story.refusals["running"]
    assert "firebreak gates list" in story.refusals["running"]


def test_report_and_json_say_what_was_undone(story: Story) -> None:
    dossier = story.dossier()
    undos = run_json(dossier)["undo"]
    assert [u["state"] for u in undos] == ["done", "nothing", "done", "nothing", "done"]
    assert {u["requested_by"] for u in undos} == {ASKS}
    by_id = {row.action.id: row for row in dossier.actions}
    for entry in undos[0]["actions"]:
        assert all(by_id[origin].stage == "contain" for origin in entry["undoes"])
    page = report_markdown(dossier)
    assert "## Undone" in page
    assert "evidence snapshot stays" in page
    assert "<h2>Undone</h2>" in report_html(dossier)
    assert [name for name, _, held in dossier.promises if not held] == []


def test_what_the_journal_keeps_before_a_write_is_enough_for_its_inverse(story: Story) -> None:
    """P7: every action of the response that an undo says it takes back did so from what was saved before its own write."""
    from firebreak.execution import Journal

    rows = Journal(story.room.store, story.room.audit, story.room.clock).rows(story.incident)
    for row in rows:
        undo_of = story.room.steps[row.action.step].undo
        assert undo_of is not None
        assert undo_of(row.action, row.prior) is not None or row.action.irreversible_because, row.action.kind


def test_the_report_files_are_written_anew(story: Story) -> None:
    files = story.dossier().report_files
    assert "## Undone" in Path(files["markdown"]).read_text()
