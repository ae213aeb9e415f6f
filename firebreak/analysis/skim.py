"""The quick way through a large log: only the fields that count are decoded, straight into typed values and on into a `Ledger`.

`Seen` is an event as the REST API and its archives have it. An event in any other form is left for the slow way, by `events.py`; both ways
give the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import compress
from typing import Any

import msgspec

from firebreak.analysis.bodies import Bodies, essence
from firebreak.analysis.events import address_of, multi_factor, status_of
from firebreak.analysis.interned import MOST, Kind, Saying, Who, known_of, unknown_part
from firebreak.analysis.ledger import Columns, Ledger
from firebreak.analysis.normal import says_nothing
from firebreak.analysis.properties import scope_kind
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


_NULL = msgspec.Raw(b"null")


class Seen(msgspec.Struct, gc=False, rename="camel"):
    """One event. The first four are what the quick way cannot do without, and what tells an event of the REST form from others.

    What repeats from event to event is left as it stands there: it is decoded once, not with each event.
    """

    event_timestamp: str | None
    operation_name: msgspec.Raw
    event_data_id: str | None
    resource_id: str | None
    correlation_id: str | None = None
    caller: msgspec.Raw = _NULL
    category: msgspec.Raw = _NULL
    level: msgspec.Raw = _NULL
    status: msgspec.Raw = _NULL
    sub_status: msgspec.Raw = _NULL
    event_name: msgspec.Raw = _NULL
    http_request: HttpRequest | None = None
    claims: msgspec.Raw = _NULL
    properties: msgspec.Raw = msgspec.Raw(b"{}")


Text = str | None
Word = str | Named | None
# What an event says of itself (name, status, sub-status, level, category, name of the event), and the status code of its properties.
Said = tuple[bytes, Text]
By = tuple[bytes, Text]  # caller and claims, and the address of the request
Holder = tuple[Text, Text, Text, Text, Text, Text, Text, Text]
Detail = dict[str, tuple[str, ...]]
Asked = tuple[str, bytes, bytes, str]  # name, reply, request, and where a role is given

_NOBODY = Claims()
_BEGINNING = 320  # letters: who it is, and when the token was given out
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Skimmer:
    """Turns `Seen`s into rows of a ledger, a page at a time and column by column: a loop over events would cost as much as reading them.

    What repeats from event to event is worked out once. `without` are categories that do not count.
    """

    def __init__(self, ledger: Ledger, rules: RuleSet, *, without: Collection[str] = ()) -> None:
        self._ledger = ledger
        self._rules = rules
        self._without = without
        self._bodies = Bodies(ledger.sayings)
        self._kinds: dict[Said, int] = {}
        self._whos: dict[By, int] = {}
        # The same by the beginning of caller and claims, with all of it: to compare a kilobyte costs a tenth of its hash.
        self._lately: dict[By, tuple[bytes, int]] = {}
        self._details: dict[Asked, Detail] = {}
        self._holders: dict[Holder, Who] = {}
        # By the number of a kind: those that rules look into, with the parts of a body that mean nothing to them; those that the
        # slow way has to read; and those that do not count.
        self._open: dict[int, frozenset[str]] = {}
        self._slow: set[int] = set()
        self._out: set[int] = set()

    def take(self, page: Sequence[Seen]) -> list[int]:
        """Take in a page; returns the places of the events that have to go the slow way."""
        try:
            return self._take(page)
        except _LeftError:
            return [place for place, seen in enumerate(page) if not self._takes(seen)]

    def _takes(self, seen: Seen) -> bool:
        try:
            return not self._take([seen])
        except _LeftError:
            return False

    def _take(self, page: Sequence[Seen]) -> list[int]:
        """Take in a page, but for the events of kinds that the slow way has to read: their places are returned.

        Raises:
            _LeftError: nothing was taken in, since an event is of no form that is known here.
        """
        if not page:
            return []
        try:
            # This cuts off the seventh digit, as everywhere. A time without a zone cannot be subtracted from one with it.
            times = [(datetime.fromisoformat(seen.event_timestamp) - _EPOCH).total_seconds() for seen in page]  # type: ignore[arg-type]
            resources = [seen.resource_id.rstrip("/") for seen in page]  # type: ignore[union-attr]
            bonds = [seen.correlation_id.lower() for seen in page]  # type: ignore[union-attr]
            asked = _properties(b"[%b]" % b",".join([seen.properties for seen in page]))
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise _LeftError from error
        ids = [seen.event_data_id for seen in page]
        if not (all(ids) and all(resources) and all(bonds)):
            raise _LeftError
        kinds = self._known(page, asked)
        if not self._slow.isdisjoint(kinds):
            left = [place for place, kind in enumerate(kinds) if kind in self._slow]
            self._take([seen for seen, kind in zip(page, kinds, strict=True) if kind not in self._slow])
            return left
        whos = self._who(page)
        sayings = [0] * len(page)
        opened = self._open
        for place, (said, kind) in enumerate(zip(asked, kinds, strict=True)):
            if kind in opened:
                sayings[place] = self._opened(page[place], said, kind, whos[place], resources[place])
            elif said.requestbody or said.response_body:
                name = self._ledger.kinds.all[kind].lowered
                sayings[place] = self._bodies.saying(name, said.response_body, said.requestbody)
        columns = Columns(bonds, times, ids, kinds, whos, sayings, resources)  # type: ignore[arg-type]  # ids were looked at above
        if not self._out.isdisjoint(kinds):
            counts = [kind not in self._out for kind in kinds]
            columns = Columns(*(list(compress(column, counts)) for column in columns))  # type: ignore[arg-type]
        self._ledger.take(columns)
        return []

    def _known(self, page: Sequence[Seen], asked: Sequence[Properties]) -> list[int]:
        """The number of each event's kind."""
        said = [
            (
                _joined(
                    (seen.operation_name, seen.status, seen.sub_status, seen.level, seen.category, seen.event_name)
                ),
                asked.status_code,
            )
            for seen, asked in zip(page, asked, strict=True)
        ]
        try:
            return list(map(self._kinds.__getitem__, said))
        except KeyError:
            return [found if (found := self._kinds.get(one)) is not None else self._kind(one) for one in said]

    def _kind(self, said: Said) -> int:
        text, code = said
        try:
            named, word, sub_status, level, category, event_name = _words(b"[%b]" % text)
        except msgspec.ValidationError as error:
            raise _LeftError from error
        if named is None or not named.value:
            raise _LeftError
        name, sort = named.value, _text(category)
        status, created = status_of(_text(word), _text(sub_status) or code or "", level or "", sort, _text(event_name))
        kind = Kind(name, name.lower(), status, created, sort.lower())
        number = self._ledger.kind(kind)
        candidates = self._rules.candidates(name)
        if candidates.open and candidates.ask_little:
            self._open[number] = candidates.unasked
        elif candidates.open:
            self._slow.add(number)
        if kind.category in self._without:
            self._out.add(number)
        if len(self._kinds) >= MOST:
            self._kinds.clear()
        self._kinds[said] = number
        return number

    def _who(self, page: Sequence[Seen]) -> list[int]:
        lately, numbers = self._lately, []
        for seen in page:
            text = _joined((seen.caller, seen.claims))
            request = seen.http_request
            client = request.client if request else None
            beginning = text[:_BEGINNING], client
            found = lately.get(beginning)
            if found is None or found[0] != text:
                number = self._whos.get((text, client)) or self._somebody(text, client)
                if len(lately) >= MOST // 4:
                    lately.clear()
                found = lately[beginning] = text, number
            numbers.append(found[1])
        return numbers

    def _somebody(self, text: bytes, client: Text) -> int:
        try:
            caller, claims = _token(b"[%b]" % text)
        except msgspec.ValidationError as error:
            raise _LeftError from error
        claims = claims or _NOBODY
        # Many tokens, few who hold them.
        holder = (
            caller,
            claims.object_id,
            claims.oid,
            claims.appid,
            claims.azp,
            claims.upn,
            claims.methods,
            client or claims.ipaddr,
        )
        who = self._holders.get(holder)
        if who is None:
            if len(self._holders) >= MOST:
                self._holders.clear()
            who = self._holders[holder] = _holder(*holder)
        if claims.uti:
            who = Who(who.caller, who.principal_id, who.app_id, who.address, claims.uti, who.mfa)
        number = self._ledger.whos.add(who)
        if len(self._whos) >= MOST:
            self._whos.clear()
        self._whos[text, client] = number
        return number

    def _opened(self, seen: Seen, asked: Properties, kind: int, who: int, resource: str) -> int:
        """The number of the saying of an event that rules look into."""
        reply, request = asked.response_body, asked.requestbody
        name = self._ledger.kinds.all[kind].lowered
        if not (reply or request):
            properties = msgspec.json.decode(seen.properties)
            return 0 if says_nothing(properties) else self._saying(0, self._detail(properties, kind, who, resource))
        facts = self._bodies.saying(name, reply, request)
        of_reply, of_request = essence(reply, self._open[kind]), essence(request, self._open[kind])
        if of_reply is None or of_request is None:
            return self._saying(facts, self._detail(msgspec.json.decode(seen.properties), kind, who, resource))
        # What a role is worth depends on where it is given.
        key = (name, of_reply, of_request, scope_kind(resource) if "role" in name else "")
        detail = self._details.get(key)
        if detail is None:
            if len(self._details) >= MOST:
                self._details.clear()
            detail = self._detail(msgspec.json.decode(seen.properties), kind, who, resource)
            self._details[key] = detail
        return self._saying(facts, detail)

    def _detail(self, properties: Any, kind: int, who: int, resource: str) -> Detail:
        """What rules look at, less what is known of the event anyhow."""
        ledger = self._ledger
        known = known_of(ledger.kinds.all[kind], ledger.whos.all[who], resource)
        event = {"properties": properties, "resourceId": resource}
        return unknown_part(self._rules.document(event, ledger.kinds.all[kind].lowered, known), known)

    def _saying(self, facts: int, detail: Detail) -> int:
        sayings = self._ledger.sayings
        return sayings.add(Saying(sayings[facts].facts, detail)) if detail else facts


class _LeftError(Exception):
    """An event is of no form that is known here."""


_properties = msgspec.json.Decoder(list[Properties]).decode
_words = msgspec.json.Decoder(tuple[Named | None, Word, Word, Text, Word, Word]).decode
_token = msgspec.json.Decoder(tuple[Text, Claims | None]).decode
_joined = b",".join


def _holder(
    caller: Text, object_id: Text, oid: Text, app: Text, azp: Text, upn: Text, methods: Text, address: Text
) -> Who:
    """Who holds a token, by the event's caller and address and the token's claims; the token itself is left out."""
    principal = (object_id or oid or "").lower()
    return Who(
        caller=caller or upn or principal,
        principal_id=principal,
        app_id=(app or azp or "").lower(),
        address=address_of(address or ""),
        mfa=multi_factor(methods or ""),
    )


def _text(value: str | Named | None) -> str:
    return (value.value if isinstance(value, Named) else value) or ""
