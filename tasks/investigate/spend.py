"""Daily cost from Cost Management, its anomalies, the cost of each resource, and the budgets that watch it."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.spend import ZERO, Row, Sensitivity, read_rows, review
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import SpendFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.reading import Notes

STEP = Step(
    id="investigate.spend",
    title="Look for anomalies in the spend",
    effect=Effect.READ,
    description=(
        "Compares daily cost by service and region with its own past, says since when and how much too much was spent, and reads the cost "
        "of each resource and the budgets."
    ),
    permissions=("Microsoft.CostManagement/query/action", "Microsoft.Consumption/budgets/read"),
    guidance=("S01", "S02", "S52", "S53", "S68", "S79"),
    produces=SpendFacts,
)

_VERSION = "2025-03-01"
_DAYS = 90
_MOST_PAGES = 50


async def collect(eyes: Eyes, case: Case) -> SpendFacts:
    """Ask three times at most: daily by service and region, by resource in the window, budgets. A refused query is noted.

    The parameter `days` (90) says how far back the daily query goes; the others are the fields of `Sensitivity`.
    """
    today = eyes.now().date()
    first = today - timedelta(days=int(case.parameter(STEP.id, "days", _DAYS)))
    notes = Notes()
    unread: list[Row] | None = None
    daily = await notes.attempt("daily spend", _query(eyes, notes, first, today, "Daily", _SERVICE_AND_REGION), unread)
    observed = (case.incident.alert.first_observed_at or case.incident.alert.detected_at).date()
    window = max(first, min(observed, today) - timedelta(days=7))
    by_resource = await notes.attempt("spend by resource", _query(eyes, notes, window, today, "None", _RESOURCE), [])
    path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Consumption/budgets"
    budgets = await notes.attempt("budgets", eyes.arm.list(path, "2024-08-01"), [])
    facts = (
        SpendFacts(status="not_read", currency="")
        if daily is None
        else review(daily, today=today, sensitivity=sensitivity(case))
    )
    costs: dict[str, Decimal] = {}
    for row in by_resource or []:
        if row.key and row.key[0] and (not facts.currency or row.currency == facts.currency):
            costs[row.key[0].lower()] = costs.get(row.key[0].lower(), ZERO) + row.cost
    return msgspec.structs.replace(
        facts,
        by_resource=dict(sorted(costs.items())),
        budgets=tuple(sorted(budgets, key=lambda item: doc.path(item, "id").lower())),
        not_looked_at=(*facts.not_looked_at, *notes.all),
    )


def assess(facts: SpendFacts, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Tell the anomaly, and that no budget watches the subscription."""
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
                    *(
                        f"{flag.day} {doc.shown(' in '.join(part for part in flag.key if part))}: {flag.amount:.2f} "
                        f"against {flag.expected:.2f} expected."
                        for flag in worst
                    ),
                ),
                techniques=("T1496",),
            )
        )
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


def _severity(facts: SpendFacts) -> Severity:
    """High when on some day at least a quarter of the whole subscription's spend was unexpected."""
    extra: dict[date, Decimal] = {}
    for flag in facts.flagged:
        extra[flag.day] = extra.get(flag.day, ZERO) + flag.amount - flag.expected
    total = dict(zip(facts.total.days, facts.total.amounts, strict=True)) if facts.total else {}
    large = any(amount * 4 >= total.get(day, ZERO) for day, amount in extra.items())
    return Severity.HIGH if large else Severity.LOW


def sensitivity(case: Case) -> Sensitivity:
    """The playbook's parameters over the defaults."""
    defaults = Sensitivity()
    chosen: dict[str, Any] = {}
    for name in Sensitivity.__struct_fields__:
        default = getattr(defaults, name)
        chosen[name] = type(default)(str(case.parameter(STEP.id, name, default)))
    return Sensitivity(**chosen)


_SERVICE_AND_REGION = ("ServiceName", "ResourceLocation")
_RESOURCE = ("ResourceId",)


async def _query(
    eyes: Eyes, notes: Notes, first: date, last: date, granularity: str, grouping: tuple[str, ...]
) -> list[Row]:
    body = {
        "type": "ActualCost",
        "timeframe": "Custom",
        "timePeriod": {"from": f"{first}T00:00:00Z", "to": f"{last}T23:59:59Z"},
        "dataset": {
            "granularity": granularity,
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
