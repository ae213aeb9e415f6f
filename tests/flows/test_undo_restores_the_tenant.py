"""Undo of a whole response gives the tenant back as it was, but for what the gates had named as not reversible: judged by the simulator's state."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.engine import Engine, EngineRoom, Question, Undo, Undoing, gather
from firebreak.engine.undoing import begin_undo
from firebreak.model.mode import Mode
from firebreak.model.plan import UNDO
from firebreak.model.step import Effect
from firebreak.report.dossier import Dossier, run_json
from flows.undo_course import take_back
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of, go_on
from tests.support.whole_response import NAME, whole_response

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
# What changes by itself, or says when something was last written: of no consequence to anybody.
_BY_ITSELF = frozenset(
    {
        *(
            "etag",
            "changedTime",
            "_changed",
            "_operation",
            "_watching",
            "_conflict",
            "LastOwnershipUpdateTime",
            "systemData",
        ),
        *(
            "createdOn",
            "updatedOn",
            "createdBy",
            "updatedBy",
            "modifiedDateTime",
            "createdTime",
            "_created",
            "timeCreated",
            "_start",  # since when a role is held, or may be taken up: who gets it again has it from then on
        ),
    }
)
# Logs, and what is worked out anew each time.
_NOT_STATE = ("graph.directoryAudits", "graph.signIns", "graph.riskDetections", "graph.riskyUsers")

State = dict[str, dict[str, Any]]


@dataclass
class Story:
    """A whole response, its undo, and the world's state before both and after."""

    scenario: str
    before: State
    after: State
    dossier: Dossier
    asked: list[Question]
    state: str


def state_of(world: World) -> State:
    """Everything that stands in the tenant and in Azure, by table and key."""
    tables = {
        "resources": world.resources,
        "groups": world.groups,
        "role definitions": world.role_definitions,
        "role assignments": world.role_assignments,
        "locks": world.locks,
        "policy assignments": world.policy_assignments,
        "quotas": world.quotas,
        "blobs": world.blobs,
        **{name: table for name, table in world.tables.items() if name not in _NOT_STATE},
    }
    found = {name: {key.lower(): _steady(row) for key, row in table.items()} for name, table in tables.items()}
    found["principals"] = {
        key.lower(): {"enabled": one.enabled, "secrets": sorted(one.secrets), "members": sorted(one.members)}
        for key, one in world.principals.items()
    }
    return found


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _steady(each) for key, each in value.items() if key not in _BY_ITSELF}
    if isinstance(value, list):
        return [_steady(each) for each in value]
    return json.loads(json.dumps(value, default=str))


class _OnlyOthersApprove(PeopleAnswer):
    """Who asks for an undo does not approve it."""


def take_all_back(room: EngineRoom, incident: str, world: World) -> tuple[str, list[Question]]:
    runtime = _OnlyOthersApprove(room, People(world))
    wanted = Undo(number=0, requested_by="auditor@contoso.example", asked_at=room.clock(), include_attacker=True)

    async def course() -> str:
        async with room.connect(incident) as clouds:
            engine = Engine(room, incident, clouds, run_id="undo")
            return await take_back(Undoing(engine, begin_undo(engine, wanted)), runtime)

    return asyncio.run(course()), runtime.asked


@pytest.fixture(
    scope="module",
    params=[
        "crypto-mining",
        "hijacked-owner",
        "identity-only",
        "insider-automation",
        "quiet-persistence",
        "service-principal-abuse",
    ],
)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world, home = build(request.param, seed=7, now=NOW), tmp_path_factory.mktemp("undo")
    world.on_change.clear()  # an attacker who reacts would change the tenant beside the response
    (home / "playbooks").mkdir()
    (home / "playbooks" / f"{NAME}.yaml").write_text(whole_response())
    for name in ("graph.users", "graph.signIns"):
        if name in world.unfilled:
            world.fill(name)
    before = state_of(world)
    with engine_room_of(world, home) as room:
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=NAME)
        ran = go_on(room, world, opened.incident.id)
        assert ran.state == "done", ran.dossier.note
        world.clock.advance(600)
        world.settle()
        state, asked = take_all_back(room, opened.incident.id, world)
        world.clock.advance(600)
        world.settle()
        engine = Engine(room, opened.incident.id, None, run_id="")
        dossier = gather(engine, int(room.store.values.get(opened.incident.id, "last-round")))
        yield Story(request.param, before, state_of(world), dossier, asked, state)


@dataclass
class Named:
    """What the gates had named as not reversible, and what the gate of the undo said that it does not give back."""

    arm: set[str]
    parts: set[str]  # of the directory: ids of objects, keys and methods

    def covers(self, key: str) -> bool:
        return any(key == one or key.startswith(f"{one}/") for one in self.arm)


