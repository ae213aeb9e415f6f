"""Whatever an inventory holds, no plan of the shipped steps touches what is protected or lies outside, however it is spelt (P4)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.model.canonical import canonical_bytes
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    BurnRate,
    Class,
    Disk,
    DiskFacts,
    Inventory,
    Judgement,
    Lock,
    Resource,
    RoleAssignment,
    ScaleSet,
    SubscriptionFacts,
)
from firebreak.model.plan import Plan, Protection
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.unit.firebreak.execution.builders import (
    CUSTOMER,
    NOON,
    SUBSCRIPTION,
    make_incident,
    make_machine,
    make_playbook,
)

STEPS = [s for name, s in load_steps().items() if s.plan and name.startswith(("contain.", "eradicate."))]
OTHER = SUBSCRIPTION.replace("3", "4")
KINDS = {
    "machine": "Microsoft.Compute/virtualMachines",
    "scale_set": "Microsoft.Compute/virtualMachineScaleSets",
    "disk": "Microsoft.Compute/disks",
    "nic": "Microsoft.Network/networkInterfaces",
    "autoscale": "Microsoft.Insights/autoscaleSettings",
}
# How a protected name may be written by somebody who wants it overlooked, or by a person who typed it in.
SPELLINGS = (
    str,
    str.upper,
    str.title,
    lambda s: s.replace("k", "\u212a"),
    lambda s: s.replace("i", "\u0130"),
    lambda s: f" {s} ",
)
SUBSCRIPTIONS = (
    SUBSCRIPTION,
    SUBSCRIPTION.upper(),
    OTHER,
    f"{SUBSCRIPTION}0",
    f"{SUBSCRIPTION} ",
    f"x/../{SUBSCRIPTION}",
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Any], Protection, set[str], list[Lock]]:
    """Facts about things that are all judged the attacker's, what is protected, the ids that must never be targets, and locks."""
    named_tag, named_group = "kiwi=milk", "kitchen-is"
    forbidden: set[str] = set()
    rows: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for number in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        where = draw(st.sampled_from((*SUBSCRIPTIONS[:2],) * 4 + SUBSCRIPTIONS))
        spelled = draw(st.sampled_from(SPELLINGS))
        group = draw(st.sampled_from(("rg", "rg", "rg2", spelled(named_group).strip())))
        name = draw(st.sampled_from((f"n{number}", f"providers{number}", "providers", "subscriptions")))
        identity = f"/subscriptions/{where}/resourceGroups/{group}/providers/{KINDS[kind]}/{name}"
        if identity.lower() in {one.id.lower() for found in rows.values() for one in found}:
            continue  # Azure has no two things of one id
        key, _, value = named_tag.partition("=")
        tag = {spelled(key): spelled(value)} if draw(st.booleans()) and draw(st.booleans()) else {}
        if where.lower() != SUBSCRIPTION or group not in ("rg", "rg2") or tag:
            forbidden.add(identity.lower())
        rows[kind].append(thing(kind, identity, name, tag))
    ids = [one.id for found in rows.values() for one in found]
    locked = draw(st.lists(st.sampled_from(ids), max_size=2))
    above = draw(st.sampled_from(("", "group", "subscription")))
    locks = [lock_on(one) for one in locked]
    forbidden |= {one.lower() for one in locked}
    if above and draw(st.booleans()):
        scope = ids[0].split("/providers/")[0] if above == "group" else f"/subscriptions/{SUBSCRIPTION}"
        locks.append(lock_on(scope))
        forbidden |= {one.lower() for one in ids if one.lower().startswith(scope.lower() + "/")}
    inventory = Inventory(
        machines=tuple(rows["machine"]),
        scale_sets=tuple(rows["scale_set"]),
        resources=(*rows["nic"], *rows["autoscale"]),
    )
    facts = [inventory, DiskFacts(disks=tuple(rows["disk"])), ids]
    return facts, Protection(tags=(named_tag,), groups=(named_group,)), forbidden, locks


