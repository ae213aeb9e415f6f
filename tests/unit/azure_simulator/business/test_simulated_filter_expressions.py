"""The `$filter` grammar that prices, Graph, quota and support share."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.odata import parse

ROW: dict[str, Any] = {
    "name": "O'Brien",
    "size": 16,
    "on": True,
    "gone": None,
    "at": "2026-03-02T04:09:57.41Z",
    "nested": {"Status": "Open"},
}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("name eq 'o''brien'", True),
        ("name ne 'x'", True),
        ("size gt 8 and size le 16", True),
        ("size lt 16", False),
        ("on eq true", True),
        ("gone eq null", True),
        ("gone gt 3", False),
        ("nested/status eq 'open'", True),
        ("at ge 2026-03-02T04:09:57Z", True),
        ("at ge '2026-03-03'", False),
        ("at lt 2026-03-02T06:09:57.41+02:00", False),
        ("not (size eq 16)", False),
        ("size eq 1 or size eq 2 or name eq 'O''Brien'", True),
        ("size eq 1 or size eq 16 and on eq false", False),
        ("(size eq 1 or size eq 16) and on eq true", True),
        ("startswith(tolower(name),'o') and endswith(name,'ien') and contains(name,'BRI')", True),
    ],
)
def test_expressions(text: str, fits: bool) -> None:
    assert parse(text)(ROW) is fits


def test_texts_can_be_compared_exactly() -> None:
    assert not parse("name eq 'o''brien'", fold_case=False)(ROW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name eq",
        "name eq 'x",
        "name like 'x'",
        "name eq 'x' and",
        "(name eq 'x'",
        "name eq 'x')",
        "name == 'x'",
    ],
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"filter|Expected"):
        parse(text)


def test_only_known_properties_may_be_named() -> None:
    with pytest.raises(ValueError, match="'secret'"):
        parse("secret eq 'x'", known={"name"})
