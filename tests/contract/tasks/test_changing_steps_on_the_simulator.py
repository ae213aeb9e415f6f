"""The changing steps against the simulated Azure: what they send, what they leave alone, and what the world says afterwards."""

from __future__ import annotations

import msgspec
import pytest

from azure_simulator.world import World
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState
from tests.contract.tasks.changing_steps import carry_out, first_case, looked_into, plan_of, shipped, world_of
from tests.support.inprocess import sent, simulated

ATTACKS = ("crypto-mining", "service-principal-abuse")
WRITES = ("PUT", "PATCH", "POST", "DELETE")
READING_POSTS = ("query", "resources", "listkeys", "calculateprice", "getbyids")


def power(world: World, resource_id: str) -> str:
    return str(world.resources[resource_id].get("_power", ""))


def writes(world: World) -> list[tuple[str, str]]:
    """Method and path of what was written, reading POSTs left out."""
    paths = [(method, url.split("?")[0]) for method, url in sent(world, *WRITES)]
    return [(m, p) for m, p in paths if not (m == "POST" and p.rsplit("/", 1)[-1].lower() in READING_POSTS)]


@pytest.mark.parametrize("scenario", ATTACKS)
async def test_containment_stops_every_rogue_machine_and_touches_nothing_else(scenario: str) -> None:
    world = world_of(scenario)
    truth = world.truth
    async with simulated(world) as connection:
        case = await first_case(scenario)
        plan = plan_of(case, "contain")
        done = await carry_out(plan, connection, world)
    assert {o.state for o in done.outcomes.values()} <= {ActionState.DONE, ActionState.ALREADY_SO}, done.outcomes
    rogue = {r.lower() for r in truth["rogue_compute"]}
    stopped = {a.target.lower() for a in plan.actions if a.kind in ("machine.deallocate", "scale_set.deallocate")}
    assert stopped == rogue
    machines = [r for r in rogue if "/virtualmachines/" in r and "/virtualmachinescalesets/" not in r]
    assert {power(world, machine) for machine in machines} <= {"deallocated"}
    written = writes(world)
    assert len(written) == len(plan.actions)
    first_stop = next(i for i, (_, path) in enumerate(written) if path.endswith("/deallocate"))
    assert any("/policyAssignments/firebreak-" in path for _, path in written[:first_stop])


@pytest.mark.parametrize("scenario", ATTACKS)
async def test_a_second_look_after_containment_finds_everything_already_so(scenario: str) -> None:
    world = world_of(scenario)
    async with simulated(world) as connection:
        case = await first_case(scenario)
        plan = plan_of(case, "contain")
        await carry_out(plan, connection, world)
        before = len(writes(world))
        again = await carry_out(plan, connection, world)
    assert {o.state for o in again.outcomes.values()} == {ActionState.ALREADY_SO}
    assert len(writes(world)) == before


@pytest.mark.parametrize("scenario", ATTACKS)
async def test_eradication_removes_what_is_rogue_after_snapshots_and_nothing_else(scenario: str) -> None:
    world = world_of(scenario)
    legitimate = set(world.resources) - {r.lower() for r in world.truth["rogue"]}
    async with simulated(world) as connection:
        case = await first_case(scenario)
        await carry_out(plan_of(case, "contain"), connection, world)
        plan = plan_of(case, "eradicate")
        done = await carry_out(plan, connection, world)
    bad = {a: (o.state, o.reason) for a, o in done.outcomes.items() if not o.state.is_good}
    assert not bad
    rogue_compute = {r.lower() for r in world.truth["rogue_compute"]}
    assert not [r for r in rogue_compute if r in world.resources]
    gone = {key for key in legitimate if key not in world.resources}
    assert not [key for key in gone if "/virtualmachinescalesets/" not in key]
    written = writes(world)
    for index, (method, path) in enumerate(written):
        if method == "DELETE" and "/disks/" in path:
            assert any(m == "PUT" and "/snapshots/" in p for m, p in written[:index])


async def test_what_was_refused_of_quota_becomes_a_ticket_of_the_next_stage() -> None:
    world = world_of("crypto-mining")
    people = {
        "first_name": "Ada",
        "last_name": "Example",
        "email": "soc@contoso.example",
        "time_zone": "UTC",
        "country": "NLD",
        "language": "en-US",
    }
    playbook = shipped()
    playbook.parameters["notify.support_ticket"] = {"contact": people}
    async with simulated(world) as connection:
        case = await first_case("crypto-mining", playbook)
        await carry_out(plan_of(case, "contain"), connection, world)
        await carry_out(plan_of(case, "eradicate"), connection, world)
        tried = await carry_out(plan_of(case, "reduce-quota"), connection, world)
        states = {o.state for o in tried.outcomes.values()}
        refused = [o for o in tried.outcomes.values() if o.state is ActionState.FAILED]
        assert ActionState.DONE in states
        assert refused
        assert all("QuotaReductionNotSupported" in o.reason for o in refused)
        case = await looked_into(connection, world, playbook, outcomes=tried.outcomes)
        closing = plan_of(case, "close")
        assert sorted(a.kind for a in closing.actions) == ["alert.resolve", "quota.ticket", "support.ticket"]
        done = await carry_out(closing, connection, world)
    assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
    assert len(world.support_tickets) >= 2
    alert = world.alerts[case.incident.alert.id]
    assert (alert["status"], alert["resolvedReason"]) == ("resolved", "fraud")


