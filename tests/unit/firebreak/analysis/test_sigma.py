"""Sigma rules: what they match, what a broken one says, and which logs they speak of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.types import SigmaString

from firebreak.analysis.conditions import likeness
from firebreak.analysis.ruleset import RuleSet, rules_with, shipped_rules
from firebreak.analysis.sigma import read_rules
from firebreak.errors import ContentError

RULE = """title: Own rule
id: 11111111-1111-4111-8111-111111111111
status: test
logsource:
  product: azure
  service: activitylogs
detection:
  one:
    OperationNameValue: Microsoft.Compute/virtualMachines/write
  two:
    {field}: {value}
  condition: one and {no}two
level: medium
"""
NAME = "MICROSOFT.COMPUTE/VIRTUALMACHINES/WRITE"


def rules_from(text: str) -> RuleSet:
    return RuleSet(*read_rules({"own.yml": text}))


@pytest.mark.parametrize(
    ("field", "value", "document", "expected"),
    [
        ("Caller", "EVE@contoso.example", {"caller": ("eve@contoso.example",)}, True),
        ("Caller|endswith", "'@fabrikam.example'", {"caller": ("eve@contoso.example",)}, False),
        ("CallerIpAddress|cidr", "203.0.113.0/24", {"address": ("203.0.113.9",)}, True),
        ("CallerIpAddress|cidr", "203.0.113.0/24", {"address": ("no address",)}, False),
        ("httpRequest.clientIpAddress", "203.0.113.9", {"address": ("203.0.113.9",)}, True),
        ("properties.message|contains", "quota", {"message": ("More Quota wanted",)}, True),
        ("body.capacity|gte", "10", {"body.capacity": ("12",)}, True),
        ("body.capacity|gte", "10", {"body.capacity": ("many",)}, False),
        ("body.size|re", "^Standard_N", {"body.size": ("Standard_NC6",)}, True),
        ("body.size|re", "^standard_n", {"body.size": ("Standard_NC6",)}, False),
        ("body.size", "Standard_N*", {"body.size": ("standard_nc6",)}, True),
        ("body.size|exists", "true", {}, False),
        ("body.size", "null", {}, True),
    ],
)
def test_a_rule_sees_its_fields_under_any_of_their_names(
    field: str, value: str, document: dict[str, tuple[str, ...]], expected: bool
) -> None:
    rules = rules_from(RULE.format(field=field, value=value, no=""))
    assert rules.problems == ()
    assert bool(rules.matches(NAME, document)) is expected
    turned = rules_from(RULE.format(field=field, value=value, no="not "))
    assert bool(turned.matches(NAME, document)) is not expected


def test_a_name_alone_rules_out_what_speaks_of_another() -> None:
    rules = rules_from(RULE.format(field="Caller", value="x", no=""))
    assert not rules.candidates("Microsoft.Storage/storageAccounts/write").any
    assert [rule.title for rule in rules.candidates(NAME).open] == ["Own rule"]


@pytest.mark.parametrize(
    ("change", "line", "said"),
    [
        (("condition: one and two", "condition: one and three"), 13, "three"),
        (("level: medium", "level: awful"), 14, "awful"),
        (("    Caller: x", "   Caller: x\n  - y"), 12, "no YAML"),
        (("title: Own rule", "title: Own rule\nfirebreak:\n  color: red"), 2, "color"),
        (("level: medium\n", ""), 2, "level is missing"),
    ],
)
def test_a_broken_rule_names_its_place_and_stops_nobody_else(change: tuple[str, str], line: int, said: str) -> None:
    good = RULE.format(field="Caller", value="x", no="")
    assert change[0] in good
    text = f"---\n{good.replace(*change)}---\n{good.replace('11111111', '22222222')}"
    rules, problems = read_rules({"own.yml": text})
    assert [rule.id[:8] for rule in rules] == ["22222222"]
    assert [problem.file for problem in problems] == ["own.yml"]
    assert said in problems[0].message
    assert abs(problems[0].line - line) <= 1


def test_a_folder_of_own_rules_is_used_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(RULE.format(field="Caller", value="x", no=""), encoding="utf-8")
    (tmp_path / "broken.yml").write_text("title: [", encoding="utf-8")
    rules = rules_with(tmp_path)
    assert len(rules.rules) == len(shipped_rules().rules) + 1
    assert [Path(problem.file).name for problem in rules.problems] == ["broken.yml"]
    with pytest.raises(ContentError, match="not there"):
        rules_with(tmp_path / "nowhere")


def test_every_shipped_rule_says_what_it_means_and_public_ones_keep_their_author() -> None:
    for rule in shipped_rules().rules.values():
        assert rule.title
        assert rule.description, rule.id
        if rule.public:
            assert rule.author, rule.id


def test_the_coverage_names_what_an_activity_log_never_holds() -> None:
    coverage = shipped_rules().coverage()
    assert "Azure Device or Configuration Modified or Deleted" in coverage["not_in_activity_log"]
    assert "Second factor of a user turned off" in coverage["not_in_activity_log"]
    assert "Role granted" not in coverage["not_in_activity_log"]


@given(
    pattern=st.text("ab*", min_size=1, max_size=7).filter(lambda text: "*" in text),
    text=st.text("abAB\n", max_size=8),
)
def test_a_star_stands_for_any_letters_as_a_pattern_would_have_it(pattern: str, text: str) -> None:
    like = likeness(SigmaString(pattern))
    assert like is not None
    expected = re.fullmatch(pattern.replace("*", ".*"), text, re.IGNORECASE | re.DOTALL)
    assert like.test(text) is (expected is not None)
