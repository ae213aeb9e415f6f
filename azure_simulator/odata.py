"""OData `$filter` expressions: parsed once, then asked whether a document fits.

    fits = parse("status eq 'active' and detectedDateTime ge 2026-03-01T00:00:00Z")
    fits({"status": "active", "detectedDateTime": "2026-03-02T04:09:57.41Z"})  # True
    fits = parse("tags/any(t: t eq 'a' or t eq 'b')")
    fits({"tags": ["b", "c"]})  # True

Knows eq, ne, gt, ge, lt, le, in, and, or, not, parentheses, `any` over a collection, `contains`, `startswith`, `endswith`, `tolower`,
`toupper`. Nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
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
    r"|(?P<sign>[(),:]))"
)
_ORDER = ("eq", "ne", "gt", "ge", "lt", "le")
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda whole, part: part in whole,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_FOLDS: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper}
_ELEMENT = "@element"
_CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None}


def parse(
    text: str,
    *,
    known: Iterable[str] | Mapping[str, str] | None = None,
    fold_case: bool = True,
    used: set[str] | None = None,
) -> Fits:
    """Return the test that `text` describes.

    `known` limits the properties that may be named (compared without regard to case); as a mapping it also says by which operators,
    separated by blanks ("eq ge"; "" for any). `fold_case` compares texts without regard to case. `used` is given the operators found.

    Raises:
        ValueError: the text is not an expression of this grammar, names an unknown property or compares one as it cannot be.
    """
    return _Parser(text, known, fold_case, set() if used is None else used).whole()


class _Parser:
    def __init__(
        self, text: str, known: Iterable[str] | Mapping[str, str] | None, fold_case: bool, used: set[str]
    ) -> None:
        self._tokens = _split(text)
        self._at = 0
        self._known: dict[str, frozenset[str]] | None = None
        if known is not None:
            rows = known.items() if isinstance(known, Mapping) else ((name, "") for name in known)
            self._known = {name.lower(): frozenset(operators.split()) for name, operators in rows}
        self._fold_case = fold_case
        self._used = used
        self._scope = ("", "")  # inside any(): the variable, and the collection it goes through

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
            self._used.add("not")
            inner = self._one()
            return lambda row: not inner(row)
        if self._is("("):
            self._take()
            inner = self._either()
            self._take("sign", ")")
            return inner
        kind, found = self._peek()
        if kind == "name" and found.lower() in _TEXT_TESTS:
            return self._text_test()
        if kind == "name" and found.lower().endswith("/any"):
            return self._any()
        path, left = self._operand()
        operator = self._take("name").lower()
        if operator == "in":
            return self._in(path, left)
        if operator not in _ORDER:
            raise ValueError(f"'{operator}' is not an operator of the filter expression.")
        self._allow(path, operator)
        _, right = self._operand()
        return lambda row: _compare(self._fold(left(row)), operator, self._fold(right(row)))

    def _any(self) -> Fits:
        """`collection/any(x: ...)`: true when the inner expression fits one element."""
        if self._scope[0]:
            raise ValueError("Nested 'any' is not supported in the filter expression.")
        collection = self._take("name")[: -len("/any")]
        self._used.add("any")
        self._take("sign", "(")
        variable = self._take("name").lower()
        self._take("sign", ":")
        elements = _reader(collection)
        self._scope = (variable, collection)
        inner = self._either()
        self._scope = ("", "")
        self._take("sign", ")")
        return lambda row: any(inner({_ELEMENT: element}) for element in elements(row) or ())

    def _in(self, path: str, left: Operand) -> Fits:
        self._allow(path, "in")
        self._take("sign", "(")
        choices = [self._operand()[1]]
        while self._is(","):
            self._take()
            choices.append(self._operand()[1])
        self._take("sign", ")")
        return lambda row: any(_compare(self._fold(left(row)), "eq", self._fold(choice(row))) for choice in choices)

    def _text_test(self) -> Fits:
        operator = self._take("name").lower()
        test = _TEXT_TESTS[operator]
        self._take("sign", "(")
        path, left = self._operand()
        self._allow(path, operator)
        self._take("sign", ",")
        _, right = self._operand()
        self._take("sign", ")")
        return lambda row: test(str(self._fold(left(row)) or ""), str(self._fold(right(row)) or ""))

    def _operand(self) -> tuple[str, Operand]:
        """The path of a property, "" for a literal, and how its value is read from a row."""
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
            path, inner = self._operand()
            self._take("sign", ")")
            return path, lambda row: fold(str(inner(row) or ""))
        elif kind == "name":
            return self._property(found)
        else:
            raise ValueError(f"Syntax error at '{found or 'the end'}' in the filter expression.")
        return "", lambda _row: literal

    def _property(self, path: str) -> tuple[str, Operand]:
        variable, collection = self._scope
        full, steps = path, path
        if variable:
            head, _, rest = path.partition("/")
            if head.lower() != variable:
                raise ValueError(f"'{path}' is not of the element '{variable}'.")
            full = f"{collection}/{rest}" if rest else collection
            steps = f"{_ELEMENT}/{rest}" if rest else _ELEMENT
        if self._known is not None and full.lower() not in self._known:
            raise ValueError(f"Could not find a property named '{full}'.")
        return full, _reader(steps)

    def _allow(self, path: str, operator: str) -> None:
        self._used.add(operator)
        allowed = (self._known or {}).get(path.lower(), frozenset())
        if path and allowed and operator not in allowed:
            raise ValueError(f"The operator '{operator}' is not supported for the property '{path}'.")

    def _fold(self, value: Any) -> Any:
        return value.lower() if self._fold_case and isinstance(value, str) else value


def _reader(path: str) -> Operand:
    """How the value at a path of properties is read from a row; None where there is none."""
    steps = path.split("/")

    def read(row: Document) -> Any:
        value: Any = row
        for step in steps:
            if not isinstance(value, dict):
                return None
            if step in value:
                value = value[step]
            else:
                value = next((v for k, v in value.items() if k.lower() == step.lower()), None)
        return value

    return read


def _split(text: str) -> list[tuple[str, str]]:
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if not match or match.lastgroup is None:
            raise ValueError(f"Syntax error at position {at} in the filter expression.")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return tokens


@lru_cache(maxsize=65_536)
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
