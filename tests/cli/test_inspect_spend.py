"""`firebreak inspect spend`: shapes of replies it reads, what it prints, what it refuses and where."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from firebreak.cli.inspect import app
from firebreak.errors import ContentError

FIRST = date(2026, 9, 1)


def amounts(days: int = 60, attack: int = 55) -> list[float]:
    usual = [(40.0 if (FIRST + timedelta(days=n)).weekday() >= 5 else 100.0) + n % 3 for n in range(days)]
    return [amount * (3 if n >= attack else 1) for n, amount in enumerate(usual)]


def reply(
    values: list[float], *, day: Any = lambda d: int(f"{d:%Y%m%d}"), cost: str = "Cost", text: bool = False
) -> Any:
    columns = [{"name": "ServiceName", "type": "String"}, {"name": cost, "type": "Number"}, {"name": "UsageDate"}]
    rows = [
        ["Virtual Machines", str(value) if text else value, day(FIRST + timedelta(days=n))]
        for n, value in enumerate(values)
    ]
    return {"properties": {"columns": columns, "rows": rows}}


def inspect(tmp_path: Path, document: Any, *more: str) -> dict[str, Any]:
    file = tmp_path / "reply.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    result = CliRunner().invoke(app, ["spend", str(file), "--json", *more])
    if result.exception:
        raise result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    "document",
    [
        reply(amounts()),
        reply(amounts(), day=lambda d: f"{d}T00:00:00Z", cost="PreTaxCost"),
        reply(amounts(), day=lambda d: f"{d:%Y%m%d}", cost="CostUSD", text=True),
        reply(amounts())["properties"],
        [reply(amounts()), reply([])],
        "Date,BillingCurrency,CostInBillingCurrency,MeterCategory\n"
        + "".join(f"{FIRST + timedelta(days=n):%m/%d/%Y},EUR,{v},VM\n" for n, v in enumerate(amounts())),
        "ChargePeriodStart,BilledCost,BillingCurrency,ServiceName,RegionId\n"
        + "".join(f"{FIRST + timedelta(days=n)} 00:00:00,{v},EUR,VM,eu\n" for n, v in enumerate(amounts())),
    ],
    ids=["number", "ISO and PreTaxCost", "text and CostUSD", "bare", "pages", "Azure export", "FOCUS"],
)
def test_each_shape_of_a_reply_gives_the_same_answer(tmp_path: Path, document: Any) -> None:
    found = inspect(tmp_path, document)
    assert (found["status"], found["causal"], found["start_day"]) == ("anomaly", True, "2026-10-26")
    assert found["flagged_days"] == [str(FIRST + timedelta(days=n)) for n in range(55, 60)]
    assert found["extra_spend"] == pytest.approx(2 * sum(amounts(60, 99)[55:]), rel=0.05)
    assert len(found["baseline"]) == 60
    assert found["baseline"][-1]["expected"] == pytest.approx(100, rel=0.1)
    assert found["incomplete_days"] == ["2026-10-30"]


def test_nothing_later_than_as_of_is_looked_at(tmp_path: Path) -> None:
    whole = inspect(tmp_path, reply(amounts()))
    for day in ("2026-10-25", "2026-10-26", "2026-10-28"):
        early = inspect(tmp_path, reply(amounts()), "--as-of", day)
        assert early["baseline"][-1]["day"] == day
        assert early["flagged_days"] == [flagged for flagged in whole["flagged_days"] if flagged <= day]


def test_a_reply_without_days_or_with_few_is_too_little_history(tmp_path: Path) -> None:
    assert inspect(tmp_path, reply([1.0] * 12 + [900.0]))["status"] == "too_little_history"
    assert inspect(tmp_path, reply([]))["status"] == "too_little_history"
    monthly = reply([10.0] * 30)
    monthly["properties"]["columns"][2]["name"] = "BillingMonth"
    found = inspect(tmp_path, monthly)
    assert found["status"] == "too_little_history"
    assert "granularity Daily" in found["not_looked_at"][0]["why"]


def test_pennies_never_alarm(tmp_path: Path) -> None:
    assert inspect(tmp_path, reply([amount / 1000 for amount in amounts()]))["status"] == "ok"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "reply.json:1:2 is no JSON"),
        ("", "reply.json: it is empty"),
        ("a,b\n1,2\n", "line 1: this is no cost export"),
        ({"value": []}, "no columns"),
        ({"properties": {"columns": [{"name": "UsageDate"}], "rows": []}}, "no column of cost"),
        ({"properties": {"columns": [{"name": "Cost"}], "rows": {}}}, "properties.rows is no list"),
        (
            {"properties": {"columns": [{"name": "Cost"}], "rows": [[1], [1, 2]]}},
            r"properties\.rows\[1\].*2 values for 1",
        ),
        ({"properties": {"columns": [{"name": "Cost"}], "rows": [["x"]]}}, r"rows\[0\].*its cost is 'x'"),
        ([reply([1.0]), reply([1.0], day=lambda _: "yesterday")], r"page 2: .*rows\[0\].*its day is 'yesterday'"),
        ("Date,Cost\n2026-09-01,1\n2026-09-02,?\n", "line 3 cannot be read: its cost is '\\?'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, document: Any, said: str) -> None:
    with pytest.raises(ContentError, match=said):
        inspect(tmp_path, document)


def test_a_day_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="--as-of 'soon' is no day"):
        inspect(tmp_path, reply([1.0]), "--as-of", "soon")


def test_the_text_says_since_when_how_much_and_by_what_and_hides_nothing_in_markup(tmp_path: Path) -> None:
    document = reply(amounts())
    for row in document["properties"]["rows"]:
        row[0] = "[red]Virtual\x1b[31m Machines"
    file = tmp_path / "reply.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    shown = CliRunner().invoke(app, ["spend", str(file)]).stdout
    assert "Unusual since 2026-10-26: " in shown
    assert "[red]Virtual" in shown
    assert "\x1b[31m Machines" not in shown
    line, marks = shown.splitlines()[2:4]
    assert "█" in line
    assert marks.count("^") == 5 + 1  # and one in the legend
