"""What the attacker did in few words: kinds by operation, runs of one kind together, and nothing of what an honest session did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firebreak.analysis.deeds import deeds, kind_of_deed, together
from firebreak.model.facts import ActivityFacts, Attribution, Class, Judgement, Operation

AT = datetime(2026, 11, 19, 1, tzinfo=UTC)
THIEF = Judgement(id="ada@x.example", cls=Class.ATTACKER, score=90, address="203.0.113.9", established=True)
GUEST = Judgement(id="eve@x.example", cls=Class.ATTACKER, score=90, address="203.0.113.10")
FOUND = Attribution(actors=(THIEF, GUEST), verdict="fraud")
NAMES = (
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Quota/quotas/write",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Storage/storageAccounts/listKeys/action",
)


def done(
    name: str, minutes: float, *, by: Judgement = THIEF, address: str = "", status: str = "succeeded", **more: object
) -> Operation:
    return Operation(  # type: ignore[arg-type]
        id=f"{name}{minutes}{by.id}",
        name=name,
        status=status,
        at=AT + timedelta(minutes=minutes),
        caller=by.id,
        address=address or by.address,
        event_ids=(f"e{minutes}",),
        **more,
    )


def log(*operations: Operation) -> ActivityFacts:
    return ActivityFacts(events=len(operations), from_time=AT, to_time=AT, window_start=AT, operations=operations)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Microsoft.Compute/virtualMachines/write", "compute"),
        ("MICROSOFT.COMPUTE/VIRTUALMACHINESCALESETS/WRITE", "compute"),
        ("Microsoft.Compute/virtualMachines/extensions/write", "run"),
        ("Microsoft.Compute/virtualMachines/runCommand/action", "run"),
        ("Microsoft.Authorization/roleAssignments/write", "grant"),
        ("Microsoft.Authorization/roleAssignments/delete", "evict"),
        ("Microsoft.Authorization/locks/delete", "unguard"),
        ("Microsoft.Authorization/locks/write", "lock"),
        ("Microsoft.Authorization/policyAssignments/write", "policy"),
        ("Microsoft.Authorization/elevateAccess/action", "elevate"),
        ("Microsoft.Quota/quotas/write", "quota"),
        ("Microsoft.Quota/register/action", "register"),
        ("Microsoft.Storage/storageAccounts/listKeys/action", "keys"),
        ("Microsoft.Compute/disks/beginGetAccess/action", "export"),
        ("Microsoft.Network/networkSecurityGroups/securityRules/write", "network"),
        ("Microsoft.Network/virtualNetworks/write", "create"),
        ("Microsoft.Compute/virtualMachines/delete", "delete"),
        ("Microsoft.Logic/workflows/write", "persist"),
        ("Add member to role", "invite"),
        ("something else", "other"),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of_deed(name)[0] == kind


def test_a_kind_is_one_deed_until_an_hour_passes_without_it() -> None:
    name = NAMES[0]
    activity = log(done(name, 0, region="eastus"), done(name, 50, region="eastus"), done(name, 111, status="failed"))
    found = deeds(activity, FOUND)
    assert [(deed.count, deed.failed, deed.regions) for deed in found] == [(2, 0, (("eastus", 2),)), (1, 1, ())]
    assert [(deed.count, deed.failed) for deed in together(found)] == [(3, 1)]


def test_what_a_stolen_identity_does_honestly_is_not_the_attackers() -> None:
    honest = done(NAMES[0], 1, address="198.51.100.7")
    (deed,) = deeds(log(done(NAMES[0], 0), honest), FOUND)
    assert deed.event_ids == ("e0",)


def test_the_region_of_a_quota_request_stands_in_the_limits_id() -> None:
    target = (
        "/subscriptions/s/providers/Microsoft.Compute/locations/koreacentral/providers/Microsoft.Quota/quotas/cores"
    )
    (deed,) = deeds(log(done(NAMES[1], 0, by=GUEST, resource_id=target)), FOUND)
    assert (deed.actor, deed.regions) == (1, (("koreacentral", 1),))


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 500), st.sampled_from([THIEF, GUEST])), max_size=30))
def test_no_operation_is_lost_or_told_twice(rows: list[tuple[str, int, Judgement]]) -> None:
    operations = [done(name, minutes, by=by) for name, minutes, by in rows]
    found = deeds(log(*operations), FOUND)
    assert sum(deed.count for deed in found) == len(rows)
    assert sum(deed.count for deed in together(found)) == len(rows)
    assert all(deed.first <= deed.last for deed in found)
    assert [deed.first for deed in found] == sorted(deed.first for deed in found)
