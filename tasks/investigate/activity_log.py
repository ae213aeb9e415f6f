"""The 90-day activity log: read in spans of a few days side by side, grouped into operations, judged against each caller's own past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis.conduct import Thresholds
from firebreak.analysis.detections import find
from firebreak.analysis.log_review import LogReview
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Inventory, SubscriptionFacts
from firebreak.model.finding import Finding, NotLookedAt
from firebreak.model.step import Effect, Step
from tasks.detections import rules_of
from tasks.reading import each

STEP = Step(
    id="investigate.activity_log",
    title="Review the activity log",
    effect=Effect.READ,
    description=(
        "Reads the activity log of the last 90 days and looks for operations and patterns of an intruder in the incident's window: new "
        "callers and addresses, bursts, GPU sizes, unused regions, roles granted, protections removed."
    ),
    permissions=("Microsoft.Insights/eventtypes/values/read",),
    guidance=("S02", "S28", "S50", "S51", "S52", "S56", "S67"),
    produces=ActivityFacts,
)

# Azure refuses a start more than 90 days ago; some minutes are left for clocks that differ.
_REACH = timedelta(days=90) - timedelta(minutes=15)
_DEFAULT_DAYS_BEFORE = 7
# A page takes Azure up to a second and each names the next, so spans of the log are read side by side. Few enough that a quiet log costs
# little of the 250 reads at once that Azure grants, and a busy one stays below the 25 a second after them.
_SPAN = timedelta(days=5)
_ORIGIN = datetime(2020, 1, 1, tzinfo=UTC)
_AT_ONCE = 6


async def collect(eyes: Eyes, case: Case) -> ActivityFacts:
    """Read the log up to now. The parameter `window_days_before` (7) says how long before the first observation the window begins."""
    now = eyes.now()
    start = now - _REACH
    rules = rules_of(case)
    review = LogReview(rules)
    path = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values"

    async def read(span: str) -> None:
        # Each page is taken in as it comes, while those of the other spans are on their way.
        async for page in eyes.arm.raw_pages(path, "2015-04-01", {"$filter": span}):
            try:
                review.add_json(page)
            except msgspec.ValidationError:  # an event in it is of no form that the quick way knows
                review.add(msgspec.json.decode(page))

    await each(read, spans(start, now), at_once=_AT_ONCE)
    alert = case.incident.alert
    observed = min(alert.first_observed_at or alert.detected_at, alert.detected_at, now)
    days = timedelta(days=float(case.parameter(STEP.id, "window_days_before", _DEFAULT_DAYS_BEFORE)))
    left_out = tuple(
        NotLookedAt(f"the detection {problem.file}:{problem.line}", problem.message) for problem in rules.problems
    )
    return review.facts(window_start=max(start, observed - days), from_time=start, to_time=now, not_looked_at=left_out)


def spans(start: datetime, now: datetime) -> list[str]:
    """Return filters that cover the log since `start`: the oldest before it leaves Azure's reach, then the newest, which an attack fills most.

    Neighbours share their boundary, since Azure knows no "before": an event there comes twice and is counted once. The newest has no
    end, so that events that arrive late while we read are not cut off. Boundaries lie on fixed days, whenever it is asked: what is past is
    read with the same request in each round, and an answer that is the same is kept once.
    """
    filters = []
    begin, end = start, start - (start - _ORIGIN) % _SPAN + _SPAN
    while end < now:
        filters.append(
            f"eventTimestamp ge '{begin:%Y-%m-%dT%H:%M:%SZ}' and eventTimestamp le '{end:%Y-%m-%dT%H:%M:%SZ}'"
        )
        begin, end = end, end + _SPAN
    filters.append(f"eventTimestamp ge '{begin:%Y-%m-%dT%H:%M:%SZ}'")
    return [*filters[:1], *filters[:0:-1]]


def assess(facts: ActivityFacts, case: Case) -> list[Finding]:
    """Judge the window's operations; the responder's own are left out where they are known."""
    subscription = case.get(SubscriptionFacts)
    return find(
        facts,
        own=subscription.own_principal_ids if subscription else (),
        inventory=case.get(Inventory),
        thresholds=thresholds(case),
        rules=rules_of(case),
    )


def thresholds(case: Case) -> Thresholds:
    """The playbook's parameters over the defaults."""
    defaults = Thresholds()
    chosen: dict[str, Any] = {
        name: int(case.parameter(STEP.id, name, getattr(defaults, name))) for name in Thresholds.__struct_fields__
    }
    return Thresholds(**chosen)