def thing(kind: str, identity: str, name: str, tags: dict[str, str]) -> Any:
    if kind == "machine":
        return make_machine(1, id=identity, name=name, tags=tags)
    if kind == "scale_set":
        return ScaleSet(
            id=identity,
            name=name,
            region="eastus",
            size="s",
            capacity=1,
            unique_id="u",
            tags=tags,
            power={"0": "running"},
        )
    if kind == "disk":
        return Disk(
            id=identity, name=name, region="eastus", size_gb=1, sku="s", state="Unattached", unique_id="u", tags=tags
        )
    return Resource(id=identity, type=KINDS[kind], name=name, created_at=NOON, tags=tags)


def lock_on(scope: str) -> Lock:
    return Lock(id=f"{scope}/providers/Microsoft.Authorization/locks/l", scope=scope, level="ReadOnly")


def plans(facts: list[Any], protection: Protection, locks: list[Lock], *, by_operator: bool) -> list[Plan]:
    inventory, disks, ids = facts
    scope = f"/subscriptions/{SUBSCRIPTION}"
    owner = RoleAssignment(
        id=f"{scope}/providers/Microsoft.Authorization/roleAssignments/r",
        scope=scope,
        role_definition_id="x",
        role_name="Owner",
        principal_id="eve",
        principal_type="User",
    )
    known = {
        Inventory: inventory,
        DiskFacts: disks,
        AccessFacts: AccessFacts(locks=tuple(locks), role_assignments=(owner,)),
        ActivityFacts: ActivityFacts(events=0, from_time=NOON, to_time=NOON, window_start=NOON),
        BurnRate: BurnRate(),
        SubscriptionFacts: SubscriptionFacts(
            subscription_id=SUBSCRIPTION, tenant_id=CUSTOMER, display_name="", state="", own_principal_ids=("me",)
        ),
        Attribution: Attribution(
            verdict="fraud",
            resources=tuple(Judgement(id=one, cls=Class.ATTACKER, score=99) for one in (*ids, owner.id)),
        ),
    }
    rails = {} if by_operator else {"protected_tags": protection.tags, "protected_groups": protection.groups}
    more = {"operator": protection} if by_operator else {}
    case = Case(incident=make_incident(), playbook=make_playbook(**rails), now=NOON, facts=known, **more)  # type: ignore[arg-type]
    return [make_plan(case, stage="x", steps=[step], round=1, engine_version="test") for step in STEPS]


@settings(max_examples=120)
@given(world=worlds(), by_operator=st.booleans())
def test_no_plan_touches_what_is_protected_locked_or_elsewhere(world: Any, by_operator: bool) -> None:
    facts, protection, forbidden, locks = world
    for plan in plans(facts, protection, locks, by_operator=by_operator):
        assert not plan.errored, plan.problems
        targets = {a.target.lower() for a in plan.actions}
        assert not targets & forbidden
        assert all(t.startswith(f"/subscriptions/{SUBSCRIPTION}/") for t in targets if t.startswith("/subscriptions/"))
        assert f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.authorization/roleassignments/r" not in targets


@settings(max_examples=40)
@given(world=worlds(), seed=st.randoms(use_true_random=False))
def test_the_shipped_steps_plan_the_same_whatever_the_order_of_facts(world: Any, seed: Any) -> None:
    facts, protection, _, locks = world
    first = [canonical_bytes(plan) for plan in plans(facts, protection, locks, by_operator=False)]
    inventory, disks, ids = facts
    machines, sets, rest = (list(rows) for rows in (inventory.machines, inventory.scale_sets, inventory.resources))
    for rows in (machines, sets, rest, ids, locks):
        seed.shuffle(rows)
    mixed = Inventory(machines=tuple(machines), scale_sets=tuple(sets), resources=tuple(rest))
    again = plans([mixed, disks, ids], protection, locks, by_operator=False)
    assert [canonical_bytes(plan) for plan in again] == first
