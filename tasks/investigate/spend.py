"""Daily cost from Cost Management, its anomalies, the cost of each resource, and the budgets that watch it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.spend import ZERO, Row, Sensitivity, drivers, read_rows, review, series_of
from firebreak.errors import ContentError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import SpendDriver, SpendFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.reading import Notes

STEP = Step(
    id="investigate.spend",
    title="Look for anomalies in the spend",
    effect=Effect.READ,
    description=(
        "Compares daily cost by service and region and by resource group with its own past, says since when and how much too much was "
        "spent and what drives it, and reads the cost of each resource and the budgets."
    ),
    permissions=("Microsoft.CostManagement/query/action", "Microsoft.Consumption/budgets/read"),
    guidance=("S01", "S02", "S52", "S53", "S68", "S79"),
    produces=SpendFacts,
)

_VERSION = "2025-03-01"
_DAYS = 90
_MOST_PAGES = 50


async def collect(eyes: Eyes, case: Case) -> SpendFacts:
    """Ask three cost queries at most (daily by service and region, daily by resource group, daily by resource since a week before the
    rise) and the budgets. A refused query is noted. Together they take about eleven of the twelve units that ten seconds allow.

    The parameter `days` (90) says how far back the daily queries go; the others are the fields of `Sensitivity`.
    """
    today = eyes.now().date()
    first = today - timedelta(days=int(case.parameter(STEP.id, "days", _DAYS)))
    notes = Notes()
    unread: list[Row] | None = None
    daily = await notes.attempt("daily spend", _query(eyes, notes, first, today, _SERVICE_AND_REGION), unread)
    facts = (
        SpendFacts(status="not_read", currency="")
        if daily is None
        else review(daily, today=today, sensitivity=sensitivity(case), by="service, region")
    )
    groups = await notes.attempt("spend by resource group", _query(eyes, notes, first, today, _GROUP), [])
    observed = (case.incident.alert.first_observed_at or case.incident.alert.detected_at).date()
    since = min(observed, facts.start_day or observed, today)
    resources = await notes.attempt(
        "spend by resource", _query(eyes, notes, max(first, since - timedelta(days=7)), today, _RESOURCE), []
    )
    path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Consumption/budgets"
    budgets = await notes.attempt("budgets", eyes.arm.list(path, "2024-08-01"), [])
    by_group, by_resource = _same_money(groups, facts.currency), _same_money(resources, facts.currency)
    costs: dict[str, Decimal] = {}
    for row in by_resource:
        if row.key and row.key[0]:
            costs[row.key[0]] = costs.get(row.key[0], ZERO) + row.cost
    if daily is not None and by_group:
        facts = _with_groups(facts, review(by_group, today=today, sensitivity=sensitivity(case), by="resource group"))
    return msgspec.structs.replace(
        facts,
        drivers=_drivers(facts, by_group, by_resource),
        by_resource=dict(sorted(costs.items())),
        budgets=tuple(sorted(budgets, key=lambda item: doc.path(item, "id").lower())),
        not_looked_at=(*facts.not_looked_at, *notes.all),
    )


def _same_money(rows: list[Row] | None, currency: str) -> list[Row]:
    """Rows in the currency of the others, their names in lower case: ids come in any."""
    return [
        msgspec.structs.replace(row, key=tuple(part.lower() for part in row.key))
        for row in rows or []
        if not currency or row.currency == currency
    ]


def _with_groups(facts: SpendFacts, groups: SpendFacts) -> SpendFacts:
    """Add what the resource groups show. Where services show nothing and a group does, the group's episode counts."""
    single = tuple(flag for flag in groups.flagged if flag.by == "resource group")
    if not single or facts.status == "too_little_history":
        return facts
    if facts.flagged:
        return msgspec.structs.replace(facts, flagged=(*facts.flagged, *single))
    return msgspec.structs.replace(
        facts,
        status="anomaly",
        flagged=single,
        start_day=groups.start_day,
        end_day=groups.end_day,
        extra_spend=groups.extra_spend,
    )


def _drivers(facts: SpendFacts, groups: list[Row], resources: list[Row]) -> tuple[SpendDriver, ...]:
    start, end = facts.start_day, facts.end_day
    if start is None or end is None:
        return ()
    return (
        *drivers(facts.series, {0: "service", 1: "region"}, start, end),
        *drivers(series_of(groups), {0: "resource group"}, start, end),
        *drivers(series_of(resources), {0: "resource"}, start, end),
    )


