"""The digest's page: every text of strangers escaped, and no comfort where nothing was read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from firebreak.report.unresolved import digest_page, headline

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)


class Alert(msgspec.Struct, frozen=True):
    title: str = "Mining | [x](http://evil.example) <b>"
    type: str = "CryptoMining"
    severity: str = "high"
    status: str = "active"
    subscription_id: str = "33333333-3333-4333-8333-333333333333"
    customer_tenant_id: str = "22222222-2222-4222-8222-222222222222"
    age_days: int | None = 55
    answer_before: datetime | None = NOW + timedelta(days=5)
    is_test: bool = False
    incident: str = ""


def page(*alerts: Alert, **more: Any) -> str:
    return digest_page(alerts, **{"at": NOW, "due": 1, "late": 0, "problems": (), **more})


def test_a_hostile_title_is_one_cell_of_text() -> None:
    (row,) = (line for line in page(Alert()).splitlines() if "Mining" in line)
    assert row.replace("\\|", "").count("|") == 9
    assert "](" not in row.replace("\\]", "")
    assert "<b>" not in row
    assert "2026-03-07" in row


def test_what_was_not_read_is_said_first_and_comforts_nobody() -> None:
    told = page(problems=("429",), due=0)
    assert told.index("NOT LOOKED AT") < told.index("Nothing was read")
    assert "No alert is open" not in told


def test_more_than_fit_are_counted() -> None:
    assert "and 50 more" in page(*[Alert()] * 250)
    assert headline(1, due=0, late=0, complete=False) == "1 alert is open, or more."
