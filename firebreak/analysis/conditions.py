"""What a Sigma condition is made of, as functions: tests of a field's texts, and how they are joined.

A test answers True, False or None: None means that the fields given so far do not decide it. Comparison is without regard to case.
"""

from __future__ import annotations

import ipaddress
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sigma.types import (
    CompareOperators,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SpecialChars,
)

from firebreak.analysis.normal import Document

Test = Callable[[Document, bool], bool | None]

_COMPARE = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
}


def is_plain(value: Any) -> bool:
    if isinstance(value, SigmaCasedString):
        return False
    if isinstance(value, SigmaString):
        return not value.contains_special() and not value.contains_placeholder()
    return type(value).__name__ in {"SigmaNumber", "SigmaBool"}


def plain_text(value: Any) -> str:
    """A plain value as it is compared: an escaped wildcard is the character itself."""
    return "".join(str(part) for part in value.s).lower() if isinstance(value, SigmaString) else str(value).lower()


def matcher(value: Any) -> Callable[[str], bool]:
    """A test of one text for what is more than a plain text."""
    if isinstance(value, SigmaString):
        cased = isinstance(value, SigmaCasedString)
        if value.contains_placeholder():
            raise NotImplementedError("Placeholders are not evaluated")
        if (like := likeness(value)) is not None:
            return like.test
        parts = [_as_pattern(part) for part in value.s]
        return _pattern("".join(parts), 0 if cased else re.IGNORECASE, whole=True)
    if isinstance(value, SigmaRegularExpression):
        flags = re.IGNORECASE if SigmaRegularExpressionFlag.IGNORECASE in value.flags else 0
        flags |= re.MULTILINE if SigmaRegularExpressionFlag.MULTILINE in value.flags else 0
        return _pattern(str(value.regexp), flags, whole=False)
    if isinstance(value, SigmaCIDRExpression):
        return _inside(value.network)
    if isinstance(value, SigmaCompareExpression):
        return _compared(_COMPARE[value.op], float(value.number.number))
    raise NotImplementedError(f"A value of this kind is not evaluated: {type(value).__name__}")


class Like:
    """Texts with `*` before, between or behind them, which is what most rules ask for. A pattern would cost far more.

    `orders` are texts that follow each other: the first begins, the last ends; either may be empty.
    """

    def __init__(
        self,
        begins: Iterable[str] = (),
        holds: Iterable[str] = (),
        ends: Iterable[str] = (),
        orders: Iterable[Sequence[str]] = (),
    ) -> None:
        self._begins, self._holds, self._ends = tuple(begins), tuple(holds), tuple(ends)
        self._orders = tuple(orders)

    def __or__(self, other: Like) -> Like:
        return Like(
            self._begins + other._begins,
            self._holds + other._holds,
            self._ends + other._ends,
            self._orders + other._orders,
        )

    def test(self, found: str) -> bool:
        lowered = found.lower()
        return (
            lowered.startswith(self._begins)
            or lowered.endswith(self._ends)
            or any(wanted in lowered for wanted in self._holds)
            or any(_follow(wanted, lowered) for wanted in self._orders)
        )


def _follow(wanted: Sequence[str], found: str) -> bool:
    """Whether a text begins with the first, ends with the last and has the others in between, in order and apart."""
    first, *between, last = wanted
    if not (found.startswith(first) and found.endswith(last)):
        return False
    at = len(first)
    for text in between:
        at = found.find(text, at)
        if at < 0:
            return False
        at += len(text)
    return at + len(last) <= len(found)


def likeness(value: Any) -> Like | None:
    """The likeness that a value asks for; None when it asks for something else."""
    if not isinstance(value, SigmaString) or isinstance(value, SigmaCasedString) or value.contains_placeholder():
        return None
    many = SpecialChars.WILDCARD_MULTI
    match value.s:
        case (first, str(text), last) if first is many and last is many:
            return Like(holds=[text.lower()])
        case (first, str(text)) if first is many:
            return Like(ends=[text.lower()])
        case (str(text), last) if last is many:
            return Like(begins=[text.lower()])
    if many not in value.s or not all(part is many or isinstance(part, str) for part in value.s):
        return None
    texts = [""]
    for part in value.s:
        if part is many:
            texts.append("")
        else:
            texts[-1] += str(part).lower()
    return Like(orders=[texts])


def _as_pattern(part: Any) -> str:
    if part is SpecialChars.WILDCARD_MULTI:
        return ".*"
    return "." if part is SpecialChars.WILDCARD_SINGLE else re.escape(str(part))


def _pattern(text: str, flags: int, *, whole: bool) -> Callable[[str], bool]:
    compiled = re.compile(text, flags | re.DOTALL)
    find = compiled.fullmatch if whole else compiled.search
    return lambda found: find(found) is not None


def contains(wanted: str) -> Callable[[str], bool]:
    return lambda found: wanted in found.lower()


def _compared(compare: Callable[[float, float], bool], number: float) -> Callable[[str], bool]:
    def test(found: str) -> bool:
        try:
            return compare(float(found), number)
        except ValueError:
            return False

    return test


def _inside(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Callable[[str], bool]:
    def test(found: str) -> bool:
        try:
            return ipaddress.ip_address(found) in network
        except ValueError:
            return False

    return test


def one_of(field: str, wanted: frozenset[str]) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        found = document.get(field)
        if found is None:
            return False if complete else None
        return any(value.lower() in wanted for value in found)

    return test


def some(field: str, matches: Callable[[str], bool]) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        found = document.get(field)
        if found is None:
            return False if complete else None
        return any(matches(value) for value in found)

    return test


def anywhere(matches: Callable[[str], bool]) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        if any(matches(value) for found in document.values() for value in found):
            return True
        return False if complete else None

    return test


def exists(field: str, wanted: bool) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        there = any(document.get(field, ()))
        return None if not there and not complete else there is wanted

    return test


def same(field: str, other: str) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        one, two = document.get(field), document.get(other)
        if one is None or two is None:
            return False if complete else None
        return bool({value.lower() for value in one} & {value.lower() for value in two})

    return test


def negated(inner: Test) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        found = inner(document, complete)
        return None if found is None else not found

    return test


def all_of(parts: Sequence[Test]) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        unsure = False
        for part in parts:
            found = part(document, complete)
            if found is False:
                return False
            unsure = unsure or found is None
        return None if unsure else True

    return test


def any_of(parts: Sequence[Test]) -> Test:
    def test(document: Document, complete: bool) -> bool | None:
        unsure = False
        for part in parts:
            found = part(document, complete)
            if found is True:
                return True
            unsure = unsure or found is None
        return None if unsure else False

    return test
