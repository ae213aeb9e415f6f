"""The coverage table says what the code does: no more, no less, and as of today."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from firebreak.errors import ContentError
from firebreak.model.step import Effect, Step
from tasks.coverage import coverage_problems, guidance_page, main, out_of_date
from tasks.guidance import guidance_rows, instructions
from tasks.registry import load_steps

TOP = Path(__file__).parents[3]
STEPS = {step_id: loaded.step for step_id, loaded in load_steps().items()}


def test_the_reference_pages_are_current() -> None:
    assert out_of_date(TOP) == [], "run `python -m tasks.coverage`"
    assert main(["--check"]) == 0


def test_every_row_of_the_guidance_is_there_once() -> None:
    rows = guidance_rows()
    assert [row.id for row in rows] == [f"S{n:02d}" for n in range(1, 118)]
    assert len({row.text for row in rows}) == len(rows)


def test_the_table_claims_what_the_steps_do() -> None:
    assert coverage_problems(guidance_rows(), STEPS) == []


def test_an_automatic_row_without_a_step_is_found() -> None:
    without = {
        k: v for k, v in STEPS.items() if k not in ("investigate.quota", "investigate.capacity", "harden.reduce_quota")
    }
    assert "S71 is said to be automatic, but no step does it." in coverage_problems(guidance_rows(), without)


def test_a_claim_on_a_part_that_does_not_exist_is_found() -> None:
    rows = [msgspec.structs.replace(row, by=("firebreak.unheard_of",)) for row in guidance_rows()[:1]]
    assert "S01 names firebreak.unheard_of, which does not exist." in coverage_problems(rows, {})


def test_a_gated_row_whose_steps_only_read_is_found() -> None:
    reader = Step(id="investigate.x", title="x", effect=Effect.READ, description="x", guidance=("S04",))
    rows = [row for row in guidance_rows() if row.id == "S04"]
    assert coverage_problems(rows, {"investigate.x": reader}) == [
        "S04 is said to be done after an approval, but its steps only read."
    ]


def test_a_step_that_claims_a_row_marked_not_yet_or_unknown_is_found() -> None:
    step = Step(id="contain.x", title="x", effect=Effect.REVERSIBLE, description="x", guidance=("S76", "S99999"))
    rows = [msgspec.structs.replace(row, mode="none", by=()) for row in guidance_rows() if row.id == "S76"]
    found = coverage_problems(rows, {"contain.x": step})
    assert found == [
        "S76 is said not to be done yet, but contain.x claims it.",
        "contain.x claims S99999, which is no row.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {id: S02, kind: detect, could: auto, mode: auto, text: x}", "row 1 is called"),
        ("- {id: S01, kind: guess, could: auto, mode: auto, text: x}", "says 'guess'"),
        ("- {id: S01, kind: detect, could: auto, mode: auto, text: x, extra: 1}", "unknown field"),
    ],
)
def test_a_wrong_row_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ContentError, match=expected):
        guidance_rows(text.encode())


def test_the_table_shows_each_step_in_its_rows() -> None:
    page = guidance_page(guidance_rows(), STEPS)
    row = next(line for line in page.splitlines() if line.startswith("| S62 |"))
    assert "`eradicate.delete_unattached_disks`" in row
    assert "prepared, a person does it" in next(line for line in page.splitlines() if line.startswith("| S45 |"))
    assert "not yet: by hand" not in page.partition("## What people are asked")[0].partition("| Id |")[2]


def test_what_must_be_seen_or_decided_has_a_step_or_an_instruction_with_data_and_answers() -> None:
    rows = [row for row in guidance_rows() if row.kind in ("detect", "decide")]
    assert len(rows) >= 34
    by_row = {row for step in STEPS.values() for row in step.guidance}
    for row in rows:
        if row.mode in ("auto", "gate"):
            assert row.id in by_row or row.by, row.id
        else:
            assert row.asks is not None, row.id
            assert len(row.asks.answers) >= 2, row.id
    assert [one.row for one in instructions()] == [row.id for row in guidance_rows() if row.asks]


@pytest.mark.parametrize("mode", ["assist", "human", "none"])
@pytest.mark.parametrize("kind", ["detect", "decide"])
def test_a_row_to_be_seen_or_decided_without_step_and_instruction_is_found(kind: str, mode: str) -> None:
    row = next(row for row in guidance_rows() if row.asks is not None)
    bare = msgspec.structs.replace(row, kind=kind, mode=mode, asks=None, by=())
    said = f"{row.id} is of kind {kind}: it needs a step, or an instruction for people (`asks`)."
    assert said in coverage_problems([bare], {})
    asked = msgspec.structs.replace(row, kind=kind, mode=mode)
    assert coverage_problems([asked], {}) == []


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        ("{how: x, shows: [moon]}", "says 'moon'"),
        ("{how: x, when: never}", "says 'never'"),
        ("{how: x, before: [lunch]}", "says 'lunch'"),
        ("{how: x, answers: []}", "has the answers"),
        ("{how: x, answers: [yes_, yes_]}", "has the answers"),
        ("{how: x, answers: ['No way']}", "has the answers"),
        ("{shows: [alert]}", "missing required field"),
    ],
)
def test_a_wrong_instruction_is_refused(asks: str, expected: str) -> None:
    row = f"- {{id: S01, kind: decide, could: human, mode: human, text: x, asks: {asks}}}"
    with pytest.raises(ContentError, match=expected):
        guidance_rows(row.encode())


@pytest.mark.parametrize("row", [f"S{number:02d}" for number in range(1, 34)])
def test_a_row_about_alerts_names_who_does_it_or_asks_a_person(row: str) -> None:
    """Automatic and gated rows name a step or another part; what people do is shown to the responder, who confirms it."""
    found = next(one for one in guidance_rows() if one.id == row)
    doers = [*found.by, *(step.id for step in STEPS.values() if row in step.guidance)]
    if found.mode in ("auto", "gate"):
        assert doers, f"{row} is {found.mode} and nobody does it"
    elif found.mode in ("assist", "human"):
        assert found.asks is not None, f"{row} is left to people who are not told"
        assert found.asks.how
        assert found.asks.shows or found.asks.answers
