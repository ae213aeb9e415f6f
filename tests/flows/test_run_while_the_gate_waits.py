"""What changes in Azure between the plan and its approval counts: a tag, a lock, a machine made anew, a setting. One run, in which all of
it happens while the gate waits; judged by what the simulator was sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from azure_simulator import build
from azure_simulator.world import World
from firebreak.engine import EngineRoom, Question
from firebreak.model.plan import Action, Plan
from firebreak.settings import ProtectionSettings
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, respond_in, writes

pytestmark = pytest.mark.timeout(300)
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
ANEW = "99999999-9999-4999-8999-999999999999"


def stops(plan: Plan) -> list[Action]:
    return [action for action in plan.actions if action.kind == "machine.deallocate"]


@dataclass
class Meddler:
    """Passes over accounts, answers containment with yes and the rest with no; before the first yes it changes the world and the settings."""

    world: World
    room: EngineRoom
    plans: list[Plan] = field(default_factory=list)

    def __call__(self, question: Question) -> str:
        if question.plan.stage == "close-doors":
            return "skip"
        if question.plan.stage != "contain":
            return "reject"
        if not self.plans:
            self.meddle(question.plan)
        self.plans.append(question.plan)
        return "approve"

    def meddle(self, plan: Plan) -> None:
        self.tagged, self.locked, self.anew, self.named = stops(plan)[:4]
        self.others = {action.target.lower() for action in stops(plan)[4:]}
        self.world.resources[self.tagged.target].setdefault("tags", {})["Firebreak"] = "Protected"
        lock = f"{self.locked.target}/providers/Microsoft.Authorization/locks/keep-it"
        document = {"id": lock, "name": "keep-it", "type": "Microsoft.Authorization/locks"}
        self.world.locks[lock] = {**document, "properties": {"level": "ReadOnly"}}
        self.world.resources[self.anew.target]["properties"]["vmId"] = ANEW
        protection = ProtectionSettings(resources=(self.named.target,))
        object.__setattr__(self.room, "settings", self.room.settings.model_copy(update={"protection": protection}))


@dataclass(frozen=True)
class Exercise:
    world: World
    meddler: Meddler
    ran: Ran

    def stopped(self) -> set[str]:
        """Machines that the simulator was asked to deallocate."""
        asked = [row.url.split("?")[0].lower() for row in writes(self.world)]
        return {url.removesuffix("/deallocate") for url in asked if url.endswith("/deallocate")}

    def first(self, action: Action) -> tuple[str, str]:
        """How the action of the first plan ended."""
        row = next(a for a in self.ran.json["actions"] if a["id"] == action.id)
        return row["state"], row["reason"]


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exercise]:
    world = build("service-principal-abuse", seed=7, now=NOW)
    with engine_room_of(world, tmp_path_factory.mktemp("waits")) as room:
        meddler = Meddler(world, room)
        yield Exercise(world, meddler, respond_in(room, world, alert_bytes(world), decide=meddler))


def test_what_was_protected_meanwhile_is_left_alone_and_all_others_are_stopped(exercise: Exercise) -> None:
    meddler = exercise.meddler
    left = {one.target.lower() for one in (meddler.tagged, meddler.locked, meddler.named)}
    assert not left & exercise.stopped()
    assert meddler.others
    assert meddler.others <= exercise.stopped()


def test_each_refusal_says_what_protects_it(exercise: Exercise) -> None:
    meddler = exercise.meddler
    for action, word in (
        (meddler.tagged, "protected tag firebreak=protected"),
        (meddler.locked, "keep-it (ReadOnly)"),
        (meddler.named, "operator protects"),
    ):
        state, reason = exercise.first(action)
        assert state == "refused"
        assert word in reason


def test_a_machine_made_anew_is_refused_with_the_difference(exercise: Exercise) -> None:
    state, reason = exercise.first(exercise.meddler.anew)
    assert state == "refused"
    was = exercise.meddler.anew.fingerprint["vmId"]
    assert f"vmId is {ANEW} (was {was} when the plan was made)" in reason


def test_a_fresh_plan_asks_about_the_new_machine_and_no_longer_about_the_protected_ones(exercise: Exercise) -> None:
    meddler = exercise.meddler
    assert len(meddler.plans) >= 2
    assert len({plan.digest for plan in meddler.plans}) == len(meddler.plans)
    targets = [a.target for plan in meddler.plans[1:] for a in plan.actions]
    assert not {meddler.tagged.target, meddler.locked.target, meddler.named.target} & set(targets)
    again = [a for plan in meddler.plans[1:] for a in plan.actions if a.target == meddler.anew.target]
    assert [a.fingerprint["vmId"] for a in again] == [ANEW]
    assert meddler.anew.target.lower() in exercise.stopped()


def test_the_operators_protection_is_in_the_digest_of_the_plans_made_under_it(exercise: Exercise) -> None:
    first, *later = exercise.meddler.plans
    assert first.protection.resources == ()
    assert {plan.protection.resources for plan in later} == {(exercise.meddler.named.target,)}
