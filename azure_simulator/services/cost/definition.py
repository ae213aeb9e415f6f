"""A Cost Management query: its JSON body parsed into a frozen `Query`, or refused as the service refuses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from azure_simulator.odata import moment
from azure_simulator.services.cost.exceptions import BadQueryError

DIMENSIONS = (
    "ResourceGroup",
    "ResourceGroupName",
    "ResourceType",
    "ResourceId",
    "ResourceLocation",
    "SubscriptionId",
    "SubscriptionName",
    "MeterCategory",
    "MeterSubcategory",
    "Meter",
    "ServiceName",
    "ServiceFamily",
    "ConsumedService",
    "ChargeType",
    "PublisherType",
    "PricingModel",
    "Frequency",
    "BillingMonth",
)
AMOUNTS = ("PreTaxCost", "Cost", "PreTaxCostUSD", "CostUSD")
TYPES = ("Usage", "ActualCost", "AmortizedCost")
GRANULARITIES = ("None", "Daily", "Monthly")
MAX_GROUPINGS = 2
MAX_DAYS = 366

Value = Callable[[str], str]  # gives a row's value of the dimension or tag named
Test = Callable[[Value], bool]


@dataclass(frozen=True)
class Query:
    """What is asked. `first` and `last` are both included; `groupings` are (Dimension or TagKey, name) pairs."""

    first: date
    last: date
    granularity: str
    amounts: tuple[str, ...]
    groupings: tuple[tuple[str, str], ...]
    fits: Test | None
    sorting: tuple[tuple[str, bool], ...]

    @property
    def months(self) -> int:
        """Calendar months touched: what a query costs in query processing units."""
        return (self.last.year - self.first.year) * 12 + self.last.month - self.first.month + 1


def parse(body: Any, now: datetime) -> Query:
    """Return the query that `body` defines.

    Raises:
        BadQueryError: any part is missing, unknown or contradictory.
    """
    if not isinstance(body, dict):
        raise BadQueryError("The request body is missing or not an object.")
    kind = str(body.get("type") or "")
    if kind.lower() not in [t.lower() for t in TYPES]:
        raise BadQueryError(f"Invalid query type: '{kind}'; valid values: {_quoted(TYPES)}.")
    dataset = body.get("dataset")
    if not isinstance(dataset, dict):
        raise BadQueryError("Missing dataset.")
    first, last = _period(body, now)
    return Query(
        first,
        last,
        _one_of("dataset granularity", str(dataset.get("granularity") or "None"), GRANULARITIES),
        _amounts(dataset.get("aggregation")),
        _groupings(dataset.get("grouping")),
        _filter(dataset["filter"]) if dataset.get("filter") else None,
        _sorting(dataset.get("sorting")),
    )


def _quoted(values: tuple[str, ...]) -> str:
    return ",".join(f"'{value}'" for value in values)


def _one_of(what: str, value: str, valid: tuple[str, ...]) -> str:
    for known in valid:
        if known.lower() == value.lower():
            return known
    raise BadQueryError(f"Invalid {what}: '{value}'; valid values: {_quoted(valid)}.")


def _period(body: dict[str, Any], now: datetime) -> tuple[date, date]:
    today = now.date()
    month_start = today.replace(day=1)
    last_month_end = month_start - timedelta(days=1)
    frames = {
        "monthtodate": (month_start, today),
        "billingmonthtodate": (month_start, today),
        "thecurrentmonth": (month_start, today),
        "thelastmonth": (last_month_end.replace(day=1), last_month_end),
        "thelastbillingmonth": (last_month_end.replace(day=1), last_month_end),
        "weektodate": (today - timedelta(days=(today.weekday() + 1) % 7), today),
    }
    frame = str(body.get("timeframe") or "").lower()
    if frame in frames:
        return frames[frame]
    if frame != "custom":
        raise BadQueryError(f"Invalid timeframe: '{body.get('timeframe')}'.")
    period = body.get("timePeriod")
    if not isinstance(period, dict) or not period.get("from") or not period.get("to"):
        raise BadQueryError("Invalid timePeriod: 'from' and 'to' are required when the timeframe is Custom.")
    first, last = moment(str(period["from"])), moment(str(period["to"]))
    if first is None or last is None:
        raise BadQueryError(f"Invalid timePeriod: '{period['from']}' to '{period['to']}' are not times.")
    if first > last:
        raise BadQueryError("Invalid timePeriod: 'from' is later than 'to'.")
    if (last - first).days >= MAX_DAYS:
        raise BadQueryError("Invalid timePeriod: the range is longer than one year.")
    return first.date(), last.date()


def _amounts(aggregation: Any) -> tuple[str, ...]:
    if not aggregation:
        return ("PreTaxCost",)
    if not isinstance(aggregation, dict) or len(aggregation) > 2:
        raise BadQueryError("Invalid dataset aggregation: at most two aggregations are allowed.")
    names = []
    for each in aggregation.values():
        if not isinstance(each, dict) or str(each.get("function") or "").lower() != "sum":
            raise BadQueryError("Invalid dataset aggregation: the function must be 'Sum'.")
        names.append(_one_of("dataset aggregation", str(each.get("name") or ""), AMOUNTS))
    return tuple(dict.fromkeys(names))


def _groupings(grouping: Any) -> tuple[tuple[str, str], ...]:
    if not grouping:
        return ()
    if not isinstance(grouping, list) or len(grouping) > MAX_GROUPINGS:
        raise BadQueryError(f"Invalid dataset grouping: at most {MAX_GROUPINGS} groupings are allowed.")
    found = []
    for each in grouping:
        if not isinstance(each, dict):
            raise BadQueryError("Invalid dataset grouping: each grouping is an object with type and name.")
        kind = _one_of("dataset grouping type", str(each.get("type") or ""), ("Dimension", "TagKey"))
        name = str(each.get("name") or "")
        found.append((kind, name if kind == "TagKey" else _one_of("dataset grouping", name, DIMENSIONS)))
    return tuple(found)


def _sorting(sorting: Any) -> tuple[tuple[str, bool], ...]:
    if not isinstance(sorting, list):
        return ()
    return tuple((str(s.get("name")), str(s.get("direction", "")).lower().startswith("desc")) for s in sorting)


def _filter(node: Any) -> Test:
    keys = [key for key in ("and", "or", "not", "dimensions", "tags") if isinstance(node, dict) and node.get(key)]
    if len(keys) != 1:
        raise BadQueryError(
            "Invalid dataset filter; on a QueryFilter one and only one of and/or/not/dimension/tag can be set."
        )
    key = keys[0]
    if key in ("and", "or"):
        if not isinstance(node[key], list) or len(node[key]) < 2:
            raise BadQueryError(f"Invalid dataset filter; '{key}' must have at least 2 items.")
        parts = [_filter(part) for part in node[key]]
        fold = all if key == "and" else any
        return lambda value: fold(part(value) for part in parts)
    if key == "not":
        inner = _filter(node["not"])
        return lambda value: not inner(value)
    return _comparison(node[key], is_tag=key == "tags")


def _comparison(test: Any, *, is_tag: bool) -> Test:
    if not isinstance(test, dict) or not isinstance(test.get("values"), list) or not test["values"]:
        raise BadQueryError("Invalid dataset filter; name, operator and values are required.")
    name = str(test.get("name") or "")
    source = f"tag:{name}" if is_tag else _one_of("dataset filter", name, DIMENSIONS)
    operator = _one_of("dataset filter operator", str(test.get("operator") or ""), ("In", "Contains"))
    wanted = {str(value).lower() for value in test["values"]}
    if operator == "In":
        return lambda value: value(source).lower() in wanted
    return lambda value: any(part in value(source).lower() for part in wanted)
