"""From the records of the sign-in log to the facts that are kept: like sign-ins together, measured against each identity's habit, tied to
the activity log by their tokens.

Records are taken in page by page in any order. What is usual and led nowhere is only counted: a tenant signs in tens of thousands of times
a day.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from firebreak.analysis.history import same_network
from firebreak.analysis.identity.habits import ADDRESS, habits_of, is_known, key_of, unfamiliar
from firebreak.analysis.identity.sign_in_records import (
    FAILED,
    INTERACTIVE,
    REFUSED_BY_USER,
    SUCCEEDED,
    WRONG_PASSWORD,
    Record,
    read_sign_in,
)
from firebreak.analysis.identity.tokens import names_of
from firebreak.analysis.ruleset import RuleSet
from firebreak.model.facts import ActivityFacts, Operation
from firebreak.model.finding import NotLookedAt, Severity
from firebreak.model.identity import SignIn, SignIns

NAME = "Sign-in activity"
MOST_ROWS = 2000
_IDS = 20
_MOST_PEOPLE = 200
_HOUR = timedelta(hours=1)
_GRAVE = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
# What the patterns over failures tell better than a rule on each of them.
_COUNTED = frozenset({"sign-in-failed"})


class SignInReview:
    """Collects the records of one tenant. `records` counts different ones."""

    def __init__(self, rules: RuleSet, window_start: datetime) -> None:
        self._rules = rules
        self._start = window_start
        self._records: dict[str, Record] = {}
        self._matched: dict[str, tuple[str, ...]] = {}
        self.unreadable = 0

    @property
    def records(self) -> int:
        return len(self._records)

    def add(self, page: Iterable[Any], *, kind: str) -> None:
        """Take in a page; `kind` is what was asked for, where a record does not say."""
        for document in page:
            record = read_sign_in(document, kind=kind)
            if record is None:
                self.unreadable += 1
                continue
            name = record.id or f"{key_of(record)}|{record.at.isoformat()}|{record.app_id}|{record.error}"
            if name in self._records:
                continue
            self._records[name] = record
            if record.at >= self._start:
                self._matched[name] = self._rules_on(document, record)

    def oldest(self) -> datetime | None:
        return min((record.at for record in self._records.values()), default=None)

    def facts(
        self,
        *,
        now: datetime,
        activity: ActivityFacts | None,
        of_interest: Collection[str],
        not_looked_at: tuple[NotLookedAt, ...] = (),
    ) -> SignIns:
        """Return what is kept. `of_interest` are object ids and names in lower case: of these more is kept than of the others."""
        everything = list(self._records.values())
        habits = habits_of(everything, self._start)
        operations = _by_token(activity, self._start)
        places = _places(everything)
        rows: dict[tuple[Any, ...], _Row] = {}
        seen_tokens: set[str] = set()
        for name, record in sorted(self._records.items(), key=lambda item: (item[1].at, item[0])):
            if record.at < self._start:
                continue
            done = _done_with(record, operations)
            seen_tokens |= {operation.token for operation in done}
            new = unfamiliar(record, habits.get(key_of(record)))
            key = self._key(record, new, self._matched[name], rows)
            row = rows.setdefault(key, _Row(record, new, self._matched[name]))
            row.take(record, done, places.get(key_of(record), frozenset()))
        guessed = {row.first.address for row in rows.values() if row.first.error in WRONG_PASSWORD | REFUSED_BY_USER}
        for row in rows.values():
            usual = is_known(habits.get(key_of(row.first))) and ADDRESS not in row.new
            row.after_guesses = row.first.address in guessed - {""} and not usual
        kept = [row for row in rows.values() if self._is_kept(row, of_interest)]
        kept.sort(key=lambda row: (-row.weight, row.first.at, row.first.id))
        if len(kept) > MOST_ROWS:
            why = f"only the {MOST_ROWS} gravest kinds are kept; the log itself has all of them"
            not_looked_at = (*not_looked_at, NotLookedAt(f"{len(kept) - MOST_ROWS} further kinds of sign-ins", why))
            kept = kept[:MOST_ROWS]
        made = sorted((row.made(habits) for row in kept), key=lambda one: (one.first, one.who, one.ids))
        named = {one.principal_id or one.who.lower() for one in made}
        return SignIns(
            window_start=self._start,
            from_time=min(self.oldest() or now, now),
            records=self.records,
            sign_ins=tuple(made),
            habits=tuple(habits[key] for key in sorted(named & habits.keys())),
            tokens=len({operation.token for operation in activity.operations if operation.token}) if activity else 0,
            tokens_seen=len(seen_tokens),
            one_factor=_with_one_factor(record for record in everything if record.at >= self._start),
            not_looked_at=not_looked_at,
        )

    def _rules_on(self, document: Any, record: Record) -> tuple[str, ...]:
        known = {"caller": record.who, "address": record.address, "appid": record.app_id}
        met = self._rules.matches(NAME, self._rules.document(document, NAME, known))
        return tuple(rule.id for rule in self._rules.of(met) if rule.family not in _COUNTED)

    @staticmethod
    def _key(
        record: Record, new: tuple[str, ...], matched: tuple[str, ...], rows: Mapping[tuple[Any, ...], _Row]
    ) -> tuple[Any, ...]:
        """What makes two sign-ins alike. Failures are also parted by the hour, so that a burst can be told from a slow drip."""
        key: tuple[Any, ...] = (
            *(key_of(record), record.kind, record.result, record.error, record.address, record.app_id, record.client),
            *(record.protocol, record.device_key, record.factor, record.risk, record.credential_id, new, matched),
        )
        if record.result == SUCCEEDED:
            return key
        number = 0
        while (row := rows.get((*key, number))) and record.at - row.first.at > _HOUR:
            number += 1
        return (*key, number)

    def _is_kept(self, row: _Row, of_interest: Collection[str]) -> bool:
        record = row.first
        grave = any(rule.severity in _GRAVE for rule in self._rules.of(row.matched))
        guessed = record.error in WRONG_PASSWORD | REFUSED_BY_USER
        if row.operations or grave or guessed or row.after_guesses or record.risk in ("medium", "high"):
            return True
        if record.result == FAILED:
            return False
        near = bool({record.principal_id, record.who.lower()} & set(of_interest))
        if "country" in row.new or (near and row.new):
            return True
        return near and (bool(row.matched) or record.result == SUCCEEDED)


class _Row:
    """Like sign-ins on their way to a `SignIn`."""

    def __init__(self, first: Record, new: tuple[str, ...], matched: tuple[str, ...]) -> None:
        self.first, self.new, self.matched = first, new, matched
        self.last = first.at
        self.count = 0
        self.ids: list[str] = []
        self.operations: dict[str, None] = {}
        self.used_from: set[str] = set()
        self.after_guesses = False

    @property
    def weight(self) -> int:
        return 4 * bool(self.operations) + 2 * len(self.matched) + 2 * len(self.new) + (self.first.result == FAILED)

    def take(self, record: Record, done: list[Operation], own_places: frozenset[str]) -> None:
        self.count += 1
        self.last = max(self.last, record.at)
        if record.id and len(self.ids) < _IDS:
            self.ids.append(record.id)
        self.operations |= {operation.id: None for operation in done}
        self.used_from |= {
            operation.address for operation in done if _is_elsewhere(operation.address, record.address, own_places)
        }

    def made(self, habits: Mapping[str, Any]) -> SignIn:
        first = self.first
        return SignIn(
            kind=first.kind,
            who=first.who,
            principal_id=first.principal_id,
            first=first.at,
            last=self.last,
            count=self.count,
            result=first.result,
            error=first.error,
            guest=first.guest,
            home_tenant=first.home_tenant,
            address=first.address,
            country=first.country,
            city=first.city,
            app=first.app,
            app_id=first.app_id,
            resource=first.resource,
            client=first.client,
            protocol=first.protocol,
            device_id=first.device_id,
            device=first.device,
            managed=first.managed,
            factor=first.factor,
            risk=first.risk,
            credential_id=first.credential_id,
            ids=tuple(self.ids),
            matched=self.matched,
            known=is_known(habits.get(key_of(first))),
            unfamiliar=self.new,
            operations=tuple(self.operations),
            used_from=tuple(sorted(self.used_from)),
        )


def _by_token(activity: ActivityFacts | None, start: datetime) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = defaultdict(list)
    for operation in activity.operations if activity else ():
        if operation.at >= start:
            for name in names_of(operation.token):
                found[name].append(operation)
    return found


def _done_with(record: Record, operations: Mapping[str, list[Operation]]) -> list[Operation]:
    """The operations of the activity log that carried this sign-in's token."""
    if record.result != SUCCEEDED or not operations:
        return []
    together = {operation.id: operation for name in names_of(record.token) for operation in operations.get(name, ())}
    return list(together.values())


def _places(records: Iterable[Record]) -> dict[str, frozenset[str]]:
    """The addresses from which each identity signed in with success, ever."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.result == SUCCEEDED and record.address:
            found[key_of(record)].add(record.address)
    return {key: frozenset(places) for key, places in found.items()}


def _with_one_factor(records: Iterable[Record]) -> dict[str, int]:
    """People who signed in interactively with one factor, and how often."""
    found = Counter(
        record.who
        for record in records
        if record.kind == INTERACTIVE and record.result == SUCCEEDED and record.factor == "single"
    )
    return dict(sorted(found.most_common(_MOST_PEOPLE)))


def _is_elsewhere(used: str, signed_in: str, own: frozenset[str]) -> bool:
    """Whether a token was used from an address that its identity never signed in from.

    A machine speaks IPv6 to one service and IPv4 to another, so addresses of different kinds say nothing about each other.
    """
    if not used or not signed_in or (":" in used) != (":" in signed_in) or used in own:
        return False
    return not any(same_network(used, place) for place in own)
