"""However the pages of a log are cut and in whatever order they come, the review is the same; and what it keeps does not grow with routine."""

from __future__ import annotations

import gc
import json
import random
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.activity_log import events
from firebreak.analysis.interned import Kind, Who
from firebreak.analysis.ledger import Columns, Ledger
from firebreak.analysis.log_review import LogReview
from firebreak.analysis.logs import reviewed
from firebreak.analysis.ruleset import RuleSet, shipped_rules
from firebreak.analysis.skim import Seen
from firebreak.analysis.suspects import suspects

LOG = list(events(400))
DECODER = msgspec.json.Decoder(list[Seen])


def told(log: LogReview) -> Any:
    activity, findings = reviewed(log)
    who = [(one.id, one.address, one.cls, one.score, one.event_ids) for one in suspects(activity, findings)]
    return msgspec.to_builtins([activity.facts(), findings, who])


def small_review() -> LogReview:
    """A review that writes what waits to its columns after a few operations, so that few events are enough to tear one apart."""
    return LogReview(strict=False, ledger=Ledger(shipped_rules(), waiting=7))


def in_one_piece() -> Any:
    log = LogReview(strict=False)
    log.add(LOG)
    return told(log)


WHOLE = in_one_piece()


@settings(max_examples=25)
@given(
    cuts=st.lists(st.integers(1, len(LOG) - 1), max_size=12, unique=True),
    order=st.randoms(use_true_random=False),
    quick=st.booleans(),
    twice=st.booleans(),
)
def test_any_cut_into_pages_in_any_order_gives_the_same_review(
    cuts: list[int], order: random.Random, quick: bool, twice: bool
) -> None:
    bounds = [0, *sorted(cuts), len(LOG)]
    pages = [LOG[start:end] for start, end in pairwise(bounds)]
    if twice:
        pages.append(pages[0])
    order.shuffle(pages)
    log = small_review()
    for page in pages:
        if quick:
            left = log.skim(DECODER.decode(json.dumps(page)))
            log.add_left(len(page), {place: page[place] for place in left})
        else:
            log.add(page)
    assert told(log) == WHOLE


@pytest.mark.parametrize("seed", range(3))
def test_events_in_no_order_at_all_give_the_same_review(seed: int) -> None:
    shuffled = LOG[:]
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    log = small_review()
    for start in range(0, len(shuffled), 40):
        assert log.skim(DECODER.decode(json.dumps(shuffled[start : start + 40]))) == []
    assert told(log) == WHOLE


def test_a_review_can_be_asked_before_the_last_page() -> None:
    log = small_review()
    log.add(LOG[:200])
    early = log.operations()
    assert 0 < len(early) < len(WHOLE[0]["operations"])
    log.add(LOG[200:])
    assert told(log) == WHOLE


def routine(ledger: Ledger, first: int, last: int) -> None:
    """Restarts of one machine by one person, three events each, which differ in nothing but their ids and times."""
    name = "Microsoft.Compute/virtualMachines/restart/action"
    kinds = [ledger.kind(Kind(name, name.lower(), status)) for status in ("started", "accepted", "succeeded")]
    who = ledger.whos.add(Who(caller="ann@contoso.example", address="198.51.100.1"))
    for number in range(first, last):
        ledger.take(
            Columns(
                bonds=[f"{number:08x}-0000-4000-8000-000000000000"] * 3,
                times=[float(number * 60 + place) for place in range(3)],
                ids=[f"{number:08x}-0000-4000-8000-{place:012x}" for place in range(3)],
                kinds=kinds,
                whos=[who] * 3,
                sayings=[0] * 3,
                resources=["/s/m"] * 3,
            )
        )


NAMES = ("Microsoft.Web/sites/write", "MICROSOFT.WEB/SITES/WRITE", "Microsoft.Web/sites/delete")
RANKS = ("started", "succeeded", "failed")
Told = tuple[
    str, int, str, str, str
]  # what an event is told by: bond, time, name, status and resource; its place is its id
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 3),
        st.sampled_from(NAMES),
        st.sampled_from(RANKS),
        st.sampled_from(["/s/m", "/S/m", "/s/n"]),
    ),
    max_size=12,
)


def columns(ledger: Ledger, events: list[tuple[str, Told]]) -> Columns:
    return Columns(
        bonds=[bond for _, (bond, *_) in events],
        times=[float(at) for _, (_, at, *_) in events],
        ids=[identifier for identifier, _ in events],
        kinds=[ledger.kind(Kind(name, name.lower(), status)) for _, (_, _, name, status, _) in events],
        whos=[0] * len(events),
        sayings=[0] * len(events),
        resources=[resource for _, (*_, resource) in events],
    )


def test_of_events_of_one_moment_the_beginning_is_first() -> None:
    ledger = Ledger(RuleSet([]))
    told = [(str(place), ("a", 1, NAMES[0], status, "/s/m")) for place, status in enumerate(reversed(RANKS))]
    ledger.take(columns(ledger, told))
    ledger.settle()
    assert [ledger.ids[number] for number in ledger.events_of(0)] == ["2", "1", "0"]


@settings(max_examples=50)
@given(
    found=EVENTS,
    order=st.randoms(use_true_random=False),
    page=st.integers(1, 5),
    waiting=st.sampled_from([1, 50]),
    twice=st.sampled_from([None, 0, 1]),
    odd=st.booleans(),
)
def test_a_ledger_groups_and_orders_events_as_a_plain_list_of_them_does(
    found: list[Told],
    order: random.Random,
    page: int,
    waiting: int,
    twice: int | None,
    odd: bool,
) -> None:
    ids = [f"event-{place}" if odd else f"{place:08x}-0000-4000-8000-{'0' * 12}" for place in range(len(found))]
    coming = list(zip(ids, found, strict=True))
    if twice is not None:  # some come twice, as they were or a moment later; the earlier one counts
        coming += [(one, (bond, at + twice, *rest)) for one, (bond, at, *rest) in coming[::3]]  # type: ignore[misc]
    order.shuffle(coming)
    expected: dict[tuple[str, str, str], list[tuple[int, int, str, str]]] = {}
    for identifier, (bond, at, name, status, resource) in zip(ids, found, strict=True):
        event = (at, RANKS.index(status), identifier, resource)
        expected.setdefault((bond, name.lower(), resource.lower()), []).append(event)
    ledger = Ledger(RuleSet([]), waiting=waiting)
    for start in range(0, len(coming), page):
        ledger.take(columns(ledger, coming[start : start + page]))
    ledger.settle()
    told = sorted(
        (
            ledger.correlations[operation],
            ledger.resources[operation],
            [ledger.ids[number] for number in ledger.events_of(operation)],
        )
        for operation in range(len(ledger))
        if operation not in ledger.gone()
    )
    assert told == sorted(
        (bond, min(events)[3], [identifier for *_, identifier, _ in sorted(events)])
        for (bond, _, _), events in expected.items()
    )
    assert ledger.events == len(found)


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_routine_leaves_no_objects_behind_but_some_bytes_an_event() -> None:
    ledger = Ledger(RuleSet([]), waiting=50)
    routine(ledger, 0, 200)
    ledger.settle()
    before, room = objects(), ledger.bytes_kept()
    routine(ledger, 200, 2200)
    ledger.settle()
    assert ledger.events == 6600
    assert objects() - before < 50
    assert (ledger.bytes_kept() - room) / 6000 < 80
