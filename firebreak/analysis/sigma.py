"""Sigma rules, parsed by pySigma and evaluated here: YAML in, `Rule`s with a test over a normal event out.

A test answers True, False or None: None means that the fields given so far do not decide it. That is how a rule is ruled out by an
operation's name alone, before anything else of an event is read. Comparison is without regard to case, as Sigma has it.

    rules, problems = read_rules({"own.yml": text})
    rules[0].test({"operationname": ("Microsoft.Compute/virtualMachines/write",)}, True)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from sigma.collection import SigmaCollection
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError, SigmaRuleLocation
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldFunctionTransformation
from sigma.rule import SigmaRule
from sigma.types import SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaString

from firebreak.analysis.conditions import (
    Like,
    Test,
    all_of,
    any_of,
    anywhere,
    contains,
    exists,
    is_plain,
    likeness,
    matcher,
    negated,
    one_of,
    plain_text,
    same,
    some,
)
from firebreak.analysis.normal import normal_field
from firebreak.model.finding import Severity

_KEYWORD = ""  # the field of a value that is looked for anywhere
_OPERATION = re.compile(r"^[\w.\-]+(/[\w.\-*]+)+$")
_ATTACK = re.compile(r"^attack\.(t\d{4}(?:\.\d{3})?)$", re.IGNORECASE)
# Where to look for the mistake, by what pySigma complains about; its own errors name the file alone.
_PLACES = (
    ("condition", "condition"),
    ("level", "level"),
    ("status", "status"),
    ("logsource", "logsource"),
    ("date", "date"),
    ("identifier", "id"),
    ("uuid", "id"),
    ("tag", "tags"),
    ("title", "title"),
    ("detection", "detection"),
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One detection. `family`: of the rules of one family only the gravest is told of an operation.

    `everyday`: what a familiar session does as its work weighs less. `weakens`: takes a protection or a trace away. `spreads`: gives
    somebody a way in or a way to stay. `public`: written outside this project, and told as low where no rule of ours speaks of the
    operation, since it looks at the name alone. `fields` are those it reads; `service` is the log it was written for.
    """

    id: str
    title: str
    severity: Severity
    test: Test
    family: str
    description: str = ""
    techniques: tuple[str, ...] = ()
    everyday: bool = False
    weakens: bool = False
    spreads: bool = False
    public: bool = False
    author: str = ""
    file: str = ""
    service: str = ""
    fields: frozenset[str] = frozenset()
    speaks_of_operations: bool = True


