"""Undo of what has a deadline, an answer that Microsoft may refuse, or a lock in its way; and what happens to a response meanwhile.

One story against the embedded Azure in process: respond, 31 days later ask to take it back, take it back, take that back.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.engine import Engine, EngineRoom, Question, Undo, Undoing
from firebreak.engine.undoing import begin_undo
from firebreak.errors import LeaseLostError, WaitingError
from firebreak.model.mode import Mode
from firebreak.model.plan import Plan
from flows.course import respond_to
from flows.local import try_undo_here
from flows.undo_course import take_back
from tests.flows.room_in_process import People, PeopleAnswer, alert_bytes, engine_room_of, is_write

pytestmark = pytest.mark.timeout(420)

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
A_MONTH_AND_A_DAY = 31 * 86_400
PLAYBOOK = """
id: own-undo-gate
version: "1.0"
title: Everything with a catch
description: Locks, quota and the subscription itself, and a gate of its own for taking it back.
stages:
  - id: investigate
    title: Find out what happened
    steps:
      - investigate.subscription
      - investigate.activity_log
      - investigate.access
      - investigate.inventory
      - investigate.quota
      - investigate.attribution
  - id: contain
    title: Stop the attack
    gate: containment
    steps: [contain.block_creation, contain.remove_locks, contain.deallocate_machines]
  - id: quota
    title: Lower the limits
    gate: containment
    steps: [harden.reduce_quota]
  - id: cancel
    title: Cancel it
    gate: containment
    steps: [contain.cancel_entitlement]
gates:
  containment: {title: Do this?, approvers: [responder], required: 2, confirm: true}
  undo: {title: Really give this back?, approvers: [lead], required: 2, confirm: true}
guard_rails:
  limits: {max_actions: 3000, max_share: 1, max_per_hour: 100000, max_regions: 60}
