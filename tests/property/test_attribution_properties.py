"""Attribution, whatever the log says: scores are sums, the order is indifferent, and some things are never taken for the attacker's."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from firebreak.analysis.actors import Actors, judge_actors, judgements
from firebreak.analysis.evidence import Kind, Weights
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.log_review import LogReview
from firebreak.analysis.ownership import Ownership
from firebreak.model.alert import Alert
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Class,
    Disk,
    DiskFacts,
    Inventory,
    Judgement,
    Lock,
    Machine,
    Resource,
    RoleAssignment,
)

Document = dict[str, Any]
START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = START + timedelta(days=20)
END = START + timedelta(days=24)
BASE = "/subscriptions/33333333-3333-4333-8333-333333333333"
OWN = "00000000-0000-4000-8000-0000000000ff"
CALLERS = {
    "ann@contoso.example": "00000000-0000-4000-8000-000000000001",
    "bob@contoso.example": "00000000-0000-4000-8000-000000000002",
    "guest@mail.example": "00000000-0000-4000-8000-000000000003",
    "00000000-0000-4000-8000-000000000004": "00000000-0000-4000-8000-000000000004",
    OWN: OWN,
}
ADDRESSES = ("198.51.100.4", "198.51.100.9", "203.0.113.7", "2001:db8:7:7::1", "2001:db8:7:7::2", "")
GROUPS = tuple(f"{BASE}/resourceGroups/rg-{n}" for n in range(3))
KINDS = (
    ("Microsoft.Compute/virtualMachines/write", "{group}/providers/Microsoft.Compute/virtualMachines/vm-{n}"),
    ("Microsoft.Compute/disks/write", "{group}/providers/Microsoft.Compute/disks/disk-{n}"),
    ("Microsoft.Resources/subscriptions/resourceGroups/write", "{group}"),
    ("Microsoft.Authorization/locks/write", "{group}/providers/Microsoft.Authorization/locks/lock-{n}"),
    (
        "Microsoft.Authorization/roleAssignments/write",
        f"{BASE}/providers/Microsoft.Authorization/roleAssignments/r-{{n}}",
    ),
    (
        "Microsoft.Authorization/policyAssignments/delete",
        f"{BASE}/providers/Microsoft.Authorization/policyAssignments/p-{{n}}",
    ),
    ("Microsoft.Quota/quotas/write", f"{BASE}/providers/Microsoft.Quota/quotas/q-{{n}}"),
    ("Microsoft.Compute/virtualMachines/delete", "{group}/providers/Microsoft.Compute/virtualMachines/vm-{n}"),
    ("Microsoft.Storage/storageAccounts/listKeys/action", "{group}/providers/Microsoft.Storage/storageAccounts/st{n}"),
)
SIZES = ("Standard_D4s_v5", "Standard_NC24ads_A100_v4", "Standard_F72s_v2")


SEEDS = st.integers(0, 2**32)


def _log(seed: int) -> list[Document]:
    """Weeks of usual work of some, then anything by anybody in the window."""
    chance = random.Random(seed)  # noqa: S311
    found: list[Document] = []
    for caller in chance.sample(sorted(CALLERS), chance.randint(1, 4)):
        usual = chance.sample(ADDRESSES, chance.choice([1, 1, 2, 5]))
        for _ in range(chance.choice([3, 12, 30])):
            at = START + (WINDOW - START) * chance.random()
            found.append(_event(chance, len(found), at, caller, chance.choice(usual)))
    for caller in chance.sample(sorted(CALLERS), chance.randint(1, 5)):
        for address in chance.sample(ADDRESSES, chance.choice([1, 2])):
            start = WINDOW + (END - WINDOW) * chance.random() * 0.9
            mfa = chance.choice([True, False, None])
            for number in range(chance.choice([1, 3, 12])):
                at = start + timedelta(minutes=3 * number)
                found.append(_event(chance, len(found), at, caller, address, mfa=mfa))
    return found


def _event(
    chance: random.Random, number: int, at: datetime, caller: str, address: str, *, mfa: bool | None = True
) -> Document:
    name, place = chance.choice(KINDS)
    asked = {
        "location": chance.choice(["westeurope", "eastus"]),
        "properties": {
            "hardwareProfile": {"vmSize": chance.choice(SIZES)},
            "principalId": chance.choice(sorted(CALLERS.values())) if "roleAssignments" in name else "",
        },
    }
    claims = {
        "http://schemas.microsoft.com/identity/claims/objectidentifier": CALLERS[caller],
        "appid": chance.choice(["app-1", "app-2"]),
        "ipaddr": address,
        "uti": chance.choice(["", f"{caller[:3]}{at:%d%H}"]),
    }
    if mfa is not None:
        claims["http://schemas.microsoft.com/claims/authnmethodsreferences"] = "pwd,mfa" if mfa else "pwd"
    return {
        "eventDataId": f"e-{number}",
        "eventTimestamp": at.isoformat(),
        "operationName": {"value": name},
        "resourceId": place.format(group=chance.choice(GROUPS), n=chance.randrange(6)),
        "status": {"value": chance.choice(["Succeeded", "Succeeded", "Succeeded", "Failed"])},
        "subStatus": {"value": chance.choice(["Created", ""])},
        "caller": caller,
        "claims": claims,
        "correlationId": f"c-{number}",
        "properties": {"requestbody": json.dumps(asked)},
    }


def _facts(events: list[Document]) -> ActivityFacts:
    review = LogReview()
    review.add(events)
    return review.facts(window_start=WINDOW, from_time=START, to_time=END)


def _world(chance: random.Random) -> tuple[Inventory, DiskFacts, AccessFacts]:
    """What stands in the groups, of any age."""

    def age() -> datetime | None:
        return chance.choice([None, START + (END - START) * chance.random()])

    machines = tuple(
        Machine(
            id=f"{group}/providers/Microsoft.Compute/virtualMachines/vm-{n}",
            name=f"vm-{n}",
            region="westeurope",
            size=chance.choice(SIZES),
            power="running",
            vm_id=f"{n}",
            created_at=age(),
            disk_ids=(f"{group}/providers/Microsoft.Compute/disks/disk-{n}",),
        )
        for group in GROUPS
        for n in range(3)
    )
    disks = tuple(
        Disk(
            id=f"{group}/providers/Microsoft.Compute/disks/disk-{n}",
            name=f"disk-{n}",
            region="westeurope",
            size_gb=64,
            sku="Premium_LRS",
            state="Unattached",
            unique_id=f"{n}",
            created_at=age(),
        )
        for group in GROUPS
        for n in range(5)
    )
    groups = tuple(Resource(id=group, type="group", name=group[-4:], created_at=age()) for group in GROUPS)
    roles = tuple(
        RoleAssignment(
            id=f"{BASE}/providers/Microsoft.Authorization/roleAssignments/r-{n}",
            scope=BASE,
            role_definition_id="owner",
            role_name="Owner",
            principal_id=chance.choice(sorted(CALLERS.values())),
            principal_type="User",
            created_at=age(),
            created_by=chance.choice(["", *CALLERS.values()]),
        )
        for n in range(6)
    )
    locks = tuple(
        Lock(id=f"{group}/providers/Microsoft.Authorization/locks/lock-{n}", scope=group, level="CanNotDelete")
        for group in GROUPS
        for n in range(2)
    )
    inventory = Inventory(machines=machines, groups=groups)
    return inventory, DiskFacts(disks=disks), AccessFacts(role_assignments=roles, locks=locks)


ALERT = Alert(
    id="a",
    source="graph",
    type="CryptoMining",
    title="Mining",
    severity="high",
    subscription_id="33333333-3333-4333-8333-333333333333",
    customer_tenant_id="22222222-2222-4222-8222-222222222222",
    detected_at=END,
    first_observed_at=WINDOW + timedelta(days=2),
    last_observed_at=END,
    affected_resources=(f"{GROUPS[0]}/providers/Microsoft.Compute/virtualMachines/vm-1",),
)


def _judge(events: list[Document], seed: int) -> tuple[Actors, tuple[Judgement, ...], tuple[Judgement, ...]]:
    activity = _facts(events)
    inventory, disks, access = _world(random.Random(seed))  # noqa: S311
    history = History(activity, inventory)
    actors = judge_actors(activity, history, ALERT, own=(OWN,), access=access)
    resources = Ownership(activity, history, actors, ALERT).judge(inventory, disks, access)
    return actors, judgements(actors, history), resources


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_every_score_is_the_sum_of_the_reasons_that_are_shown(seed: int) -> None:
    _, actors, resources = _judge(_log(seed), seed)
    assert resources
    for judgement in (*actors, *resources):
        assert judgement.reasons
        assert judgement.score == sum(reason.points for reason in judgement.reasons)
        assert all(reason.text.strip() for reason in judgement.reasons)
        if judgement.cls is Class.ATTACKER:
            assert judgement.score >= Weights().attacker_from
            assert any(reason.points > 0 for reason in judgement.reasons)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_events_is_indifferent(seed: int) -> None:
    shuffled = _log(seed)
    random.Random(seed + 1).shuffle(shuffled)  # noqa: S311
    assert _judge(shuffled, seed)[1:] == _judge(_log(seed), seed)[1:]


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_nobody_is_an_attacker_at_a_usual_address_or_by_one_kind_of_evidence(seed: int) -> None:
    actors, told, resources = _judge(_log(seed), seed)
    for judged in actors.attackers:
        kinds = {one.kind for one in judged.clues if one.reason.points > 0}
        assert Kind.TIE in kinds or {Kind.IDENTITY, Kind.BEHAVIOUR} <= kinds
        assert judged.work.familiarity not in (Familiarity.USUAL, Familiarity.IN_CHARACTER)
        assert OWN not in (judged.work.session.caller, judged.work.session.principal_id)
    assert OWN not in {one.principal_id for one in told if one.cls is Class.ATTACKER}
    theirs = [one for one in resources if one.cls is Class.ATTACKER]
    assert all(one.created_at is None or one.created_at >= WINDOW - timedelta(hours=2) for one in theirs)


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_only_a_session_that_was_proven_on_both_counts_can_draw_others_in(seed: int) -> None:
    actors, _, _ = _judge(_log(seed), seed)
    if actors.attackers:
        kinds = [{one.kind for one in judged.clues if one.reason.points > 0} for judged in actors.attackers]
        assert any({Kind.IDENTITY, Kind.BEHAVIOUR} <= found for found in kinds)
