from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta

from tasks.investigate.activity_log import spans

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)


def times(text: str) -> list[datetime]:
    return [datetime.fromisoformat(found) for found in re.findall(r"'([^']+)'", text)]


def test_spans_cover_the_log_without_a_gap_and_have_no_end() -> None:
    start = NOW - timedelta(days=90)
    found = sorted(spans(start, NOW), key=lambda text: times(text)[0])
    edges = [times(text) for text in found]
    assert edges[0][0] == start
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
    assert len(edges[-1]) == 1
    assert edges[-1][0] <= NOW


def test_the_oldest_span_is_read_before_it_leaves_the_reach_and_then_the_newest() -> None:
    found = [times(text) for text in spans(NOW - timedelta(days=90), NOW)]
    assert found[0][0] == min(edge[0] for edge in found)
    assert len(found[1]) == 1


def test_a_short_log_is_one_span() -> None:
    assert spans(NOW - timedelta(hours=2), NOW) == ["eventTimestamp ge '2026-11-20T01:00:00Z'"]


def test_what_is_past_is_asked_for_in_the_same_words_in_each_round() -> None:
    moments = [NOW, NOW + timedelta(minutes=17), NOW + timedelta(hours=5)]
    rounds = [spans(now - timedelta(days=90), now) for now in moments]
    # Only the oldest, which follows the reach of the log, is another one.
    assert set(rounds[0]) - set(rounds[1]) == {rounds[0][0]}
    assert rounds[0][1:] == rounds[1][1:] == rounds[2][1:]
