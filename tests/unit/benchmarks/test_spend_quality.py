"""The spend check keeps its quality: attacks on steady bills are found at once, restless ones alarm less than a simple detector."""

from __future__ import annotations

from benchmarks.spend_families import HOLD_OUT
from benchmarks.spend_quality import bursty_quality, ewma, ours, rolling_mad, seconds_for, steady_quality


def test_attacks_on_steady_bills_are_found_by_their_second_day_and_measured() -> None:
    found = steady_quality(9)
    assert found["attacks"] == 27
    assert found["found_by_second_day"] == 27
    assert found["false_alarms"] <= 3 * found["quiet_days"] / 658
    assert found["start_within_a_day"] >= 26
    assert found["extra_within_a_quarter"] >= 24


def test_attacks_on_bursty_bills_that_the_check_was_not_made_with_are_found_with_fewer_false_alarms_than_simple_ways() -> (
    None
):
    group = {name: HOLD_OUT[name] for name in ("heavy tails", "growth", "many services")}
    checked, median, mean = (bursty_quality(group, way, 1, (2, 5)) for way in (ours, rolling_mad, ewma))
    assert checked["5-fold"]["recall"] >= 23 / 24
    assert checked["2-fold"]["recall"] >= mean["2-fold"]["recall"]
    assert checked["all"]["false_alarms_in_30_days"] < median["all"]["false_alarms_in_30_days"]
    assert checked["all"]["f1"] > max(median["all"]["f1"], mean["all"]["f1"])


def test_a_hundred_series_take_no_time_to_notice() -> None:
    assert seconds_for(100) < 3