def assess(facts: SpendFacts, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Tell the anomaly, a budget that is spent, and that no budget watches the subscription."""
    found = []
    if facts.status == "anomaly" and facts.start_day:
        worst = sorted(facts.flagged, key=lambda flag: (flag.expected - flag.amount, flag.day, flag.key))[:8]
        found.append(
            Finding(
                id="spend-anomaly",
                step=STEP.id,
                title="Spend above its usual course",
                severity=_severity(facts),
                reasons=(
                    f"Since {facts.start_day}, {facts.extra_spend:.2f} {facts.currency} more than expected.",
                    *(_driven(driver, facts.currency) for driver in first_of_each(facts.drivers)),
                    *(
                        f"{flag.day} {doc.shown(' in '.join(part for part in flag.key if part))}: {flag.amount:.2f} "
                        f"against {flag.expected:.2f} expected; {flag.why}."
                        for flag in worst
                    ),
                ),
                techniques=("T1496",),
            )
        )
    found += [
        Finding(
            id=f"over-budget:{name}",
            step=STEP.id,
            title="A budget is spent",
            severity=Severity.MEDIUM,
            reasons=(f"Budget {name}: {spent:.2f} of {amount:.2f} spent in its period.",),
        )
        for name, amount, spent in _spent_budgets(facts)
    ]
    unread = {note.what for note in facts.not_looked_at}
    if not facts.budgets and "budgets" not in unread:
        found.append(
            Finding(
                id="no-budget",
                step=STEP.id,
                title="No budget watches this subscription",
                severity=Severity.LOW,
                reasons=("Nobody is told when the cost rises. A budget notifies; it stops nothing.",),
            )
        )
    return found


def first_of_each(found: tuple[SpendDriver, ...]) -> list[SpendDriver]:
    """The largest driver of each kind."""
    largest: dict[str, SpendDriver] = {}
    for driver in found:
        largest.setdefault(driver.by, driver)
    return list(largest.values())


def _driven(driver: SpendDriver, currency: str) -> str:
    name = driver.name.rsplit("/", 1)[-1] or "none"
    new = ", which cost nothing before" if driver.new else ""
    return f"Most of it by {driver.by}: {doc.shown(name)}{new}, {driver.extra:.2f} {currency}."


def _spent_budgets(facts: SpendFacts) -> list[tuple[str, Decimal, Decimal]]:
    """Name, amount and spend of the budgets that are spent; spend is what Azure says, else the month so far for a monthly one."""
    spent_ones = []
    for budget in facts.budgets:
        amount = doc.amount(doc.field(budget, "properties", "amount"))
        spent = doc.amount(doc.field(budget, "properties", "currentSpend", "amount"))
        monthly = doc.text(budget, "properties", "timeGrain").lower() == "monthly"
        filtered = bool(doc.mapping(budget, "properties", "filter"))
        if spent is None and monthly and not filtered and facts.total is not None:
            month = facts.total.days[-1].replace(day=1)
            pairs = zip(facts.total.days, facts.total.amounts, strict=True)
            spent = sum((cost for day, cost in pairs if day >= month), ZERO)
        if amount and spent is not None and spent >= amount:
            spent_ones.append((doc.shown(doc.text(budget, "name")), amount, spent))
    return spent_ones


def _severity(facts: SpendFacts) -> Severity:
    """High when on some day at least a quarter of the whole subscription's spend was unexpected."""
    extra: dict[tuple[date, str], Decimal] = {}
    for flag in facts.flagged:
        extra[flag.day, flag.by] = extra.get((flag.day, flag.by), ZERO) + flag.amount - flag.expected
    total = dict(zip(facts.total.days, facts.total.amounts, strict=True)) if facts.total else {}
    large = any(amount * 4 >= total.get(day, ZERO) for (day, _), amount in extra.items())
    return Severity.HIGH if large else Severity.LOW


def sensitivity(case: Case) -> Sensitivity:
    """The playbook's parameters over the defaults.

    Raises:
        ContentError: a value is no number, or one that judges nothing (negative, or more days than Cost Management looks back).
    """
    defaults = Sensitivity()
    return Sensitivity(**{name: _number(case, name, getattr(defaults, name)) for name in Sensitivity.__struct_fields__})


def _number(case: Case, name: str, default: Any) -> Any:
    given = case.parameter(STEP.id, name, default)
    least, most = (_FEWEST.get(name, 0), _MOST_DAYS) if isinstance(default, int) else (0, _LARGEST)
    try:
        value = type(default)(str(given))
        if least <= value <= most:  # False for what is no number, too
            return value
    except (ValueError, ArithmeticError):
        pass
    kind = "a whole number" if isinstance(default, int) else "a number"
    raise ContentError(
        f"The playbook's parameter {name} of {STEP.id} is {given!r}, which is not {kind} from {least} to {most:,}.",
        hint=f"The default is {default}; leave it out to take that.",
    )


_FEWEST = {"least_days": 2, "adopt_after_days": 2}
_MOST_DAYS = 366
_LARGEST = 1_000_000_000


_SERVICE_AND_REGION = ("ServiceName", "ResourceLocation")
_GROUP = ("ResourceGroupName",)
_RESOURCE = ("ResourceId",)


async def _query(eyes: Eyes, notes: Notes, first: date, last: date, grouping: tuple[str, ...]) -> list[Row]:
    body = {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": f"{first}T00:00:00Z", "to": f"{last}T23:59:59Z"},
        "dataset": {
            "granularity": "Daily",
            "aggregation": {"totalCost": {"name": "PreTaxCost", "function": "Sum"}},
            "grouping": [{"type": "Dimension", "name": name} for name in grouping],
        },
    }
    start = path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.CostManagement/query"
    rows: list[Row] = []
    for _ in range(_MOST_PAGES):
        reply = await eyes.arm.query(path, _VERSION, body)
        rows += read_rows(reply)
        following = doc.path(reply, "properties", "nextLink")
        if not following:
            return rows
        # The next page is asked with the same body; only the query string of the link is taken, never its host or path.
        path = f"{start}?{following.partition('?')[2]}"
    notes.add(f"spend beyond {_MOST_PAGES} pages", "the reply has no end")
    return rows
