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
from firebreak.analysis.ledger import Ledger
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
        rows = [
            (float(number * 60 + place), place, f"{number:08x}-0000-4000-8000-{place:012x}", kind, who, 0, "/s/m")
            for place, kind in enumerate(kinds)
        ]
        ledger.take([f"{number:08x}-0000-4000-8000-000000000000"] * 3, rows)


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
