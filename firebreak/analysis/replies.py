"""The investigation of a single file: an Activity Log reply or a Cost Management reply, without a subscription, an alert or a clock.

activity, findings = review_log(json.loads(text))
spend = review_spend(json.loads(text))
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.detections import Thresholds, find
from firebreak.analysis.operations import LogReview
from firebreak.analysis.spend import Sensitivity, drivers, review
from firebreak.analysis.spend_rows import Table, read_table
from firebreak.errors import ContentError
from firebreak.model.facts import ActivityFacts, SpendFacts
from firebreak.model.finding import Finding, NotLookedAt

_WINDOW = timedelta(days=7)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_HISTORY = timedelta(days=3)


def review_log(reply: Any, *, thresholds: Thresholds | None = None) -> tuple[ActivityFacts, list[Finding]]:
    """Review `{"value": [EventData, ...]}` or a bare list of events: the last week against what was before it.

    A log that is hardly longer than a week is reviewed whole, and then nothing in it is called new.

    Raises:
        ContentError: the document is neither.
    """
    events = reply if isinstance(reply, list) else doc.items(reply, "value")
    if not isinstance(reply, list) and not isinstance(doc.field(reply, "value"), list):
        raise ContentError(
            "This is no Activity Log reply: it has no list `value`.", hint='Expected {"value": [EventData, ...]}.'
        )
    log = LogReview()
    log.add(events)
    operations = log.operations()
    if not operations:
        times = [at for event in events if (at := doc.moment(doc.field(event, "eventTimestamp")))]
        if not times:
            return _empty(log), []
        return log.facts(window_start=min(times)), []
    first, last = operations[0].at, operations[-1].at
    window = last - _WINDOW if last - _WINDOW - first >= _LEAST_HISTORY else first
    activity = log.facts(window_start=window)
    return activity, find(activity, thresholds=thresholds)


def review_spend(reply: Any, *, as_of: date | None = None, sensitivity: Sensitivity | None = None) -> SpendFacts:
    """Review a daily Cost Management query reply, a list of its pages, or a `Table`; nothing later than `as_of` is looked at.

    The newest day counts as incomplete: a file does not say when it was made.

    Raises:
        ContentError: the document is no such reply, or a row of it cannot be read; names the place.
    """
    table = reply if isinstance(reply, Table) else read_table(reply, strict=True)
    if not table.daily:
        why = "the reply is not daily: ask with granularity Daily"
        return SpendFacts(status="too_little_history", currency="", not_looked_at=(NotLookedAt("daily spend", why),))
    facts = review(table.rows, as_of=as_of, sensitivity=sensitivity, by=", ".join(table.grouping))
    found = (
        drivers(facts.series, dict(enumerate(table.grouping)), facts.start_day, facts.end_day)
        if facts.start_day and facts.end_day
        else []
    )
    newest = facts.total.days[-1:] if facts.total else ()
    return msgspec.structs.replace(facts, drivers=tuple(found), incomplete_days=newest)


def _empty(log: LogReview) -> ActivityFacts:
    return log.facts(window_start=_NEVER)
