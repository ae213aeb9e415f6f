"""Whom the directory knew before the attack was stolen, however new the activity log finds them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from firebreak.model.intrusion import Account, Intruder, Service
from tasks.investigate.intruders import _owned

START = datetime(2026, 11, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("made_at", "brought_in_at", "own"),
    [
        (START - timedelta(days=200), None, False),
        (START + timedelta(days=5), None, True),
        (None, None, True),  # Graph does not tell
        (START - timedelta(hours=2), START - timedelta(hours=2), True),  # the directory's log shows who invited them
    ],
)
@pytest.mark.parametrize("kind", ["user", "servicePrincipal"])
def test_only_what_came_in_the_window_is_the_attackers_own(
    made_at: datetime | None, brought_in_at: datetime | None, own: bool, kind: str
) -> None:
    intruder = Intruder(id="i", name="Ann", kind=kind, own=True, brought_in_at=brought_in_at)
    accounts = [Account(id="i", name="Ann", created_at=made_at)] if kind == "user" else []
    services = [Service(id="i", app_id="a", name="Ann", created_at=made_at)] if kind != "user" else []
    assert [one.own for one in _owned([intruder], accounts, services, START)] == [own]
