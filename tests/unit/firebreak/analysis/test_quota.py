"""Quota as an attacker sees it: kinds of families, what bounds what, and one row for each request wherever it was seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firebreak.analysis.quota import asked_for, folded, in_words, kind_of_family, open_quota
from firebreak.model.facts import ActivityFacts, Operation, QuotaFacts, QuotaUsage

AT = datetime(2026, 11, 19, 1, tzinfo=UTC)
FAMILIES = ("standardDSv5Family", "standardNDSv2Family", "Standard NCASv3_T4 Family", "standardHBv3Family")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("standardNCADSA100v4Family", "gpu"),
        ("Standard NCASv3_T4 Family", "gpu"),
        ("standardNVADSA10v5Family", "gpu"),
        ("standardNGADSV620v1Family", "gpu"),
        ("standardHBrsv2Family", "hpc"),
        ("standardHCSFamily", "hpc"),
        ("standardHFamily", "hpc"),
        ("standardDSv5Family", ""),
        ("standardFSv2Family", ""),
        ("cores", ""),
        ("lowPriorityCores", ""),
        ("virtualMachines", ""),
        ("", ""),
    ],
)
def test_kinds_of_families(name: str, kind: str) -> None:
    assert kind_of_family(name) == kind


def test_one_limit_has_one_folded_name() -> None:
    names = ("standardNCADSA100v4Family", "NCADS_A100_v4 Series", "Standard NCADS_A100_v4 Family vCPUs")
    assert len({folded(name) for name in names}) == 1
    assert folded("standardDSv5Family") != folded("standardDSv4Family")


@given(
    st.lists(
        st.tuples(st.sampled_from(["cores", "lowPriorityCores", *FAMILIES]), st.integers(0, 500), st.integers(0, 500)),
        unique_by=lambda row: row[0],
    )
)
def test_no_more_can_be_started_than_total_and_families_allow(rows: list[tuple[str, int, int]]) -> None:
    usages = [QuotaUsage(region="eastus", name=n, title=n, used=used, limit=limit) for n, used, limit in rows]
    found = open_quota(usages, ["eastus"])
    free = {name: max(0, limit - used) for name, used, limit in rows}
    assert len(found) <= 1
    for row in found:
        assert row.vcpus <= free.get("cores", row.vcpus)
        if set(free) & set(FAMILIES):
            assert row.vcpus <= sum(free.get(name, 0) for name in FAMILIES)
        assert row.gpu <= row.vcpus
        assert row.hpc <= row.vcpus
        assert row.spot == free.get("lowPriorityCores", 0)
        assert row.vcpus + row.spot > 0
    if free.get("lowPriorityCores"):
        assert found


def log(*operations: Operation) -> ActivityFacts:
    return ActivityFacts(events=len(operations), from_time=AT, to_time=AT, window_start=AT, operations=operations)


def asks(name: str, minutes: float, status: str = "succeeded") -> Operation:
    target = f"/subscriptions/s/providers/Microsoft.Compute/locations/eastus/providers/Microsoft.Quota/quotas/{name}"
    return Operation(
        id=f"{name}{minutes}",
        name="Microsoft.Quota/quotas/write",
        status=status,
        at=AT + timedelta(minutes=minutes),
        caller="eve@x.example",
        address="203.0.113.9",
        resource_id=target,
        event_ids=(f"e{minutes}",),
    )


def listed(name: str, minutes: float, state: str = "Succeeded") -> dict[str, object]:
    return {
        "id": f"/subscriptions/s/providers/Microsoft.Compute/locations/eastus/providers/Microsoft.Quota/quotaRequests/{minutes}",
        "properties": {
            "requestSubmitTime": (AT + timedelta(minutes=minutes)).isoformat(),
            "provisioningState": state,
            "value": [{"name": {"value": name}, "limit": {"value": 100}}],
        },
    }


def test_a_request_in_log_and_list_is_one_row() -> None:
    facts = QuotaFacts(requests=(listed("f", 0), listed("f", 60)))
    rows = asked_for(facts, log(asks("F", 60.1), asks("f", 0.1)))
    assert [(row.id[-2:].strip("/"), row.operation.event_ids if row.operation else ()) for row in rows] == [
        ("0", ("e0.1",)),
        ("60", ("e60.1",)),
    ]


def test_a_refused_try_and_the_granted_one_after_it_are_two() -> None:
    rows = asked_for(QuotaFacts(requests=(listed("f", 1),)), log(asks("f", 0.5, "failed"), asks("f", 1)))
    assert [(row.state, row.operation.status if row.operation else "") for row in rows] == [
        ("failed", "failed"),
        ("succeeded", "succeeded"),
    ]


def test_requests_that_only_one_place_knows_are_kept() -> None:
    rows = asked_for(QuotaFacts(requests=(listed("f", 0), {"id": "/x", "properties": {}})), log(asks("g", 5)))
    assert [(row.name, row.operation is None) for row in rows] == [("f", True), ("g", False), ("", True)]
    assert in_words(rows[0]) == "eastus: f to 100, succeeded"


def test_names_in_requests_are_plain_in_words() -> None:
    text = in_words(asked_for(QuotaFacts(requests=(listed("a\u202eb\nc\x1b[31m", 0),)), None)[0])
    assert text.isprintable()
    assert "\u202e" not in text
