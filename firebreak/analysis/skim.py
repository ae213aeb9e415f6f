"""The quick way through a large log: only the fields that count are decoded, straight into typed values and on into a `Ledger`.

`Seen` is an event as the REST API and its archives have it. An event in any other form is left for the slow way, by `events.py`; both ways
give the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import compress
from typing import NamedTuple

import msgspec

from firebreak.analysis.bodies import Bodies
from firebreak.analysis.events import address_of, multi_factor, status_of
from firebreak.analysis.interned import MOST, Kind, Saying, Who, known_of, unknown_part
from firebreak.analysis.ledger import RANK, Ledger, Row
from firebreak.analysis.normal import says_nothing
from firebreak.analysis.ruleset import RuleSet


class Named(msgspec.Struct, frozen=True, gc=False):
    """`{value, localizedValue}`."""

    value: str | None = None


class HttpRequest(msgspec.Struct, frozen=True, gc=False):
    client: str | None = msgspec.field(name="clientIpAddress", default=None)


class Claims(msgspec.Struct, frozen=True, gc=False):
    ipaddr: str | None = None
    appid: str | None = None
    azp: str | None = None
    uti: str | None = None
    oid: str | None = None
    object_id: str | None = msgspec.field(
        name="http://schemas.microsoft.com/identity/claims/objectidentifier", default=None
    )
    upn: str | None = msgspec.field(name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", default=None)
    methods: str | None = msgspec.field(name="http://schemas.microsoft.com/claims/authnmethodsreferences", default=None)


class Properties(msgspec.Struct, gc=False):
    """The parts of `properties` that say what was asked for; a body is JSON in a string."""

    requestbody: str | None = None
    response_body: str | None = msgspec.field(name="responseBody", default=None)
    status_code: str | None = msgspec.field(name="statusCode", default=None)


class Seen(msgspec.Struct, gc=False, rename="camel"):
    """One event. The first four are what the quick way cannot do without, and what tells an event of the REST form from others."""

    event_timestamp: str | None
    operation_name: Named | None
    event_data_id: str | None
    resource_id: str | None
    correlation_id: str | None = None
    caller: str | None = None
    category: str | Named | None = None
    level: str | None = None
    status: str | Named | None = None
    sub_status: str | Named | None = None
    event_name: str | Named | None = None
    http_request: HttpRequest | None = None
    claims: Claims | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class _Known(NamedTuple):
    """What was worked out for events that say the same of themselves."""

    number: int
    rank: int
    lowered: str
    is_open: bool  # rules look into the event
    is_out: bool  # it does not count


Said = tuple[
    Named | None, str | Named | None, str | Named | None, str | None, str | Named | None, str | Named | None, str | None
]
By = tuple[str | None, Claims | None, HttpRequest | None]
Asked = tuple[str, str | None, str | None, str]

_NOBODY = Claims()
_LONGEST = 4096  # letters of a body that is remembered


class Skimmer:
    """Turns `Seen`s into rows of a ledger, a page at a time and column by column: a loop over events would cost as much as reading them.

    What repeats from event to event is worked out once. `without` are categories that do not count.
    """

    def __init__(self, ledger: Ledger, rules: RuleSet, *, without: Collection[str] = ()) -> None:
        self._ledger = ledger
        self._rules = rules
        self._without = without
        self._bodies = Bodies(ledger.sayings)
        self._kinds: dict[Said, _Known] = {}
        self._whos: dict[By, int] = {}
        self._sayings: dict[Asked, int] = {}

    def take(self, page: Sequence[Seen]) -> list[int]:
        """Take in a page; returns the places of the events that have to go the slow way."""
        try:
            self._take(page)
        except _LeftError:
            left = []
            for place, seen in enumerate(page):
                try:
                    self._take([seen])
                except _LeftError:
                    left.append(place)
            return left
        return []

    def _take(self, page: Sequence[Seen]) -> None:
        """Take in all of a page.

        Raises:
            _LeftError: nothing was taken in, since an event is of no form that is known here.
        """
        if not page:
            return
        try:
            # This cuts off the seventh digit, as everywhere.
            moments = [datetime.fromisoformat(seen.event_timestamp) for seen in page]  # type: ignore[arg-type]
            times = [moment.timestamp() for moment in moments]
            resources = [seen.resource_id.rstrip("/") for seen in page]  # type: ignore[union-attr]
            properties = [_properties(seen.properties) for seen in page]
            bonds = [seen.correlation_id.lower() for seen in page]  # type: ignore[union-attr]
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise _LeftError from error
        ids = [seen.event_data_id or "" for seen in page]
        if not (all(ids) and all(resources) and all(bonds) and all(moment.tzinfo for moment in moments)):
            raise _LeftError
        numbers, ranks, names, opens, outs = zip(*self._known(page, properties), strict=True)
        whos = self._who(page)
        sayings = [0] * len(page)
        for place, asked in enumerate(properties):
            if opens[place]:
                sayings[place] = self._opened(page[place], asked, numbers[place], whos[place], resources[place])
            elif asked.requestbody or asked.response_body:
                sayings[place] = self._bodies.saying(names[place], asked.response_body, asked.requestbody)
        rows: list[Row] = list(zip(times, ranks, ids, numbers, whos, sayings, resources, strict=True))
        if any(outs):
            counts = [not out for out in outs]
            bonds, rows = list(compress(bonds, counts)), list(compress(rows, counts))
        self._ledger.take(bonds, rows)

    def _known(self, page: Sequence[Seen], properties: Sequence[Properties]) -> list[_Known]:
        said = [
            (
                seen.operation_name,
                seen.status,
                seen.sub_status,
                seen.level,
                seen.category,
                seen.event_name,
                asked.status_code,
            )
            for seen, asked in zip(page, properties, strict=True)
        ]
        return [self._kinds.get(one) or self._kind(one) for one in said]

    def _kind(self, said: Said) -> _Known:
        named, word, sub_status, level, category, event_name, code = said
        if named is None or not named.value:
            raise _LeftError
        name, sort = named.value, _text(category)
        status, created = status_of(_text(word), _text(sub_status) or code or "", level or "", sort, _text(event_name))
        kind = Kind(name, name.lower(), status, created, sort.lower())
        known = _Known(
            number=self._ledger.kind(kind),
            rank=RANK[status],
            lowered=kind.lowered,
            is_open=bool(self._rules.candidates(name).open),
            is_out=kind.category in self._without,
        )
        if known.is_open and not self._rules.candidates(name).ask_little:
            raise _LeftError
        if len(self._kinds) >= MOST:
            self._kinds.clear()
        self._kinds[said] = known
        return known

    def _who(self, page: Sequence[Seen]) -> list[int]:
        by = [(seen.caller, seen.claims, seen.http_request) for seen in page]
        return [self._whos.get(one) or self._somebody(one) for one in by]

    def _somebody(self, by: By) -> int:
        caller, claims, request = by
        claims = claims or _NOBODY
        principal = (claims.object_id or claims.oid or "").lower()
        number = self._ledger.whos.add(
            Who(
                caller=caller or claims.upn or principal,
                principal_id=principal,
                app_id=(claims.appid or claims.azp or "").lower(),
                address=address_of((request and request.client) or claims.ipaddr or ""),
                token=claims.uti or "",
                mfa=multi_factor(claims.methods or ""),
            )
        )
        if len(self._whos) >= MOST:
            self._whos.clear()
        self._whos[by] = number
        return number

    def _opened(self, seen: Seen, properties: Properties, kind: int, who: int, resource: str) -> int:
        """The number of the saying of an event that rules look into."""
        reply, request = properties.response_body, properties.requestbody
        name = self._ledger.kinds.all[kind].lowered
        # What a role is worth depends on where it is given.
        key = (name, reply, request, resource if "role" in name else "")
        number = self._sayings.get(key) if reply or request else None
        if number is None:
            known = known_of(self._ledger.kinds.all[kind], self._ledger.whos.all[who], resource)
            raw = {"properties": msgspec.json.decode(seen.properties), "resourceId": resource}
            detail = {}
            if reply or request or not says_nothing(raw["properties"]):
                detail = unknown_part(self._rules.document(raw, name, known), known)
            facts = self._ledger.sayings[self._bodies.saying(name, reply, request)].facts
            number = self._ledger.sayings.add(Saying(facts, detail))
            if len(reply or "") + len(request or "") < _LONGEST:
                if len(self._sayings) >= MOST // 4:
                    self._sayings.clear()
                self._sayings[key] = number
        return number


class _LeftError(Exception):
    """An event is of no form that is known here."""


_properties = msgspec.json.Decoder(Properties).decode


def _text(value: str | Named | None) -> str:
    return (value.value if isinstance(value, Named) else value) or ""
