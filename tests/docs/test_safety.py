"""The page about the promises names tests that exist and run, and leaves no promise out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent.parent
PAGE = (TOP / "docs/guide/safety.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (P\d+) [^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
NAMED = sorted(set(re.findall(r"`(tests/[^`]+::[^`]+)`", PAGE)))


def test_every_promise_has_tests_and_says_what_it_does_not_cover() -> None:
    assert list(SECTIONS) == [f"P{number}" for number in range(1, 13)]
    for promise, text in SECTIONS.items():
        assert re.search(r"`tests/[^`]+::", text), promise
        assert "Not covered:" in text, promise
        in_each_run = re.findall(r"`(tests/[^`]+::[^`]+)`(?! \(slow\))", text)
        assert in_each_run, f"{promise} is shown by slow tests only"


@pytest.mark.parametrize("named", NAMED)
def test_a_named_test_exists_and_is_not_left_out(named: str) -> None:
    file, _, name = named.partition("::")
    tree = ast.parse((TOP / file).read_text(encoding="utf-8"))
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name]
    assert len(found) == 1, named
    marks = " ".join(ast.unparse(mark) for mark in found[0].decorator_list)
    assert "skip" not in marks
    assert "xfail" not in marks
    module = " ".join(ast.unparse(n) for n in tree.body if isinstance(n, ast.Assign) and "pytestmark" in ast.unparse(n))
    assert ("mark.slow" in marks + module) == (f"`{named}` (slow)" in PAGE), (
        "the page says (slow) of just the slow tests"
    )
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    called = {n.func.id for n in ast.walk(found[0]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    bodies = [found[0], *(functions[helper] for helper in called & set(functions))]
    assert any(_can_fail(body) for body in bodies), "it asserts nothing"


def _can_fail(body: ast.AST) -> bool:
    return any(isinstance(n, ast.Assert) or "pytest.raises" in ast.unparse(n) for n in ast.walk(body))
