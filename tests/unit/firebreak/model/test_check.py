"""Checks are told the gravest first, and what was not looked at is counted apart from what passed."""

from __future__ import annotations

from firebreak.model.check import Check, Checked, CheckStatus, checks_in, counts_of
from firebreak.model.facts import Facts


class _Some(Checked, frozen=True, kw_only=True):
    pass


def _check(row: str, status: CheckStatus, name: str = "x") -> Check:
    return Check(id=f"{name}:{row}", row=row, step="harden.x", title="It holds", status=status, reason="Because.")


def test_failures_come_first_and_rows_are_in_the_order_of_the_guidance() -> None:
    facts = (
        _Some(checks=(_check("S100", CheckStatus.PASSED), _check("S64", CheckStatus.PASSED))),
        Facts(),
        _Some(checks=(_check("S99", CheckStatus.NOT_LOOKED_AT), _check("S117", CheckStatus.FAILED))),
    )
    assert [one.row for one in checks_in(facts)] == ["S117", "S99", "S64", "S100"]


def test_every_status_is_counted_also_when_there_is_none() -> None:
    counted = counts_of([_check("S64", CheckStatus.NOT_LOOKED_AT)])
    assert counted == {CheckStatus.FAILED: 0, CheckStatus.NOT_LOOKED_AT: 1, CheckStatus.PASSED: 0}
