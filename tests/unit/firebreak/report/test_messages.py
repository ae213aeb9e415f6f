"""Messages to people: nothing in them acts anywhere, and what they have to know is never cut off."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firebreak.model.facts import BurnRate
from firebreak.report.hostile import inert
from firebreak.report.messages import Link, Message, Style, gate_message, incident_message, trial_message, written
from tests.unit.firebreak.execution.builders import make_incident

LINKS = (
    Link("Open", "https://ir.example.com/runs/flow-run/1"),
    Link("Newer", "https://ir.example.com/v2/runs/flow-run/1"),
)
UNTIL = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def waiting(
    text: str = "Contain it.", people: tuple[str, ...] = ("Ann", "Bob"), burn: BurnRate | None = None
) -> Message:
    return gate_message(
        "waiting",
        text=text,
        incident=make_incident(),
        gate="INC-1a2b3c4d.contain.1",
        title=text,
        people=people,
        required=2,
        expires_at=UNTIL,
        burn=burn,
        links=LINKS,
    )


@given(st.text(alphabet="ab_ <>&*`~[](){}|\\@#!:/.w\n\r\t\x1b\u202e\u200b", max_size=80) | st.text(max_size=80))
def test_nothing_inert_mentions_formats_links_or_breaks_a_line(text: str) -> None:
    found = inert(text)
    assert not re.search(r"[<>&*`~\[\]{}|\\@#\n\r\x1b\u202e\u200b]|://|\bwww\.", found)
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", found)
    assert inert(found) == found


@pytest.mark.parametrize("name", ["rg_prod_01", "vm-7.contoso", "Zürich", "a(b)", "50%"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert inert(name) == name


@pytest.mark.parametrize("style", list(Style))
def test_every_style_has_the_money_the_people_and_both_links(style: Style) -> None:
    burn = BurnRate(currency="EUR", rogue_per_hour=Decimal("61.2"), lost=Decimal(430))
    subject, body = written(waiting(burn=burn), style)
    said = f"{subject}\n{body}"
    assert "Waiting costs 61.20 EUR an hour; lost so far 430.00 EUR." in said
    assert "May answer: Ann, Bob (2 needed), until 2026-03-02 08:00 UTC." in said
    assert all(link.url in body for link in LINKS)


def test_a_pager_has_one_line_whose_links_are_never_cut() -> None:
    message = waiting("x" * 5000, tuple(f"Person {n}" for n in range(200)))
    subject, body = written(message, Style.PAGER)
    assert subject == ""
    assert len(body) <= 1024
    assert body.endswith(
        "Open: https://ir.example.com/runs/flow-run/1 Newer: https://ir.example.com/v2/runs/flow-run/1"
    )


def test_a_gate_that_nobody_can_answer_says_so() -> None:
    assert "nobody who is enrolled" in written(waiting(people=()), Style.TEXT)[1]


def test_what_needs_a_person_at_once_is_urgent_and_the_rest_is_not() -> None:
    told = {
        kind: incident_message(kind, text="", incident=make_incident(), burn=None, links=()).urgent
        for kind in ("opened", "contained", "stopped", "failed", "crashed")
    }
    assert told == {"opened": False, "contained": False, "stopped": False, "failed": True, "crashed": True}
    assert not trial_message("host").urgent