def named_by(dossier: Dossier) -> Named:
    given = [
        action
        for plan in dossier.plans
        for action in plan.actions
        if plan.stage != UNDO and action.effect is Effect.IRREVERSIBLE
    ]
    assert all(action.irreversible_because for action in given)
    targets = {action.target.lower() for action in given} | {
        one.target.lower() for plan in dossier.plans if plan.stage == UNDO for one in plan.no_ops
    }
    arm = {target for target in targets if target.startswith("/subscriptions/")}
    arm |= {str(action.params.get("snapshot", "")).lower() for plan in dossier.plans for action in plan.actions} - {""}
    arm |= {
        "/".join(one.split("/")[at] for at in (8, 12, 14)) for one in arm if "/blobservices/default/containers/" in one
    }
    parts = {target.rpartition("/")[2] for target in targets - arm}
    parts |= {str(action.params.get("key_id", "")).lower() for action in given} - {""}
    return Named(arm, parts)


def not_named(story: Story) -> list[str]:
    """Every difference that no gate had named."""
    named, found = named_by(story.dossier), list[str]()
    for table in sorted(story.before.keys() | story.after.keys()):
        rows, now = story.before.get(table, {}), story.after.get(table, {})
        gone = {key: rows[key] for key in rows.keys() - now.keys()}
        new = {key: now[key] for key in now.keys() - rows.keys()}
        for key in sorted(gone):
            # The directory gives what is made again an id of its own.
            again = next((other for other in sorted(new) if _like(table, new[other], gone[key])), "")
            if again:
                del new[again]
            elif not named.covers(key) and key.rpartition("/")[2] not in named.parts:
                found.append(f"{table} {key} is gone")
        found += [f"{table} {key} is new" for key in sorted(new) if not named.covers(key)]
        for key in sorted(rows.keys() & now.keys()):
            paths = set(_paths(rows[key], now[key])) - _allowed(table, key, named, story)
            if paths and not named.covers(key):
                found.append(f"{table} {key} differs: {', '.join(sorted(paths))}")
    return found


def _like(table: str, one: Any, other: Any) -> bool:
    """Whether two rows say the same. A role that may be taken up is made again by another request, until the same end."""
    if table == "authorization.eligibility":
        return _eligible(one["properties"]) == _eligible(other["properties"])
    return bool(_content(one) == _content(other))


def _eligible(properties: dict[str, Any]) -> tuple[str, ...]:
    role = str(properties["roleDefinitionId"]).rpartition("/")[2]
    rest = ("scope", "principalId", "principalType", "status", "memberType", "endDateTime")
    return (role.lower(), *(str(properties[key]).lower() for key in rest))


def _content(row: Any) -> Any:
    """What a thing is, apart from its id and when it was made."""
    if isinstance(row, dict):
        return {key: _content(value) for key, value in row.items() if key not in _MADE and value is not None}
    return [_content(one) for one in row] if isinstance(row, list) else row


_MADE = frozenset({"id", "createdDateTime", "startDateTime", "createdUsing", "modifiedDateTime"})


def _allowed(table: str, key: str, named: Named, story: Story) -> set[str]:
    """Parts of a thing that goes on standing, which a gate had named."""
    if table == "graph.users" and key in named.parts:
        return {"lastPasswordChangeDateTime", "_must_change"}
    if table == "principals":
        rows = story.before["graph.credentials"]
        lost = {str(row.get("_secret")) for row_key, row in rows.items() if row_key in named.parts}
        before, now = (set(state["principals"][key]["secrets"]) for state in (story.before, story.after))
        return {"secrets"} if before - now <= lost and now <= before else set()
    return set()


def _paths(one: Any, other: Any, at: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _paths(one.get(key), other.get(key), f"{at}.{key}" if at else str(key))
    elif one != other:
        yield at


def test_the_tenant_is_as_it_was_but_for_what_the_gates_had_named(story: Story) -> None:
    assert story.state == "done"
    assert not_named(story) == []


# Worlds without compute of the attacker's.
_NO_DISKS = ("identity-only", "quiet-persistence")
# The disk is a copy, attached to nothing.
_OF_A_COPY = ("managedBy", "properties.creationData.", "properties.diskState", "properties.uniqueId")


def test_every_deleted_disk_stands_again_as_it_was(story: Story) -> None:
    """Whether it was deleted by itself or Azure deleted it together with its machine."""
    deleted = [
        action.target.lower() for plan in story.dossier.plans for action in plan.actions if action.kind == "disk.delete"
    ]
    assert bool(deleted) == (story.scenario not in _NO_DISKS)
    disks, now = story.before["resources"], story.after["resources"]
    assert sorted(set(deleted) - now.keys()) == []
    for key in deleted:
        assert [path for path in _paths(disks[key], now[key]) if not path.startswith(_OF_A_COPY)] == [], key


def test_what_the_undo_could_not_do_is_said_with_its_reason(story: Story) -> None:
    """Never in silence: each of its actions that did not end well is in the report with a sentence."""
    told = {row["id"]: row for row in run_json(story.dossier)["actions"]}
    undoing = {action.id for plan in story.dossier.plans if plan.stage == UNDO for action in plan.actions}
    assert undoing
    for name in undoing:
        assert told[name]["state"] in ("done", "already_so") or told[name]["reason"], told[name]
