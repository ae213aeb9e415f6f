"""Compute behind platform services on the simulated Azure: read, stopped, read back, started again and deleted; never a colleague's."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import pytest

from azure_simulator.app import assign, empty_world
from azure_simulator.scenarios import prices
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.world import Principal, World
from firebreak.analysis.running import attackers_compute
from firebreak.clients import Connection
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, BurnRate, Class, Inventory, Judgement, Reason
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, NoOp, Plan
from firebreak.model.platform import Kind, PlatformCompute, Power
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import Carried, carry_out
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import sent, simulated, subscription_of
from tests.support.platform_attack import COMPUTE, build_everywhere, is_billed

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
READS = ("investigate.subscription", "investigate.access", "investigate.inventory", "investigate.unattached_disks")
READS_MORE = ("investigate.platform_compute", "investigate.prices")
STOPS = (
    "contain.stop_batch_pools",
    "contain.stop_machine_learning",
    "contain.block_creation",
    "contain.deallocate_scale_sets",
    "contain.stop_clusters",
    "contain.stop_container_groups",
    "contain.stop_apps",
)
DELETES = ("eradicate.delete_resources",)
STOPPABLE = tuple(name for name in COMPUTE if name != "asp-render")


@dataclass
class Estate:
    """A world with the same estate twice: the attacker's and a colleague's."""

    world: World
    rogue: dict[str, str]
    own: dict[str, str]

    async def case(self, connection: Connection) -> Case:
        """What the reading steps find; whose it is by the group it stands in, as attribution would say."""
        loaded, eyes, facts = load_steps(), connection.eyes, {}
        alert = _alert(self.world)
        playbook = playbook_with()
        stages = (
            msgspec.structs.replace(playbook.stages[0], steps=(*READS, *READS_MORE)),
            msgspec.structs.replace(playbook.stages[0], id="contain", steps=STOPS),
            msgspec.structs.replace(playbook.stages[0], id="eradicate", steps=DELETES),
        )
        playbook = msgspec.structs.replace(playbook, stages=stages)

        def case() -> Case:
            return Case(incident=incident_for(alert, NOW), playbook=playbook, now=eyes.now(), facts=facts)

        for name in (*READS, *READS_MORE):
            collect = loaded[name].collect
            assert collect is not None
            made = await collect(eyes, case())
            facts[type(made)] = made
        facts[Attribution] = self._judged(facts[Inventory], facts[PlatformCompute])
        burn = loaded["investigate.burn_rate"].conclude
        assert burn is not None
        facts[BurnRate] = burn(case())
        return case()

    def _judged(self, inventory: Inventory, platform: PlatformCompute) -> Attribution:
        ids = [one.id for one in (*inventory.resources, *inventory.scale_sets, *inventory.groups, *platform.items)]
        judgements = []
        for identity in dict.fromkeys(ids):
            rogue = "rg-render" in identity.lower()
            judgements.append(
                Judgement(
                    id=identity,
                    cls=Class.ATTACKER if rogue else Class.LEGITIMATE,
                    score=70 if rogue else -70,
                    reasons=(Reason(70 if rogue else -70, "Made by somebody."),),
                )
            )
        return Attribution(resources=tuple(judgements), verdict="fraud")

    def billed(self, of: dict[str, str]) -> list[str]:
        self.world.settle()
        return [name for name in COMPUTE if is_billed(self.world, of[name])]


def _alert(world: World):
    from firebreak.model.alert import Alert

    return Alert(
        id="a",
        source="file",
        type="cryptoMining",
        title="Mining",
        severity="high",
        subscription_id=subscription_of(world),
        customer_tenant_id=world.tenant_id,
        detected_at=NOW,
    )


@pytest.fixture
def estate() -> Estate:
    world = empty_world(NOW)
    colleague = next(p for p in world.principals.values() if p.kind == "User")
    thief = Principal(world.chance.guid(), "User", "Eve", upn="eve@contoso.example", tenant_id=world.tenant_id)
    world.principals[thief.object_id] = thief
    assign(world, thief, roles.OWNER, next(iter(world.subscriptions)))
    prices.fill(world, world.chance.child("prices"), prices.Prices.load(), ["westeurope", "eastus"])
    own = build_everywhere(world, colleague.object_id, "rg-own", address="198.51.100.7")
    rogue = build_everywhere(world, thief.object_id, "rg-render", region="eastus")
    world.requests.clear()
    return Estate(world, rogue, own)


def plan_for(case: Case, stage: str) -> Plan:
    loaded = load_steps()
    steps = [loaded[name] for name in case.playbook.stage(stage).steps]
    return make_plan(case, stage=stage, steps=steps, round=1, engine_version="test")


def states(done: Carried) -> set[ActionState]:
    return {outcome.state for outcome in done.outcomes.values()}


async def undo_all(plan: Plan, done: Carried, connection: Connection, world: World) -> list[NoOp]:
    """Take the plan back, the last action first; returns what there was nothing to take back of."""
    loaded, nothing = load_steps(), []
    for action in reversed(plan.actions):
        undo = loaded[action.step].undo
        assert undo is not None
        inverse = undo(action, done.before[action.id].prior)
        if isinstance(inverse, NoOp):
            nothing.append(inverse)
            continue
        assert isinstance(inverse, Action), action.kind
        once = msgspec.structs.replace(plan, actions=(inverse,))
        back = await carry_out(once, connection, world)
        assert states(back) == {ActionState.DONE}, (inverse.kind, back.outcomes)
    return nothing


async def test_everything_behind_platform_services_is_read_with_its_state_size_and_price(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        case = await estate.case(connection)
    found = {one.id: one for one in case[PlatformCompute].items}
    shown = {
        name: (found[path].kind, found[path].power, found[path].nodes)
        for name, path in estate.rogue.items()
        if path in found
    }
    assert shown == {
        "frames": (Kind.BATCH_POOL, Power.RUNNING, 40),
        "formula": (Kind.BATCH_POOL, Power.RUNNING, 8),
        "gpu-train": (Kind.ML_CLUSTER, Power.RUNNING, 12),
        "notebook": (Kind.ML_INSTANCE, Power.RUNNING, 1),
        "aks-render": (Kind.CLUSTER, Power.RUNNING, 3),
        "runner": (Kind.CONTAINER_GROUP, Power.RUNNING, 1),
        "queue-worker": (Kind.SITE, Power.RUNNING, 0),
        "asp-render": (Kind.PLAN, Power.RUNNING, 5),
    }
    assert found[estate.rogue["frames"]].priority == "Spot"
    assert {one.id for one in case[PlatformCompute].not_stopped} == {estate.rogue["attached"], estate.own["attached"]}
    assert case[Inventory].unhandled_types == {}
    assert all(one.created_at is not None for one in found.values())
    burn = case[BurnRate]
    priced = {name for name, path in estate.rogue.items() if burn.per_resource.get(path.lower())}
    assert priced == {"frames", "formula", "gpu-train", "notebook", "aks-render"}
    node_sets = [s for s in case[Inventory].scale_sets if "mc_rg-render" in s.id.lower()]
    assert len(node_sets) == 1
    assert node_sets[0].id.lower() not in burn.per_resource  # told once, at the cluster
    assert any("container group of 4 cores" in one for one in burn.unpriced)
    assert any("App Service plan of PremiumV3 P3v3" in one for one in burn.unpriced)


async def test_containment_stops_each_kind_and_no_colleagues(estate: Estate) -> None:
    world = estate.world
    before = estate.billed(estate.own)
    async with simulated(world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        done = await carry_out(plan, connection, world)
    assert states(done) == {ActionState.DONE}, done.outcomes
    kinds = {action.kind for action in plan.actions}
    assert kinds == {
        "policy.deny_creation",
        "batch_pool.scale_to_zero",
        "ml_cluster.scale_to_zero",
        "ml_instance.stop",
        "cluster.stop",
        "container_group.stop",
        "site.stop",
    }
    assert estate.billed(estate.rogue) == ["asp-render"]  # a plan only ends by being deleted
    assert estate.billed(estate.own) == before
    written = [url.lower() for _, url in sent(world, "PUT", "PATCH", "POST", "DELETE")]
    assert not [url for url in written if "rg-own" in url]
    assert not [url for url in written if "/virtualmachinescalesets/" in url]
    kept = {n.target.lower(): n.reason for n in plan.no_ops}
    node_set = next(s.id for s in case[Inventory].scale_sets if "mc_rg-render" in s.id.lower())
    assert "Belongs to aks-render, which would start it again: stop it there." in kept[node_set.lower()]
    world.clock.advance(3600)
    assert estate.billed(estate.rogue) == ["asp-render"]


async def test_the_bill_is_read_back_and_counts_until_the_plan_is_gone(estate: Estate) -> None:
    world = estate.world
    async with simulated(world) as connection:
        case = await estate.case(connection)
        names = [
            i.rsplit("/", 1)[-1] for i in attackers_compute(case[Attribution], case[Inventory], case[PlatformCompute])
        ]
        assert sorted(names) == sorted(name for name in COMPUTE if name != "queue-worker")
        await carry_out(plan_for(case, "contain"), connection, world)
        case = await estate.case(connection)
        left = attackers_compute(case[Attribution], case[Inventory], case[PlatformCompute])
        assert left == (estate.rogue["asp-render"],)
        done = await carry_out(plan_for(case, "eradicate"), connection, world)
        assert states(done) == {ActionState.DONE}, done.outcomes
        case = await estate.case(connection)
        assert attackers_compute(case[Attribution], case[Inventory], case[PlatformCompute]) == ()


async def test_a_second_look_after_containment_sends_nothing(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        await carry_out(plan, connection, estate.world)
        before = len(sent(estate.world, "PUT", "PATCH", "POST", "DELETE"))
        again = await carry_out(plan, connection, estate.world)
    assert states(again) == {ActionState.ALREADY_SO}
    assert len(sent(estate.world, "PUT", "PATCH", "POST", "DELETE")) == before


async def test_undo_gives_every_pool_cluster_group_and_app_its_state_back(estate: Estate) -> None:
    world = estate.world
    watched = ("scaleSettings", "powerState", "state", "properties", "currentLowPriorityNodes", "currentDedicatedNodes")
    before = {
        n: {k: copy.deepcopy(world.resources[estate.rogue[n]]["properties"].get(k)) for k in watched} for n in STOPPABLE
    }
    async with simulated(world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        done = await carry_out(plan, connection, world)
        assert await undo_all(plan, done, connection, world) == []
    world.settle()
    for name in STOPPABLE:
        now = world.resources[estate.rogue[name]]["properties"]
        found = {key: now.get(key) for key in watched}
        if name == "gpu-train":  # Azure keeps what else it knows of a cluster
            assert found["properties"]["scaleSettings"] == before[name]["properties"]["scaleSettings"]
            assert found["properties"]["currentNodeCount"] == before[name]["properties"]["currentNodeCount"]
        else:
            assert found == before[name], name
    assert estate.billed(estate.rogue) == list(COMPUTE)


async def test_what_was_stopped_before_is_not_started_by_an_undo(estate: Estate) -> None:
    world = estate.world
    async with simulated(world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        await connection.hands.arm.post(f"{estate.rogue['aks-render']}/stop", "2026-08-01")
        await connection.hands.arm.post(f"{estate.rogue['notebook']}/stop", "2025-06-01")
        world.settle()
        done = await carry_out(plan, connection, world)
        nothing = await undo_all(plan, done, connection, world)
    assert {n.target for n in nothing} == {estate.rogue["aks-render"], estate.rogue["notebook"]}
    assert not is_billed(world, estate.rogue["aks-render"])


async def test_a_pool_under_resize_is_halted_first(estate: Estate) -> None:
    world = estate.world
    world.operation_seconds = 600
    async with simulated(world) as connection:
        grow = {"properties": {"scaleSettings": {"fixedScale": {"targetDedicatedNodes": 90}}}}
        await connection.hands.arm.patch(estate.rogue["frames"], "2025-06-01", grow)
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        mine = [a for a in plan.actions if a.target == estate.rogue["frames"]]
        assert [a.kind for a in mine] == ["batch_pool.stop_resize", "batch_pool.scale_to_zero"]
        assert mine[1].after == (mine[0].id,)
        world.operation_seconds = 0
        done = await carry_out(msgspec.structs.replace(plan, actions=tuple(mine)), connection, world)
    assert states(done) == {ActionState.DONE}, done.outcomes
    assert not is_billed(world, estate.rogue["frames"])


async def test_a_pool_made_anew_under_the_same_name_is_refused_as_stale(estate: Estate) -> None:
    world = estate.world
    async with simulated(world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "contain")
        for name in ("frames", "runner"):
            document = copy.deepcopy(world.resources[estate.rogue[name]])
            document["_created"] = document["properties"]["creationTime"] = "2026-11-20T04:00:00.0000000Z"
            world.resources[estate.rogue[name]] = document
        done = await carry_out(plan, connection, world)
    refused = {a.target for a in plan.actions if done.outcomes[a.id].state is ActionState.REFUSED}
    assert refused == {estate.rogue["frames"], estate.rogue["runner"]}
    assert is_billed(world, estate.rogue["frames"])


async def test_eradication_deletes_children_first_and_leaves_a_colleagues_plan(estate: Estate) -> None:
    world = estate.world
    # The attacker's app runs on the colleague's plan: with its last app Azure would delete that plan, if not told otherwise.
    shared = estate.own["asp-render"]
    del world.resources[estate.own["queue-worker"]]
    world.resources[estate.rogue["queue-worker"]]["properties"]["serverFarmId"] = shared
    async with simulated(world) as connection:
        case = await estate.case(connection)
        plan = plan_for(case, "eradicate")
        done = await carry_out(plan, connection, world)
    assert states(done) == {ActionState.DONE}, done.outcomes
    gone = [name for name, path in estate.rogue.items() if path not in world.resources]
    # What is attached to the workspace runs somewhere else: nobody here deletes it, nor what holds it.
    assert sorted(set(estate.rogue) - set(gone)) == ["attached", "workspace"]
    assert shared in world.resources
    assert not [path for name, path in estate.own.items() if path not in world.resources and name != "queue-worker"]
    order = [url.split("?")[0] for method, url in sent(world, "DELETE")]
    places = {
        name: next(i for i, url in enumerate(order) if url.endswith(path))
        for name, path in estate.rogue.items()
        if name in gone
    }
    assert max(places["frames"], places["formula"]) < places["account"]


async def test_a_cluster_goes_after_snapshots_of_its_volumes_beside_it(estate: Estate) -> None:
    world = estate.world
    cluster = world.resources[estate.rogue["aks-render"]]
    subscription = next(iter(world.subscriptions))
    group = f"{subscription}/resourceGroups/{cluster['properties']['nodeResourceGroup']}"
    volume = f"{group}/providers/Microsoft.Compute/disks/pvc-1"
    async with simulated(world) as connection:
        body = {
            "location": "eastus",
            "sku": {"name": "Premium_LRS"},
            "tags": {"kubernetes.io-created-for-pvc-name": "data"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64},
        }
        await connection.hands.arm.put(volume, "2026-03-02", body)
        world.settle()
        case = await estate.case(connection)
        plan = plan_for(case, "eradicate")
        snapshot = next(a for a in plan.actions if a.kind == "disk.snapshot")
        assert "/resourceGroups/rg-render/" in snapshot.params["snapshot"]
        deletion = next(a for a in plan.actions if a.kind == "cluster.delete")
        assert snapshot.id in deletion.after
        done = await carry_out(plan, connection, world)
    assert states(done) == {ActionState.DONE}, done.outcomes
    assert volume not in world.resources
    assert snapshot.params["snapshot"] in world.resources


async def test_what_cannot_be_read_is_said_and_its_account_stays(estate: Estate) -> None:
    from azure_simulator.faults import Fault

    estate.world.faults.append(Fault(kind="status", status=403, method="GET", url="/pools"))
    async with simulated(estate.world) as connection:
        case = await estate.case(connection)
    facts = case[PlatformCompute]
    assert not [one for one in facts.items if one.kind is Kind.BATCH_POOL]
    assert {note.what.split(" of ")[0] for note in facts.not_looked_at} == {"pools"}
    plan = plan_for(case, "eradicate")
    kept = {n.target: n.reason for n in plan.no_ops}
    assert "was not read" in kept[estate.rogue["account"]]
