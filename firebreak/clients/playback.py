"""Plays recorded answers back: the transport of a replay. It has no socket, so that nothing can leave, and it never guesses.

    playback = Playback(bundle.evidence, bundle.body, stages=["contain"])
    async with connect(settings, subscription_id=..., mode=Mode.REPLAY, correlation_id="", transport=playback.transports) as connection:
        playback.turn_to("investigate.inventory", 1)          # whose question comes now, and in which round
        await connection.eyes.arm.list(...)                   # NotRecordedError when that was not asked then
    playback.missing                                          # what was asked now and not then

An answer is found by round, method, address and the body of a POST that only reads; a question that was asked several times gets the answers in
their order, and the last one again after that. What was read while actions were carried out tells of a changed world and is no answer to a
reading step. Answers were recorded after all retries, so nothing is retried or waited for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
import msgspec
from azure.core.credentials import AccessToken

from firebreak.clients.addresses import quoted_path
from firebreak.clients.inprocess import HttpxAzureTransport
from firebreak.clients.policies.exchange import NoAnswerError, NotSentError
from firebreak.clients.policies.redaction import body_without_secrets, recorded_url, shown_url
from firebreak.clients.transports import Transports
from firebreak.errors import NotRecordedError

_FAR = 4_102_444_800  # the year 2100: a token that no clock makes run out
_NOT_SENT = "not sent: "


class Take(Protocol):
    """One recorded answer, as a manifest has it (`firebreak.evidence.Entry`)."""

    @property
    def step(self) -> str: ...
    @property
    def round(self) -> int: ...
    @property
    def order(self) -> int: ...
    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def request(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def content_type(self) -> str: ...
    @property
    def failure(self) -> str: ...


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """A question that the record has no answer to: who asked, in which round, what."""

    step: str
    round: int
    method: str
    url: str


T = TypeVar("T", bound=Take)
_Key = tuple[int, str, str, str]  # round, method, address, digest of the body


class Playback:
    """The answers of one record. `stages` are the names under which reads of carried out plans were recorded.

    `body` gives the bytes of a recorded answer; what it raises ends the replay.
    """

    def __init__(self, takes: Iterable[T], body: Callable[[T], bytes], *, stages: Collection[str] = ()) -> None:
        self._body: Callable[[Any], bytes] = body
        self._takes: dict[_Key, list[tuple[int, Take]]] = {}  # with the number of the connection that asked
        self._asked: dict[tuple[str, _Key], int] = {}
        self._missing: dict[Missing, None] = {}
        self._now = ("", 0)
        connection = 0
        for take in takes:
            connection += take.order == 1
            if (
                take.step not in stages and take.method != "HEAD"
            ):  # a HEAD's answer is its headers, which are not recorded
                key = (take.round, take.method, canonical(take.url), take.request)
                self._takes.setdefault(key, []).append((connection, take))

    def turn_to(self, step: str, round: int = 0) -> None:  # noqa: A002 - the field's word
        """Say which step asks from now on, and in which round."""
        self._now = (step, round)

    @property
    def missing(self) -> tuple[Missing, ...]:
        """What was asked and is not recorded, in the order of asking, each once."""
        return tuple(self._missing)

    @property
    def transports(self) -> Transports:
        """The raw transports to connect with; nobody signs in."""
        return Transports(
            azure=lambda: HttpxAzureTransport(_Player(self.answer)),
            http=lambda: _Player(self.answer),
            credential=lambda _: _NoSignIn(),
            recorded=True,
        )

    def answer(self, method: str, url: str, content: bytes) -> httpx.Response:
        """Return the recorded answer.

        Raises:
            NotRecordedError: there is none in this round.
            NotSentError, NoAnswerError: there was none then either.
        """
        step, number = self._now
        request = hashlib.sha256(body_without_secrets(content)[0]).hexdigest() if content else ""
        key = (number, method, canonical(recorded_url(url)), request)
        take = self._chosen(step, key)
        if take is None:
            self._missing[Missing(step=step, round=number, method=method, url=recorded_url(url))] = None
            raise NotRecordedError(
                f"{method} {shown_url(url)} was not recorded in round {number}.",
                hint="A replay never guesses an answer. Run the playbook on the subscription, or capture it anew.",
            )
        if take.status == 0:
            kind = NotSentError if take.failure.startswith(_NOT_SENT) else NoAnswerError
            raise kind(take.failure.partition(": ")[2] or "no answer")
        headers = {"Content-Type": take.content_type} if take.content_type else {}
        return httpx.Response(take.status, headers=headers, content=self._body(take))

    def _chosen(self, step: str, key: _Key) -> Take | None:
        found = self._takes.get(key)
        if not found:
            return None
        own = [(connection, take) for connection, take in found if take.step == step]
        if not own:
            # Another step asked it in the same round, of the same world.
            return found[-1][1]
        # A step that was cut off and begun again by a later run has its facts from that run.
        last = own[-1][0]
        turn = self._asked.get((step, key), 0)
        self._asked[step, key] = turn + 1
        takes = [take for connection, take in own if connection == last]
        return takes[min(turn, len(takes) - 1)]


def canonical(url: str) -> str:
    """Return the one spelling of an address: Resource Manager, and hosts, compare without case; parameters have no order.

    Paths outside of `/subscriptions` and `/providers` keep their case: blobs that differ in it are different blobs.
    """
    parts = urlsplit(url)
    path = "/".join(quoted_path(unquote(part)).replace("/", "%2F") for part in parts.path.split("/"))
    lowered = path.lower()
    is_arm = lowered.startswith(("/subscriptions/", "/providers/"))
    pairs = sorted((name.lower() if is_arm else name, value) for name, value in parse_qsl(parts.query, True))
    host = parts.netloc.lower().removesuffix(":443")
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs)
    return f"{parts.scheme.lower()}://{host}{lowered if is_arm else path}?{query}"


class _Player(httpx.AsyncBaseTransport):
    def __init__(self, answer: Callable[[str, str, bytes], httpx.Response]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request.method, str(request.url), await request.aread())


class _NoSignIn:
    """A credential without an identity: no token endpoint is asked, and what it gives opens nothing."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("replay", _FAR)

    async def close(self) -> None:
        return None

    async def __aenter__(self) -> _NoSignIn:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None
