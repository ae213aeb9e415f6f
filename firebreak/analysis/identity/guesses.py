"""Guessed passwords and second factors asked for again and again, and whether somebody got in. Rows of sign-ins in, findings out.

Wrong passwords from an identity's usual address are its own (a forgotten password, a telephone with the old one) and are not told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from firebreak.analysis.documents import listed
from firebreak.analysis.identity.habits import ADDRESS
from firebreak.analysis.identity.sign_in_records import REFUSED_BY_USER, SUCCEEDED, WRONG_PASSWORD
from firebreak.analysis.identity.telling import told, when
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import SignIn

_HOUR = timedelta(hours=1)
_SOON = timedelta(hours=24)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When failures are worth telling; all are parameters of `investigate.sign_ins`."""

    guesses: int = 8  # wrong passwords for one account within one hour
    guesses_before_success: int = 3  # fewer do when somebody got in from the same strange address afterwards
    sprayed_accounts: int = 5  # accounts that one address failed on within one hour
    refused_factors: int = 3  # second factors not given within one hour


def find(step: str, rows: Sequence[SignIn], limits: Limits) -> list[Finding]:
    """Return findings on guessing, spraying and worn-out second factors."""
    strange = [row for row in rows if not row.known or ADDRESS in row.unfamiliar]
    wrong = [row for row in strange if row.error in WRONG_PASSWORD]
    sprays = list(_sprays(step, wrong, rows, limits))
    told_places = {one.address for one in sprays}
    rest = [row for row in wrong if row.address not in told_places]
    return [*sprays, *_guesses(step, rest, rows, limits), *_worn_out(step, strange, rows, limits)]


def guessed(row: SignIn, rows: Iterable[SignIn], least: int) -> int:
    """How many wrong passwords came before a successful sign-in, for its account from its address within a day; 0 below `least`."""
    before = [
        other
        for other in rows
        if other.error in WRONG_PASSWORD
        and other.address
        and (other.principal_id or other.who, other.address) == (row.principal_id or row.who, row.address)
        and timedelta(0) <= row.last - other.first
        and row.first - other.last <= _SOON
    ]
    count = sum(other.count for other in before)
    return count if count >= least else 0


def _sprays(step: str, wrong: Sequence[SignIn], rows: Sequence[SignIn], limits: Limits) -> Iterable[Finding]:
    by_address: dict[str, list[SignIn]] = defaultdict(list)
    for row in wrong:
        if row.address:
            by_address[row.address].append(row)
    for address, tried in sorted(by_address.items()):
        accounts = _most_accounts(tried)
        if len(accounts) < limits.sprayed_accounts:
            continue
        everybody = {row.principal_id or row.who for row in tried}
        inside = [
            row
            for row in rows
            if row.result == SUCCEEDED
            and row.address == address
            and (not row.known or ADDRESS in row.unfamiliar)
            and row.last >= min(other.first for other in tried)
        ]
        count = sum(row.count for row in tried)
        reasons = [
            f"{address} failed {count} times on {len(everybody)} accounts {when(_first(tried), _last(tried))}: {listed(row.who for row in tried)}."
        ]
        if inside:
            reasons.append(f"Then it got in as {listed(row.who for row in inside)}.")
        yield told(
            step,
            "password-spray",
            "Passwords tried on many accounts" + (", and one was right" if inside else ""),
            Severity.HIGH if inside else Severity.MEDIUM,
            reasons,
            about=[address],
            actor=inside[0].who if inside else "",
            address=address,
            ids=[one for row in (*inside, *tried) for one in row.ids],
            techniques=("T1110.003", "T1078.004") if inside else ("T1110.003",),
        )


def _guesses(step: str, wrong: Sequence[SignIn], rows: Sequence[SignIn], limits: Limits) -> Iterable[Finding]:
    by_account: dict[str, list[SignIn]] = defaultdict(list)
    for row in wrong:
        by_account[row.principal_id or row.who].append(row)
    for account, tried in sorted(by_account.items()):
        own = [row for row in rows if (row.principal_id or row.who) == account and row.result == SUCCEEDED]
        inside = [
            row
            for row in own
            if (not row.known or ADDRESS in row.unfamiliar) and guessed(row, tried, limits.guesses_before_success)
        ]
        count = sum(row.count for row in tried)
        places = sorted({row.address for row in tried})
        reasons = [f"{count} wrong passwords {when(_first(tried), _last(tried))} from {listed(places)}."]
        if inside:
            reasons.append(
                f"Then somebody got in from {listed(row.address for row in inside)}, {when(inside[0].first, inside[0].first)}."
            )
            techniques: tuple[str, ...]
            title, severity, techniques = "A password guessed, then used", Severity.HIGH, ("T1110.001", "T1078.004")
        elif _densest(tried) >= limits.guesses:
            title, severity, techniques = "Passwords tried on one account", Severity.LOW, ("T1110.001",)
        else:
            continue
        yield told(
            step,
            "password-guessed",
            title,
            severity,
            reasons,
            about=[account],
            actor=tried[0].who,
            address=inside[0].address if inside else places[0] if len(places) == 1 else "",
            ids=[one for row in (*inside, *tried) for one in row.ids],
            techniques=techniques,
        )


def _worn_out(step: str, strange: Sequence[SignIn], rows: Sequence[SignIn], limits: Limits) -> Iterable[Finding]:
    """The second factor asked for again and again: the password is known, and its owner is to give in."""
    by_account: dict[str, list[SignIn]] = defaultdict(list)
    for row in strange:
        if row.error in REFUSED_BY_USER:
            by_account[row.principal_id or row.who].append(row)
    for account, asked in sorted(by_account.items()):
        if _densest(asked) < limits.refused_factors:
            continue
        places = {row.address for row in asked}
        inside = [
            row
            for row in rows
            if (row.principal_id or row.who) == account
            and row.result == SUCCEEDED
            and row.address in places
            and row.last >= _first(asked)
        ]
        count = sum(row.count for row in asked)
        reasons = [
            f"The second factor was asked for and not given {count} times {when(_first(asked), _last(asked))}, from {listed(sorted(places))}.",
            "The password was right each time.",
        ]
        if inside:
            reasons.append(f"Then it was given, {when(inside[0].first, inside[0].first)}.")
        yield told(
            step,
            "factor-worn-out",
            "A second factor asked for again and again" + (", and given" if inside else ""),
            Severity.HIGH if inside else Severity.MEDIUM,
            reasons,
            about=[account],
            actor=asked[0].who,
            address=sorted(places)[0] if len(places) == 1 else "",
            ids=[one for row in (*inside, *asked) for one in row.ids],
            techniques=("T1621", "T1078.004"),
        )


def _most_accounts(rows: Sequence[SignIn]) -> set[str]:
    """The most accounts that fall within one hour."""
    best: set[str] = set()
    for start in rows:
        near = {row.principal_id or row.who for row in rows if timedelta(0) <= row.first - start.first <= _HOUR}
        best = max(best, near, key=len)
    return best


def _densest(rows: Sequence[SignIn]) -> int:
    """At least how many fell within one hour: a row of failures spans no more, neighbours may share one."""
    return max(
        (
            sum(row.count for row in rows if start.first <= row.first and row.last - start.first <= _HOUR)
            for start in rows
        ),
        default=0,
    )


def _first(rows: Iterable[SignIn]) -> datetime:
    return min(row.first for row in rows)


def _last(rows: Iterable[SignIn]) -> datetime:
    return max(row.last for row in rows)
