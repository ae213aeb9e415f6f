"""The spend check keeps its quality: attacks on steady bills are found at once, restless ones alarm less than a simple detector."""

from __future__ import annotations

from benchmarks.spend_quality import ours, restless_quality, rolling_mad, seconds_for, steady_quality


def test_attacks_on_steady_bills_are_found_by_their_second_day_and_measured() -> None:
    found = steady_quality(9)
    assert found["attacks"] == 27
    assert found["found_by_second_day"] == 27
    assert found["false_alarms"] <= 3 * found["quiet_days"] / 658
    assert found["start_within_a_day"] >= 26
    assert found["extra_within_a_quarter"] >= 24


def test_fivefold_attacks_on_restless_bills_are_found_with_fewer_false_alarms_than_a_rolling_median_gives() -> None:
    checked, simple = restless_quality(5, 5, ours)["all"], restless_quality(5, 5, rolling_mad)["all"]
    assert checked["recall"] >= 0.85
    assert checked["false_alarms"] < simple["false_alarms"]
    assert checked["f1"] > simple["f1"]


def test_a_hundred_series_take_no_time_to_notice() -> None:
    assert seconds_for(100) < 3
