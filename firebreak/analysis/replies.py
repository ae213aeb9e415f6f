"""The investigation of a Cost Management reply alone, without a subscription, an alert or a clock. For activity logs see `logs.py`.

spend = review_spend(json.loads(text))
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from firebreak.analysis.spend import Sensitivity, drivers, review
from firebreak.analysis.spend_rows import Table, read_table
from firebreak.model.facts import SpendFacts
from firebreak.model.finding import NotLookedAt


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