class Problem(msgspec.Struct, frozen=True):
    """A rule that was left out, and why."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def read_rules(files: Mapping[str, str], *, public: bool = False) -> tuple[list[Rule], list[Problem]]:
    """Read the rules of some files, several documents to a file; a broken one is a problem and does not stop the others."""
    rules: list[Rule] = []
    problems: list[Problem] = []
    for name in sorted(files):
        for text, first_line in _documents(files[name]):
            try:
                document = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader, the fast one where there is one
            except yaml.YAMLError as error:
                mark = getattr(error, "problem_mark", None)
                line = first_line + (mark.line if mark else 0)
                problems.append(Problem(name, line, f"This is no YAML: {getattr(error, 'problem', None) or error}."))
                continue
            if document is None:
                continue
            try:
                rules.append(_rule(document, name, public))
            except (SigmaError, TypeError, ValueError, KeyError, AttributeError, NotImplementedError) as error:
                problems.append(Problem(name, first_line + _place(error, text), _words(error)))
    return rules, problems


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _documents(text: str) -> list[tuple[str, int]]:
    found, start = [], 1
    for part in re.split(r"^---[ \t]*$", text, flags=re.MULTILINE):
        found.append((part, start))
        start += part.count("\n")
    return found


def _place(error: Exception, text: str) -> int:
    said = f"{type(error).__name__} {error}".lower()
    for word, key in _PLACES:
        if word in said:
            match = re.search(rf"^[ \t]*{key}:", text, re.MULTILINE)
            if match:
                return text.count("\n", 0, match.start())
    lines = text.split("\n")
    return next((number for number, line in enumerate(lines) if line.strip()), 0)


def _words(error: Exception) -> str:
    said = str(error).split(" in /")[0].strip() or type(error).__name__
    return said if said.endswith(".") else f"{said}."


def _rule(document: Any, file: str, public: bool) -> Rule:
    if not isinstance(document, dict):
        raise TypeError("A rule is a mapping with title, logsource and detection")
    if "correlation" in document or "filter" in document:
        raise NotImplementedError("Correlations and filters are not evaluated here; write a rule of its own")
    source = SigmaRuleLocation(Path(file))
    parsed = SigmaCollection.from_dicts([document], source=source).rules[0]
    if not isinstance(parsed, SigmaRule):
        raise NotImplementedError("Only Sigma rules are evaluated")
    if parsed.level is None:
        raise ValueError("The level is missing: informational, low, medium, high or critical")
    _PIPELINE.apply(parsed)
    compiler = _Compiler()
    tests = [compiler.compile(condition.parse()) for condition in parsed.detection.parsed_condition]
    extra = parsed.custom_attributes.get("firebreak") or {}
    if unknown := set(extra) - {"id", "family", "everyday", "weakens", "spreads"}:
        raise ValueError(f"Unknown key in the section firebreak: {', '.join(sorted(map(str, unknown)))}")
    identifier = str(extra.get("id") or parsed.id or parsed.title)
    techniques = tuple(m[1].upper() for tag in parsed.tags if (m := _ATTACK.match(str(tag))))
    return Rule(
        id=identifier,
        title=parsed.title,
        severity=Severity(str(parsed.level)),
        test=tests[0] if len(tests) == 1 else any_of(tests),
        family=str(extra.get("family") or identifier),
        description=" ".join((parsed.description or "").split()),
        techniques=techniques,
        everyday=bool(extra.get("everyday")),
        weakens=bool(extra.get("weakens")),
        spreads=bool(extra.get("spreads")),
        public=public,
        author=parsed.author or "",
        file=file,
        service=(parsed.logsource.service or "").lower(),
        fields=frozenset(compiler.fields),
        speaks_of_operations=compiler.speaks_of_operations,
    )


_PIPELINE: Any = ProcessingPipeline(
    items=[ProcessingItem(FieldFunctionTransformation({}, transform_func=lambda name: normal_field(name or "")))]
)


class _Compiler:
    """Turns pySigma's condition tree into nested functions, and notes which fields are read."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.speaks_of_operations = False

    def compile(self, node: Any) -> Test:
        if isinstance(node, ConditionAND):
            return all_of([self.compile(part) for part in node.args])
        if isinstance(node, ConditionOR):
            return self._or(node.args)
        if isinstance(node, ConditionNOT):
            return negated(self.compile(node.args[0]))
        if isinstance(node, ConditionFieldEqualsValueExpression):
            return self._field(node.field, node.value)
        if isinstance(node, ConditionValueExpression):
            return self._keyword(node.value)
        raise NotImplementedError(f"The condition holds what is not evaluated: {type(node).__name__}")

    def _or(self, parts: Sequence[Any]) -> Test:
        """Plain texts of one field become one set, and those with a `*` at their ends one test, so that a list of fifty costs one look."""
        plain: dict[str, set[str]] = {}
        alike: dict[str, Like] = {}
        others = []
        for part in parts:
            if isinstance(part, ConditionFieldEqualsValueExpression) and is_plain(part.value):
                plain.setdefault(part.field, set()).add(plain_text(part.value))
            elif isinstance(part, ConditionFieldEqualsValueExpression) and (like := likeness(part.value)):
                self._note(part.field, str(part.value))
                alike[part.field] = alike[part.field] | like if part.field in alike else like
            else:
                others.append(self.compile(part))
        for field, wanted in plain.items():
            self._note(field, *wanted)
            others.append(one_of(field, frozenset(wanted)))
        others += [some(field, like.test) for field, like in alike.items()]
        return others[0] if len(others) == 1 else any_of(others)

    def _note(self, field: str, *values: str) -> None:
        self.fields.add(field)
        if field == "operationname" and any("/" in value or "*" in value for value in values):
            self.speaks_of_operations = True

    def _field(self, field: str, value: Any) -> Test:
        self._note(field, str(value))
        if isinstance(value, SigmaExpansion):
            return any_of([self._field(field, inner) for inner in value.values])
        if is_plain(value):
            return one_of(field, frozenset({plain_text(value)}))
        if isinstance(value, SigmaExists):
            return exists(field, value.exists)
        if isinstance(value, SigmaNull):
            return exists(field, False)
        if isinstance(value, SigmaFieldReference):
            other = normal_field(value.field)
            self.fields.add(other)
            return same(field, other)
        return some(field, matcher(value))

    def _keyword(self, value: Any) -> Test:
        text = str(value)
        if is_plain(value) and _OPERATION.match(text):
            # A name of an operation, written as a keyword, stands in the operation's name.
            self._note("operationname", text)
            return some("operationname", contains(text.lower()))
        self.fields.add(_KEYWORD)
        if isinstance(value, SigmaString) and not value.contains_special():
            return anywhere(contains(text.lower()))
        return anywhere(matcher(value))
