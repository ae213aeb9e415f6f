"""The review of an activity log alone, in any of its forms, without a subscription, an alert or a clock.

activity, findings = review_log(json.loads(text))
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.conduct import Thresholds
from firebreak.analysis.detections import find
from firebreak.analysis.events import operation_name
from firebreak.analysis.log_review import LoggedActivity, LogReview
from firebreak.analysis.operations import NO_TIME
from firebreak.analysis.ruleset import RuleSet
from firebreak.analysis.uncollected import uncollected
from firebreak.errors import ContentError
from firebreak.model.finding import Finding, Severity

_WINDOW = timedelta(days=7)
_HOLDERS = ("value", "records", "events", "data", "logs", "results")
_DEEPEST = 4
_LEAST_HISTORY = timedelta(days=3)


def review_log(
    reply: Any, *, thresholds: Thresholds | None = None, rules: RuleSet | None = None
) -> tuple[LoggedActivity, list[Finding]]:
    """Review `{"value": [EventData, ...]}`, `{"records": [...]}`, a bare list of events or a single event.

    Raises:
        ContentError: the document is none of them.
    """
    log = LogReview(rules, strict=False)
    log.add(events_of(reply))
    return reviewed(log, thresholds=thresholds)


@uncollected()
def reviewed(log: LogReview, *, thresholds: Thresholds | None = None) -> tuple[LoggedActivity, list[Finding]]:
    """The findings of a log that has been read: its last week against what was before it, informational ones included.

    A log that is hardly longer than a week is reviewed whole, and then nothing in it is called new.
    """
    operations = log.operations()
    last = operations[-1].at if operations else NO_TIME
    first = next((operation.at for operation in operations if operation.at != NO_TIME), None)
    if first is None:
        activity = log.activity(window_start=NO_TIME)
    else:
        window = last - _WINDOW if last - _WINDOW - first >= _LEAST_HISTORY else min(first, operations[0].at)
        activity = log.activity(window_start=window)
    return activity, find(activity, thresholds=thresholds, rules=log.rules, least=Severity.INFORMATIONAL)


def events_of(reply: Any, *, depth: int = 0) -> list[Any]:
    """The events of a document: a list, an object that holds one, or an event itself; lists within lists are opened.

    Raises:
        ContentError: it is no document of events.
    """
    if isinstance(reply, list):
        nested = [events_of(item, depth=depth + 1) if _holder(item) and depth < _DEEPEST else [item] for item in reply]
        return [event for events in nested for event in events]
    holder = _holder(reply)
    if holder:
        return events_of(doc.field(reply, holder), depth=depth + 1)
    if isinstance(reply, dict) and operation_name(reply):
        return [reply]
    raise ContentError(
        "This is no activity log: it has no list of events and is no event itself.",
        hint='Expected {"value": [EventData, ...]}, {"records": [...]}, a list of events, one event, or one event a line.',
    )


def _holder(document: Any) -> str:
    if not isinstance(document, dict) or operation_name(document):
        return ""
    return next((name for name in _HOLDERS if isinstance(doc.field(document, name), list)), "")
