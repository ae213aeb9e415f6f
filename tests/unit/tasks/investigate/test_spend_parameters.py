"""What a playbook may say of the spend check: numbers that judge something, or an error that names the value and what to write."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from firebreak.analysis.spend import Sensitivity
from firebreak.errors import ContentError
from firebreak.model.case import Case
from tasks.investigate.spend import sensitivity
from tests.unit.firebreak.execution.builders import make_case, make_playbook


def case_with(**given: Any) -> Case:
    playbook = msgspec.structs.replace(make_playbook(), parameters={"investigate.spend": given})
    return make_case(playbook=playbook)


def test_the_playbooks_numbers_stand_in_for_the_defaults() -> None:
    assert sensitivity(case_with()) == Sensitivity()
    chosen = sensitivity(case_with(deviations=5, share="0.5", least_days=21))
    assert (chosen.deviations, chosen.share, chosen.least_days) == (Decimal(5), Decimal("0.5"), 21)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("least_days", 0),
        ("least_days", -3),
        ("least_days", 2.5),
        ("incomplete_days", 1_000_000),
        ("incomplete_days", "two"),
        ("deviations", -1),
        ("deviations", "NaN"),
        ("share", "Infinity"),
        ("floor", ""),
        ("floor", None),
    ],
)
def test_what_judges_nothing_is_refused_by_name_and_value(name: str, value: Any) -> None:
    with pytest.raises(ContentError) as caught:
        sensitivity(case_with(**{name: value}))
    assert f"{name} of investigate.spend is {value!r}" in caught.value.message
    assert "default" in caught.value.hint