async def test_cancelling_and_reactivating_the_subscription_go_through_partner_center() -> None:
    world = world_of("crypto-mining")
    playbook = shipped()
    playbook.parameters["recover.reactivate_entitlement"] = {"reactivate": True}
    async with simulated(world) as connection:
        case = await first_case("crypto-mining", playbook)
        plan = plan_of(case, "cancel-entitlement")
        assert [a.irreversible_because[:30] for a in plan.actions] == ["Reversible for a limited time "]
        cancelled = await carry_out(plan, connection, world)
        world.clock.advance(1200)
        assert await _entitlement(case, connection) == "inactive", cancelled.outcomes
        case = await looked_into(connection, world, playbook, outcomes=cancelled.outcomes)
        await carry_out(plan_of(case, "recover"), connection, world)
        world.clock.advance(1200)
        assert await _entitlement(case, connection) == "active"


async def _entitlement(case: object, connection: object) -> str:
    from firebreak.clients import Connection
    from firebreak.model.case import Case
    from firebreak.model.facts import SubscriptionFacts

    assert isinstance(case, Case)
    assert isinstance(connection, Connection)
    document = await connection.eyes.partner_center.get(case[SubscriptionFacts].entitlement)
    assert document is not None
    return str(document["status"])


async def test_undo_of_containment_gives_back_every_state() -> None:
    world = world_of("crypto-mining")
    from tasks.registry import load_steps

    steps = load_steps()
    async with simulated(world) as connection:
        case = await first_case("crypto-mining")
        plan = plan_of(case, "contain")
        done = await carry_out(plan, connection, world)
        undone = 0
        for action in reversed(plan.actions):
            loaded = steps[action.step]
            assert loaded.undo is not None
            assert loaded.look is not None
            assert loaded.apply is not None
            inverse = loaded.undo(action, done.before[action.id].prior)
            if inverse is None:
                continue
            target = (await loaded.look([inverse], connection.eyes))[inverse.id]
            assert not target.already_so, inverse
            await loaded.apply(inverse, connection.hands)
            world.clock.advance(120)
            world.settle()
            assert (await loaded.look([inverse], connection.eyes))[inverse.id].already_so, inverse
            undone += 1
    assert undone == len(plan.actions)


async def test_a_machine_made_anew_under_the_same_name_is_stale() -> None:
    world = world_of("crypto-mining")
    async with simulated(world) as connection:
        case = await first_case("crypto-mining")
        plan = plan_of(case, "contain")
        action = next(a for a in plan.actions if a.kind == "machine.deallocate")
        world.resources[action.target]["properties"]["vmId"] = "99999999-9999-4999-8999-999999999999"
        done = await carry_out(plan, connection, world)
    assert done.outcomes[action.id].state is ActionState.REFUSED
    assert not [path for _, path in writes(world) if path.lower().startswith(action.target.lower() + "/deallocate")]


async def test_a_disk_that_is_attached_when_its_turn_comes_is_not_deleted() -> None:
    world = world_of("crypto-mining")
    async with simulated(world) as connection:
        plan = plan_of(await first_case("crypto-mining"), "eradicate")
        action = next(a for a in plan.actions if a.kind == "disk.delete")
        done = await carry_out(msgspec.structs.replace(plan, actions=(action,)), connection, world)
    assert done.outcomes[action.id].state is ActionState.REFUSED
    assert "'attached'" in done.outcomes[action.id].reason
    assert action.target in world.resources
    assert not writes(world)


@pytest.mark.parametrize("playbook", ["compromised-subscription", "review-subscription"])
async def test_a_false_alarm_plans_no_change_of_azure(playbook: str) -> None:
    world = world_of("false-alarm")
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        case = await looked_into(connection, world, shipped(playbook))
        plans = [plan_of(case, stage.id) for stage in case.playbook.stages if stage.gate]
    kinds = {action.kind for plan in plans for action in plan.actions}
    assert kinds <= {"alert.resolve"}
    assert not writes(world)
