"""Rows of cost: taken out of a Cost Management reply, an Azure cost export or a FOCUS file, by the names of the columns.

rows = read_rows(reply)                            # tolerant: what makes no sense is left out
table = read_table(json.loads(text), strict=True)  # a file of a person's: the first row that makes no sense is named
table = read_csv(text)
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.errors import ContentError

_DAYS = ("usagedate", "date", "chargeperiodstart", "usagedatetime")
_MONTHS = ("billingmonth",)
_CURRENCIES = ("currency", "billingcurrency", "billingcurrencycode")
_COSTS = (
    "cost",
    "pretaxcost",
    "costinbillingcurrency",
    "billedcost",
    "totalcost",
    "effectivecost",
    "costusd",
    "pretaxcostusd",
    "costinusd",
)
_CSV_KEYS = (("servicename", "metercategory", "consumedservice"), ("regionid", "resourcelocation", "region"))
_HINT = (
    'Expected a Cost Management query reply with granularity Daily: {"properties": {"columns": [...], "rows": [...]}}.'
)


class Row(msgspec.Struct, frozen=True):
    """One row of a cost reply. `day` is None in a reply that is not daily; `key` are the values of the grouping columns in order."""

    day: date | None
    key: tuple[str, ...]
    cost: Decimal
    currency: str


class Table(msgspec.Struct, frozen=True):
    """Rows and the names of their grouping columns; `daily` is False for a reply without days, or of whole months."""

    rows: tuple[Row, ...]
    grouping: tuple[str, ...]
    daily: bool


class _Columns(msgspec.Struct, frozen=True):
    count: int
    day: int | None
    cost: int | None
    currency: int | None
    keys: tuple[int, ...]
    names: tuple[str, ...]
    assumed_currency: str


def read_rows(reply: Mapping[str, Any] | None) -> list[Row]:
    """Take the rows of one page of a Cost Management reply; rows that make no sense are left out."""
    return list(read_table(reply, strict=False).rows)


def read_table(document: Any, *, strict: bool) -> Table:
    """Take a reply, or a list of its pages, apart.

    Raises:
        ContentError: only when `strict`: no reply, or a row that cannot be read; names the place.
    """
    pages = document if isinstance(document, list) else [document]
    rows: list[Row] = []
    grouping: tuple[str, ...] = ()
    daily = True
    for number, page in enumerate(pages):
        at = f"page {number + 1}: " if len(pages) > 1 else ""
        properties = doc.mapping(page, "properties") or (dict(page) if isinstance(page, Mapping) else {})
        columns = _columns(doc.items(properties, "columns"))
        found = doc.items(properties, "rows")
        if strict and not columns.count:
            raise ContentError(f"{at}This is no Cost Management reply: it has no columns.", hint=_HINT)
        if strict and columns.cost is None:
            raise ContentError(f"{at}properties.columns has no column of cost, only {_named(columns)}.", hint=_HINT)
        if strict and not isinstance(doc.field(properties, "rows"), list):
            raise ContentError(f"{at}properties.rows is no list.", hint=_HINT)
        grouping = grouping or columns.names
        daily = daily and columns.day is not None
        for index, values in enumerate(found):
            row = _row(values, columns)
            if isinstance(row, Row):
                rows.append(row)
            elif strict:
                raise ContentError(
                    f"{at}properties.rows[{index}] cannot be read: {row}.",
                    hint="Take the reply as Azure sent it, whole.",
                )
    return Table(tuple(rows), grouping, daily)


def read_csv(text: str) -> Table:
    """Take an Azure cost export or a FOCUS file apart: one row a charge, with a header.

    Raises:
        ContentError: no such file, or a line that cannot be read; names the line.
    """
    lines = csv.reader(io.StringIO(text.lstrip("\ufeff")))
    try:
        header = [name.strip() for name in next(lines, [])]
        columns = _csv_columns(header)
        if columns.cost is None or columns.day is None:
            missing = "cost" if columns.cost is None else "day"
            raise ContentError(
                f"line 1: this is no cost export, for no column of its header is a {missing}.",
                hint="Expected a Cost Management reply (JSON), an Azure cost export or a FOCUS file (CSV).",
            )
        rows = []
        for values in lines:
            if not values:
                continue
            row = _row(values, columns)
            if not isinstance(row, Row):
                raise ContentError(f"line {lines.line_num} cannot be read: {row}.", hint="Take the export whole.")
            rows.append(row)
    except csv.Error as error:
        raise ContentError(f"line {lines.line_num} cannot be read: {error}.", hint="Take the export whole.") from error
    return Table(tuple(rows), columns.names, daily=True)


def _columns(columns: Sequence[Any]) -> _Columns:
    names = [doc.text(column, "name") for column in columns]
    low = [name.lower() for name in names]
    numeric = {i for i, column in enumerate(columns) if doc.text(column, "type").lower() == "number"}
    day, currency = _first(low, _DAYS), _first(low, _CURRENCIES)
    taken = {i for i in (day, currency, _first(low, _MONTHS)) if i is not None}
    cost = _first(low, _COSTS)
    if cost is None:
        numbers = [i for i in sorted(numeric) if i not in taken]
        cost = next((i for i in numbers if "cost" in low[i]), numbers[0] if numbers else None)
    keys = tuple(i for i in range(len(names)) if i not in taken | numeric and i != cost and low[i] not in _COSTS)
    assumed = "USD" if currency is None and cost is not None and low[cost].endswith("usd") else ""
    return _Columns(len(names), day, cost, currency, keys, tuple(names[i] for i in keys), assumed)


def _csv_columns(header: Sequence[str]) -> _Columns:
    low = [name.lower() for name in header]
    keys = tuple(i for names in _CSV_KEYS if (i := _first(low, names)) is not None)
    return _Columns(
        len(header),
        _first(low, ("chargeperiodstart", *_DAYS)),
        _first(low, _COSTS),
        _first(low, _CURRENCIES),
        keys,
        tuple(header[i] for i in keys),
        "",
    )


def _first(names: Sequence[str], wanted: Sequence[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _named(columns: _Columns) -> str:
    return doc.shown(", ".join(columns.names)) or "days and currency"


def _row(values: Any, columns: _Columns) -> Row | str:
    """The row, or why it is none."""
    if not isinstance(values, list):
        return "it is no list"
    if len(values) != columns.count:
        return f"it has {len(values)} values for {columns.count} columns"
    if columns.cost is None:
        return "no column is a cost"
    cost = doc.amount(values[columns.cost])
    if cost is None:
        return f"its cost is {doc.shown(repr(values[columns.cost]), 40)}"
    day = None
    if columns.day is not None:
        day = _day(values[columns.day])
        if day is None:
            return f"its day is {doc.shown(repr(values[columns.day]), 40)}"
    return Row(
        day=day,
        key=tuple("" if values[i] is None else str(values[i]) for i in columns.keys),
        cost=cost,
        currency=columns.assumed_currency if columns.currency is None else str(values[columns.currency] or ""),
    )


def _day(value: Any) -> date | None:
    """20261119, "20261119", 20261119.0, "2026-11-19T00:00:00Z" or "11/19/2026"."""
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    month, slash, rest = text.partition("/")
    if slash:
        day_of_month, _, year = rest.partition("/")
        text = f"{year[:4]:0>4}{month:0>2}{day_of_month:0>2}"
    digits = text[:10].replace("-", "")[:8]
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None
