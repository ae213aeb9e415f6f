"""The guide explains every detection in two sentences: the rules by their own descriptions, every other finding by a table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from firebreak.analysis.ruleset import shipped_rules
from firebreak.cli.detections_explained import EXPLAINED
from firebreak.cli.detections_page import page

TOP = Path(__file__).parents[2]
ALL = {name: words for section in EXPLAINED.values() for name, (_, words) in section.items()}


def sentences(text: str) -> int:
    return len(re.findall(r"[.!?](?=\s|$)", text))


def starts_of_ids(node: ast.expr) -> Iterator[str]:
    """The fixed beginnings of a finding's id: of a text, of a text with values in it, of parts that are joined."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        yield str(node.values[0].value).rstrip(":")
    elif isinstance(node, ast.IfExp):
        yield from (*starts_of_ids(node.body), *starts_of_ids(node.orelse))
    elif isinstance(node, ast.Call):  # ":".join(filter(None, ("attacker", ...)))
        parts = [inner for inner in ast.walk(node) if isinstance(inner, ast.Tuple)]
        yield from (name for part in parts[:1] for name in starts_of_ids(part.elts[0]))


def findings_in_code() -> dict[str, str]:
    """Beginning of each finding's id -> the file that makes it."""
    found = {}
    for file in (*(TOP / "tasks/investigate").glob("*.py"), *(TOP / "firebreak/analysis").rglob("*.py")):
        for call in (n for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.Call)):
            made = call.func.id if isinstance(call.func, ast.Name) else ""
            given = [k.value for k in call.keywords if k.arg == "id"] if made == "Finding" else []
            if made in ("finding", "_finding", "_told", "told"):
                given = list(call.args[1 if made == "told" else 0 :][:1])
            for node in given:
                found.update(dict.fromkeys(starts_of_ids(node), file.name))
    return found


def test_every_finding_that_the_code_makes_is_explained() -> None:
    made = findings_in_code()
    assert {"spend-anomaly", "quota-requests", "attacker", "burst", "unfamiliar-sign-in", "more-alerts"} <= set(made)
    missing = {name: file for name, file in made.items() if name and name not in ALL}
    assert missing == {}, "explain them in firebreak/cli/detections_explained.py"
    assert set(ALL) - set(made) == set(), "explained, and made by no code"


def test_every_explanation_has_two_sentences() -> None:
    described = {rule.id: rule.description for rule in shipped_rules().rules.values() if not rule.public}
    assert len(described) > 150
    for name, words in (ALL | described).items():
        assert sentences(words) == 2, (name, words)


def test_the_page_has_all_of_them_and_how_to_add_one() -> None:
    text = page()
    for name, words in ALL.items():
        assert f"(`{name}`). {words}" in text
    assert "## Add a rule of your own" in text
    assert "## Add a finding that no rule can make" in text
