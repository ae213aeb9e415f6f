"""The result of one check of how well a subscription, a tenant or a partner is protected: pass, fail, or not looked at.

A check that could not read what it needed is not looked at, with the reason; it never passes. Findings say what an attacker did; checks say
what would let the next one in.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from firebreak.model.facts import Facts


class CheckStatus(StrEnum):
    FAILED = "fail"
    NOT_LOOKED_AT = "not looked at"
    PASSED = "pass"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question with its answer.

    `id` stays the same from run to run (`defender-plan:VirtualMachines`), so that runs can be compared; `row` is the row of the guidance that
    asks it, `step` the step that answered. `title` is the claim that holds when it passes ("Defender for Cloud watches the servers"). `reason`
    says in a sentence why it has its status, `evidence` are what was seen, each one line with the id or path it was seen at; names in them
    may be an attacker's, so they are shown plain. `advice` says what to do about a failure, or how to have it looked at; "" when it passes.
    """

    id: str
    row: str
    step: str
    title: str
    status: CheckStatus
    reason: str
    evidence: tuple[str, ...] = ()
    advice: str = ""


class Checked(Facts, frozen=True, kw_only=True):
    """Base of facts that hold checks: reports, tables and JSON find them by this type."""

    checks: tuple[Check, ...] = ()


def checks_in(facts: Iterable[Any]) -> tuple[Check, ...]:
    """All checks of a case's facts: failures first, then what was not looked at, then what passed; by row within each."""
    order = list(CheckStatus)
    found = [check for one in facts if isinstance(one, Checked) for check in one.checks]
    return tuple(sorted(found, key=lambda one: (order.index(one.status), _number(one.row), one.id)))


def counts_of(checks: Iterable[Check]) -> dict[CheckStatus, int]:
    """How many checks have each status; all three are named."""
    statuses = [one.status for one in checks]
    return {status: statuses.count(status) for status in CheckStatus}


def _number(row: str) -> tuple[int, str]:
    digits = row.lstrip("S")
    return (int(digits) if digits.isdigit() else 10**6, row)
