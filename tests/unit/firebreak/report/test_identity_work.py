"""What people have to do about identities: from the findings, urgent first, each once, names plain."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firebreak.analysis.ruleset import shipped_rules
from firebreak.model.finding import Finding, Severity
from firebreak.report.identity_work import _WORK, identity_work

TOP = Path(__file__).parents[4]


def finding(
    rule: str, *, severity: Severity = Severity.HIGH, actor: str = "ann@contoso.example", address: str = ""
) -> Finding:
    return Finding(
        id=f"{rule}:0a1b2c", step="x", title=rule, severity=severity, reasons=(), actor=actor, address=address
    )


def test_ways_back_in_come_before_resets_and_both_before_policies() -> None:
    given = [finding("access-policy-in-window", actor=""), finding("unfamiliar-sign-in"), finding("recovery-changed")]
    said = [text for _, text in identity_work(given)]
    assert [text.split()[0] for text in said] == ["Remove", "Ask", "Put"]
    assert "before its password is reset" in said[0]


def test_the_same_work_is_named_once_and_what_is_low_or_unknown_not_at_all() -> None:
    again = [finding("app-credential", address="203.0.113.7"), finding("app-credential", address="203.0.113.7")]
    low = [finding("unfamiliar-sign-in", severity=Severity.LOW), finding("bulk-download"), finding("new-caller")]
    assert [text for _, text in identity_work([*again, *low])] == [
        "Remove the credentials that ann@contoso.example from 203.0.113.7 added to applications, unless a change explains them."
    ]


def test_a_long_list_says_how_much_more_there_is() -> None:
    many = [finding("unfamiliar-sign-in", actor=f"u{n}@contoso.example") for n in range(45)]
    items = identity_work(many)
    assert len(items) == 31
    assert items[-1] == ("more", "15 further findings about identities ask for work: see the findings.")


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_name_breaks_out_of_its_sentence(actor: str, address: str) -> None:
    for rule, _ in _WORK:
        for _, text in identity_work([finding(rule, actor=actor, address=address)]):
            assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("rule", [rule for rule, _ in _WORK])
def test_every_instruction_belongs_to_a_finding_that_is_told(rule: str) -> None:
    shipped = any(one.startswith(rule) for one in shipped_rules().rules)
    told = re.compile(rf'"{rule}[a-z-]*"')
    folder = TOP / "firebreak" / "analysis" / "identity"
    assert shipped or any(told.search(path.read_text(encoding="utf-8")) for path in folder.glob("*.py"))
