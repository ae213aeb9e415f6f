"""OData `$filter` expressions: parsed once, then asked whether a document fits.

    fits = parse("status eq 'active' and detectedDateTime ge 2026-03-01T00:00:00Z")
    fits({"status": "active", "detectedDateTime": "2026-03-02T04:09:57.41Z"})  # True

Knows eq, ne, gt, ge, lt, le, and, or, not, parentheses, `contains`, `startswith`, `endswith`, `tolower`, `toupper`. Nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from azure_simulator.world import Document

Fits = Callable[[Document], bool]
Operand = Callable[[Document], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')"
    r"|(?P<time>\d{4}-\d{2}-\d{2}(?:T[0-9:.]+(?:Z|[+-]\d{2}:\d{2})?)?(?![\w-]))"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>-?\d+(?:\.\d+)?(?![\w-]))"
    r"|(?P<name>[A-Za-z_@][\w./@]*)"
    r"|(?P<sign>[(),]))"
)
_ORDER = ("eq", "ne", "gt", "ge", "lt", "le")
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_FOLDS: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


def parse(text: str, *, known: set[str] | None = None, fold_case: bool = True) -> Fits:
    """Return the test that `text` describes.

    `known` limits the properties that may be named (compared without regard to case); `fold_case` compares texts so too.

    Raises:
        ValueError: the text is not an expression of this grammar or names an unknown property.
    """
    return _Parser(text, known, fold_case).whole()


class _Parser:
    def __init__(self, text: str, known: set[str] | None, fold_case: bool) -> None:
        self._tokens = _split(text)
        self._at = 0
        self._known = {name.lower() for name in known} if known is not None else None
        self._fold_case = fold_case

    def whole(self) -> Fits:
        fits = self._either()
        if self._at < len(self._tokens):
            raise ValueError(f"Syntax error at '{self._tokens[self._at][1]}' in the filter expression.")
        return fits

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self, kind: str = "", value: str = "") -> str:
        found_kind, found = self._peek()
        if (kind and found_kind != kind) or (value and found.lower() != value):
            raise ValueError(f"Expected '{value or kind}', found '{found or 'the end'}' in the filter expression.")
        self._at += 1
        return found

    def _is(self, value: str) -> bool:
        return self._peek()[0] in ("name", "sign") and self._peek()[1].lower() == value

    def _either(self) -> Fits:
        parts = [self._both()]
        while self._is("or"):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Fits:
        parts = [self._one()]
        while self._is("and"):
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Fits:
        if self._is("not"):
            self._take()
            inner = self._one()
            return lambda row: not inner(row)
        if self._is("("):
            self._take()
            inner = self._either()
            self._take("sign", ")")
            return inner
        if self._peek()[1].lower() in _TEXT_TESTS:
            return self._text_test()
        left = self._operand()
        operator = self._take("name").lower()
        if operator not in _ORDER:
            raise ValueError(f"'{operator}' is not an operator of the filter expression.")
        right = self._operand()
        return lambda row: _compare(self._fold(left(row)), operator, self._fold(right(row)))

    def _text_test(self) -> Fits:
        test = _TEXT_TESTS[self._take("name").lower()]
        self._take("sign", "(")
        left = self._operand()
        self._take("sign", ",")
        right = self._operand()
        self._take("sign", ")")
        return lambda row: test(str(self._fold(left(row)) or ""), str(self._fold(right(row)) or ""))

    def _operand(self) -> Operand:
        kind, found = self._peek()
        self._take()
        if kind == "text":
            literal: Any = found[1:-1].replace("''", "'")
        elif kind == "number":
            literal = float(found)
        elif kind in ("time", "guid"):
            literal = found
        elif kind == "name" and found.lower() in _CONSTANTS:
            literal = _CONSTANTS[found.lower()]
        elif kind == "name" and found.lower() in _FOLDS and self._is("("):
            fold = _FOLDS[found.lower()]
            self._take("sign", "(")
            inner = self._operand()
            self._take("sign", ")")
            return lambda row: fold(str(inner(row) or ""))
        elif kind == "name":
            return self._property(found)
        else:
            raise ValueError(f"Syntax error at '{found or 'the end'}' in the filter expression.")
        return lambda _row: literal

    def _property(self, path: str) -> Operand:
        if self._known is not None and path.lower() not in self._known:
            raise ValueError(f"Could not find a property named '{path}'.")
        steps = [step.lower() for step in path.split("/")]

        def read(row: Document) -> Any:
            value: Any = row
            for step in steps:
                if not isinstance(value, dict):
                    return None
                value = next((v for k, v in value.items() if k.lower() == step), None)
            return value

        return read

    def _fold(self, value: Any) -> Any:
        return value.lower() if self._fold_case and isinstance(value, str) else value


def _split(text: str) -> list[tuple[str, str]]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match or match.lastgroup is None:
            raise ValueError(f"Syntax error at position {at} in the filter expression.")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens


def moment(text: str) -> datetime | None:
    """The aware time that an ISO text means, None when it is none. Without a zone it is UTC."""
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        found = datetime.fromisoformat(text.upper().replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else datetime.fromisoformat(found.isoformat() + "+00:00")


def _compare(left: Any, operator: str, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        first, second = moment(left), moment(right)
        if first is not None and second is not None:
            left, right = first, second
    if operator == "eq":
        return bool(left == right)
    if operator == "ne":
        return bool(left != right)
    if left is None or right is None or isinstance(left, str) != isinstance(right, str):
        return False
    try:
        sign = (left > right) - (left < right)
    except TypeError:
        return False
    return bool({"gt": sign > 0, "ge": sign >= 0, "lt": sign < 0, "le": sign <= 0}[operator])
