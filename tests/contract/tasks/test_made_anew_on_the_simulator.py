"""P1 for every kind of action: its target, deleted and made anew under the same name after the plan was made, is told apart and left alone.

Each kind is looked at before and after its one target was exchanged in the simulator's world; only then must the fingerprint differ.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from azure_simulator.world import World
from firebreak.execution.looking import why_stale
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, Attribution, Class, DiskFacts, Inventory, Judgement, Resource
from firebreak.model.mode import Mode
from firebreak.model.outcome import STALE
from firebreak.model.plan import Action
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import first_case, plan_of, shipped, world_of
from tests.support.inprocess import simulated, subscription_of
from tests.unit.firebreak.execution.builders import make_action, make_small_plan

LATER = "2026-03-03T04:29:59.0000000Z"
OTHER = "99999999-9999-4999-8999-999999999999"
_WORLD: list[World] = []
_PLANNED: dict[str, tuple[Action, ...]] = {}
_PREPARED = ("blob.delete", "policy.remove", "lock.remove", "group.delete", "alert.resolve")

Exchange = Callable[[World, str], None]


def resource(**properties: Any) -> Exchange:
    def exchange(world: World, target: str) -> None:
        document = world.resources[target]
        document["properties"] = {**document["properties"], **properties}

    return exchange


def created_anew(world: World, target: str) -> None:
    document = world.resources[target]
    document["_created"] = LATER
    document["properties"] = {**document.get("properties", {}), "timeCreated": LATER}
    if "createdAt" in document.get("systemData", {}):
        document["systemData"] = {**document["systemData"], "createdAt": LATER}


def role_again(world: World, target: str) -> None:
    row = world.role_assignments[target]
    row["properties"] = {**row["properties"], "createdOn": LATER}


def lock_again(world: World, target: str) -> None:
    world.locks[target] = {**world.locks[target], "systemData": {"createdAt": LATER}}


def policy_again(world: World, target: str) -> None:
    row = world.policy_assignments[target]
    world.policy_assignments[target] = {**row, "systemData": {**row.get("systemData", {}), "createdAt": LATER}}


def blob_again(world: World, target: str) -> None:
    account, container, name = (target.split("/")[i] for i in (8, 12, 14))
    blob = world.blobs[f"{account}/{container}/{name}"]
    blob["etag"] = '"0x8DANEW"'


def group_again(world: World, target: str) -> None:
    world.groups[target]["location"] = "brazilsouth"


def limit_changed(world: World, target: str) -> None:
    parts = target.split("/")
    region, family = parts[parts.index("locations") + 1], parts[-1]
    key = next(k for k in world.quotas if k.lower().endswith(f"/{region}/{family}".lower()))
    world.quotas[key]["limit"] += 7


def alert_of_another(world: World, target: str) -> None:
    world.alerts[target.rsplit("/", 1)[-1]]["subscriptionId"] = OTHER


# Kind of action -> (stage, what happens to its target, the name of the value that tells).
KINDS: dict[str, tuple[str, Exchange, str]] = {
    "machine.deallocate": ("contain", resource(vmId=OTHER), "vmId"),
    "scale_set.deallocate": ("contain", resource(uniqueId=OTHER), "uniqueId"),
    "autoscale.disable": ("contain", created_anew, "createdTime"),
    "access.remove": ("contain", role_again, "createdOn"),
    "lock.remove": ("contain", lock_again, "createdAt"),
    "disk.snapshot": ("eradicate", resource(uniqueId=OTHER), "uniqueId"),
    "disk.delete": ("eradicate", resource(uniqueId=OTHER), "uniqueId"),
    "machine.delete": ("eradicate", resource(vmId=OTHER), "vmId"),
    "scale_set.delete": ("eradicate", resource(uniqueId=OTHER), "uniqueId"),
    "resource.delete": ("eradicate", created_anew, "createdTime"),
    "group.delete": ("eradicate", group_again, "location"),
    "blob.delete": ("eradicate", blob_again, "etag"),
    "quota.reduce": ("reduce-quota", limit_changed, "limit"),
    "policy.remove": ("recover", policy_again, "createdAt"),
    "alert.resolve": ("close", alert_of_another, "subscriptionId"),
}
# Nothing of these can be made anew: they create what is not there, or name an object of the partner's that keeps its id for good.
CREATING = {"policy.deny_creation", "support.ticket", "quota.ticket", "taken.restore"}
KEEPS_ITS_ID = {"entitlement.cancel", "entitlement.reactivate", "fraud_event.resolve"}
# In the directory people, applications, keys, methods and grants are named by ids that are drawn once and never again.
OF_THE_DIRECTORY = {
    *("user.disable", "user.enable", "user.reset_password", "user.revoke_sessions", "user.revoke_sessions_again"),
    *("application.disable", "application.enable", "certificate.remove", "secret.remove"),
    *("consent.remove", "consent.restore", "contact.put_back", "contact.restore", "method.remove", "method.restore"),
    *("directory_role.remove", "directory_role.restore", "eligible_role.remove", "eligible_role.restore"),
    *("eligible_access.remove", "eligible_access.restore"),  # of Azure, and told by who may take up which role where
    *("app_secret.renew", "app_secret.retire"),
    *("right.remove", "right.restore", "access_policy.restore", "issuer.remove", "issuer.restore"),
}
# What hardening sets up is told from what somebody changed since: test_hardening_on_the_simulator.py.
OF_HARDENING = {
    *("alert_place.make", "alert_place.remove", "usage_budget.set", "usage_budget.put_back"),
    *("defender_plan.turn_on", "defender_plan.put_back", "security_defaults.switch_on", "security_defaults.put_back"),
}
# Told apart beside the worlds that they need: test_platform_compute_on_the_simulator.py, test_footholds_on_the_simulator.py,
# test_keys_and_vaults_on_the_simulator.py and test_restored_removals_on_the_simulator.py.
ELSEWHERE = {
    *("batch_pool.stop_resize", "foothold.remove", "foothold.restore", "export.end", "taken.remove"),
    *("storage_key.regenerate", "vault_door.close", "vault_door.reopen"),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_a_target_made_anew_under_the_same_name_is_stale(kind: str) -> None:
    stage, exchange, telling = KINDS[kind]
    if not _WORLD:
        _WORLD.append(world_of("crypto-mining"))
    world = _WORLD[0]
    case = await prepared(world, kind)
    action = next(a for a in planned(case, stage, kind) if a.kind == kind)
    look = load_steps()[action.step].look
    assert look is not None
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        before = (await look([action], connection.eyes))[action.id]
        others = {k: v for k, v in action.fingerprint.items() if k not in ("state", "contents", "lease")}
        assert others, "nothing identifies the target"
        assert {k: before.fingerprint.get(k) for k in others} == others
        with put_back(world, action.target):
            exchange(world, action.target)
            after = (await look([action], connection.eyes))[action.id]
    assert not after.already_so
    reason = why_stale(action, after)
    assert reason.startswith(STALE)
    assert f"{telling} is " in reason
    assert f"(was {action.fingerprint[telling]} when the plan was made)" in reason


def test_every_kind_of_action_is_among_those_told_apart() -> None:
    """A new kind of action comes with its fingerprint, or says here why it needs none."""
    texts = [str(value) for step in load_steps().values() if step.plan for value in constants_of(step.plan)]
    kinds = {
        text
        for text in texts
        if text.count(".") == 1 and "/" not in text and text.replace(".", "").replace("_", "").islower()
    }
    undoing = {"machine.start", "scale_set.start", "autoscale.enable", "access.restore", "lock.restore", "disk.restore"}
    undoing |= {"quota.restore", "policy.restore"}
    # Of the partner's own tenant, where a relationship keeps its id: test_partner_posture.py.
    undoing |= {"partner_defaults.enable", "partner_defaults.disable", "relationship.end"}
    known = {*KINDS, *CREATING, *KEEPS_ITS_ID, *OF_THE_DIRECTORY, *OF_HARDENING, *ELSEWHERE, *undoing}
    steps = set(load_steps())
    assert {k for k in kinds if k not in steps} <= known, {k for k in kinds if k not in steps} - known


def constants_of(function: Callable[..., Any]) -> list[Any]:
    """Module constants of a step and of the modules it shares with other steps."""
    module = sys.modules[function.__module__]
    shared = [getattr(module, name) for name in ("disks", "quota") if hasattr(module, name)]
    return [v for m in (module, *shared) for n, v in vars(m).items() if n.isupper() and isinstance(v, str)]


def planned(case: Case, stage: str, kind: str) -> tuple[Action, ...]:
    if kind in _PREPARED:
        return plan_of(case, stage).actions
    if stage not in _PLANNED:
        _PLANNED[stage] = plan_of(case, stage).actions
    return _PLANNED[stage]


@contextmanager
def put_back(world: World, target: str) -> Iterator[None]:
    """Give the shared world back what stood at the target."""
    tables = (world.resources, world.groups, world.role_assignments, world.locks, world.policy_assignments)
    kept = [(table, copy.deepcopy(table[target])) for table in tables if target in table]
    try:
        yield
    finally:
        for table, document in kept:
            table[target] = document
        for table in (world.locks, world.policy_assignments):
            table.pop(target, None)


async def prepared(world: World, kind: str) -> Case:
    """The case as first found, with what a kind needs to be planned at all."""
    playbook = shipped()
    if kind == "policy.remove":
        playbook.parameters["recover.lift_block"] = {"lift": True}
    case = await first_case("crypto-mining", playbook)
    if kind == "policy.remove":
        plan = plan_of(case, "contain")
        deny = next(a for a in plan.actions if a.kind == "policy.deny_creation")
        put = load_steps()[deny.step].apply
        assert put is not None
        async with simulated(world) as connection:
            await put(deny, connection.hands)
            collect = load_steps()["investigate.access"].collect
            assert collect is not None
            return case.with_facts(await collect(connection.eyes, case))
    if kind == "blob.delete":
        free = next(blob for blob in case[DiskFacts].blobs if not blob.leased)
        return case.with_facts(judged(case, free.id), msgspec.structs.replace(case[AccessFacts], locks=()))
    if kind == "lock.remove":
        return await with_attackers_lock(world, case)
    if kind == "alert.resolve":
        return case.with_facts(msgspec.structs.replace(case[Inventory], machines=(), scale_sets=()))
    if kind == "group.delete":
        return with_empty_group(world, case)
    return case


async def with_attackers_lock(world: World, case: Case) -> Case:
    scope = f"/subscriptions/{subscription_of(world)}"
    key = f"{scope}/providers/Microsoft.Authorization/locks/eve"
    document = {"id": key, "name": "eve", "type": "Microsoft.Authorization/locks"}
    world.locks[key] = {
        **document,
        "properties": {"level": "ReadOnly", "notes": "mine"},
        "systemData": {"createdAt": "2026-03-03T01:00:00.0000000Z"},
    }
    collect = load_steps()["investigate.access"].collect
    assert collect is not None
    async with simulated(world, mode=Mode.DRY_RUN) as connection:
        access: AccessFacts = await collect(connection.eyes, case)
    return case.with_facts(access, judged(case, key))


def judged(case: Case, identity: str) -> Attribution:
    mine = Judgement(id=identity, cls=Class.ATTACKER, score=100)
    found = case[Attribution]
    return msgspec.structs.replace(found, resources=(*(j for j in found.resources if j.id != identity), mine))


def with_empty_group(world: World, case: Case) -> Case:
    key = f"/subscriptions/{subscription_of(world)}/resourceGroups/rg-empty"
    world.groups[key] = {
        "id": key,
        "name": "rg-empty",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "westeurope",
        "properties": {"provisioningState": "Succeeded"},
    }
    inventory = case[Inventory]
    group = Resource(id=key, type="Microsoft.Resources/resourceGroups", name="rg-empty", region="westeurope")
    inventory = msgspec.structs.replace(inventory, groups=(*inventory.groups, group))
    return case.with_facts(inventory, judged(case, key))


def test_an_irreversible_action_that_nothing_identifies_is_not_planned() -> None:
    def deletion(**fields: Any) -> Action:
        return make_action(1, kind="machine.delete", effect=Effect.IRREVERSIBLE, **fields)

    assert make_small_plan(deletion(), effect=Effect.IRREVERSIBLE).actions
    unknown = make_small_plan(deletion(fingerprint={}), effect=Effect.IRREVERSIBLE)
    assert unknown.actions == ()
    assert ["identifies it" in one.reason for one in unknown.no_ops] == [True]