"""


class _Asked(PeopleAnswer):
    """Nobody answers: the process ends at the gate."""

    async def ask(self, question: Question) -> None:
        self.asked.append(question)
        raise WaitingError(f"{question.view.id} waits.")


class Story:
    def __init__(self, world: World, room: EngineRoom, incident: str) -> None:
        self.world, self.room, self.incident, self.people = world, room, incident, People(world)
        self.seen: dict[str, Any] = {}

    def respond(self) -> str:
        async def course() -> str:
            async with self.room.connect(self.incident) as clouds:
                engine = Engine(self.room, self.incident, clouds, run_id="respond")
                return await respond_to(engine, PeopleAnswer(self.room, self.people))

        return asyncio.run(course())

    def undo(self, runtime: PeopleAnswer | None = None, **choice: Any) -> str:
        async def course() -> str:
            async with self.room.connect(self.incident) as clouds:
                engine = Engine(self.room, self.incident, clouds, run_id=f"undo-{len(self.world.requests)}")
                wanted = Undo(number=0, requested_by="someone", asked_at=self.room.clock(), **choice)
                return await take_back(Undoing(engine, begin_undo(engine, wanted)), answering)

        answering = runtime or PeopleAnswer(self.room, self.people)
        return asyncio.run(course())

    def trial(self, **choice: Any) -> Plan:
        wanted = Undo(number=1, requested_by="someone", asked_at=self.room.clock(), **choice)
        return asyncio.run(try_undo_here(self.room, self.incident, wanted, lambda _: None))

    def note(self, name: str) -> None:
        """Remember how the subscription stands now."""
        world = self.world
        self.seen[name] = {
            "power": {k.lower(): r["_power"] for k, r in world.resources.items() if "_power" in r},
            "locks": {k.lower(): r["properties"]["level"] for k, r in world.locks.items()},
            "policies": sorted(k.lower() for k in world.policy_assignments),
            "limits": {k: r["limit"] for k, r in world.quotas.items()},
            "entitlement": entitlement(world),
            "requests": len(world.requests),
        }

    def differs(self, one: str, other: str) -> set[str]:
        return {key for key in self.seen[one] if key != "requests" and self.seen[one][key] != self.seen[other][key]}


def targets(world: World, verb: str, since: int, until: int) -> set[str]:
    """The ids in lower case of what was asked to do this, in a stretch of the request log."""
    paths = [row.url.lower().split("?")[0] for row in world.requests[since:until] if is_write(row)]
    return {urlsplit(path).path.removesuffix(verb) for path in paths if path.endswith(verb)}


def entitlement(world: World) -> str:
    (found,) = [e for e in entitlements(world) if e["id"] == next(iter(world.subscriptions.values()))["subscriptionId"]]
    return str(found["status"])


def entitlements(world: World) -> list[dict[str, Any]]:
    from azure_simulator.control import state

    return list(state(world)["entitlements"])


def raise_an_unused_limit(world: World) -> None:
    """A limit that the attacker had raised and has not used yet: Azure lowers nothing below what is in use."""
    subscription, family = next(iter(world.subscriptions.values()))["subscriptionId"], "standardNDSv2Family"
    world.registered_providers[subscription].add("microsoft.quota")
    key, row = next(
        (k, r) for k, r in world.quotas.items() if r["family"] == "standardFSv2Family" and r["limit"] == 1500
    )
    world.quotas[key.replace("standardfsv2family", family.lower())] = row | {"family": family, "title": family}
    key, request = next(
        (k, r) for k, r in world.quota_requests.items() if f"/{row['region']}/" in k and "FSv2" in json.dumps(r)
    )
    other = str(uuid.UUID(int=7))
    text = json.dumps(request).replace(request["name"], other).replace("standardFSv2Family", family)
    world.quota_requests[key.replace(request["name"], other)] = json.loads(text)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    world, home = build("hijacked-owner", seed=7, now=NOW), tmp_path_factory.mktemp("undo")
    callers = tuple(str(attacker["caller"]) for attacker in world.truth["attackers"])
    world.events = [e for n, e in enumerate(world.events) if e.get("caller") in callers or n % 25 == 0]
    world.prices, world.quota_reduction = [], "always"
    raise_an_unused_limit(world)
    (home / "playbooks").mkdir()
    (home / "playbooks" / "own-undo-gate.yaml").write_text(PLAYBOOK)
    with engine_room_of(world, home) as room:
        opened = room.open(
            alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook="own-undo-gate"
        )
        told = Story(world, room, opened.incident.id)
        told.note("before")
        assert told.respond() == "done"
        world.clock.advance(1200)
        told.note("responded")
        world.clock.advance(A_MONTH_AND_A_DAY)
        told.seen["trial"] = told.trial(include_attacker=True)
        told.note("tried")
        assert told.undo(stages=("cancel",)) == "nothing"
        told.note("too late")
        operations = room.settings.operations.model_copy(update={"reactivation_days": 90})
        told.room = replace(room, settings=room.settings.model_copy(update={"operations": operations}))
        waiting = _Asked(told.room, told.people)
        with pytest.raises(WaitingError):
            told.undo(waiting, include_attacker=True)
        told.seen["question"] = waiting.asked[0]
        told.note("asked")
        for state in ("done", "failed"):
            room.store.incidents.set_state(told.incident, state)
            with pytest.raises(LeaseLostError) as refused:
                told.respond()
            told.seen[f"refusal of {state}"] = str(refused.value)
        room.store.incidents.set_state(told.incident, "done")
        told.note("refused")
        answered = PeopleAnswer(told.room, told.people)
        assert told.undo(answered) == "done"
        told.seen["answers"] = answered.asked
        world.clock.advance(1200)
        told.note("undone")
        told.seen["undo of the undo"] = told.undo(stages=("undo",))
        world.clock.advance(1200)
        told.note("undo undone")
        yield told


def test_the_response_changed_what_this_is_about(story: Story) -> None:
    assert story.differs("before", "responded") == {"power", "locks", "policies", "limits", "entitlement"}
    assert "ReadOnly" in story.seen["before"]["locks"].values()
    assert story.seen["responded"]["entitlement"] == "inactive"


def test_a_dry_run_plans_what_there_is_and_changes_nothing(story: Story) -> None:
    plan: Plan = story.seen["trial"]
    kinds = {action.kind for action in plan.actions}
    assert kinds == {"policy.remove", "lock.restore", "machine.start", "quota.restore"}
    assert story.differs("responded", "tried") == set()
    sent = story.world.requests[story.seen["responded"]["requests"] : story.seen["tried"]["requests"]]
    assert [row for row in sent if is_write(row)] == []


def test_after_the_deadline_the_subscription_is_not_reactivated_and_a_sentence_says_why(story: Story) -> None:
    (late,) = [n.reason for n in story.seen["trial"].no_ops if "azureentitlements" in n.target.lower()]
    assert "Too late" in late
    assert "2026-11-20" in late
    assert "2026-12-20" in late
    assert "FIREBREAK_OPERATIONS__REACTIVATION_DAYS" in late
    assert story.differs("tried", "too late") == set()
    sent = story.world.requests[story.seen["tried"]["requests"] : story.seen["too late"]["requests"]]
    assert [row for row in sent if is_write(row)] == []


def test_the_playbooks_own_gate_asks(story: Story) -> None:
    question: Question = story.seen["question"]
    assert question.gate.title == "Really give this back?"
    assert question.view.required == 2
    assert question.view.roles == ("lead",)
    assert question.view.confirm == next(iter(story.world.subscriptions.values()))["subscriptionId"]
    assert "Asked for by** someone" in question.page
    assert len({a.approver for a in story.room.desk.view(question.view.id).approvals}) == 2
    assert len(story.seen["answers"]) == 2


def test_a_response_is_refused_while_an_undo_is_open_and_sends_nothing(story: Story) -> None:
    for state in ("done", "failed"):
        assert "is being undone (undo 2, asked for by someone)" in story.seen[f"refusal of {state}"]
    sent = story.world.requests[story.seen["asked"]["requests"] : story.seen["refused"]["requests"]]
    assert [row for row in sent if row.service != "login"] == []


def test_within_a_longer_deadline_quota_subscription_machines_and_locks_come_back(story: Story) -> None:
    assert story.seen["undone"]["entitlement"] == "active"
    assert story.differs("before", "undone") == {"power"}
    stopped = targets(story.world, "/deallocate", story.seen["before"]["requests"], story.seen["responded"]["requests"])
    assert stopped
    assert {story.seen["undone"]["power"][machine] for machine in stopped} == {"running"}
    started = targets(story.world, "/start", story.seen["refused"]["requests"], story.seen["undone"]["requests"])
    assert started == stopped  # what cancelling stopped besides is people's to start
    (reactivate,) = [a for a in story.seen["question"].plan.actions if a.kind == "entitlement.reactivate"]
    assert any("2027-02-18" in reason for reason in reactivate.reasons)  # 90 days after the twentieth of November
    sent = story.world.requests[story.seen["refused"]["requests"] : story.seen["undone"]["requests"]]
    order = [row.url.lower() for row in sent if is_write(row)]
    lock = next(i for i, url in enumerate(order) if "/locks/" in url)
    assert lock > max(i for i, url in enumerate(order) if "/start" in url)  # a read-only lock would forbid the start


def test_undoing_the_undo_removes_the_lock_it_placed_before_it_stops_what_lies_below(story: Story) -> None:
    assert story.seen["undo of the undo"] == "done"
    for what in ("locks", "power", "policies", "limits"):
        assert story.seen["undo undone"][what] == story.seen["responded"][what], what
    assert story.seen["undo undone"]["entitlement"] == "active"  # cancelling is never the inverse of anything
