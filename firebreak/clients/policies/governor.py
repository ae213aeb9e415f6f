"""Keeps under Azure Resource Manager's published token buckets, so that a mass containment is not slowed by its own 429s.

One bucket per (subscription, class of operation) and identity; the remaining count that each answer carries is believed, both ways. One
429 pauses the class, or only that provider's part of it when the provider, not Resource Manager, refused.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from firebreak.clients.policies.exchange import Call, Reply, Send
from firebreak.clients.policies.waits import asked_wait
from firebreak.settings import GraphThrottleSettings, ThrottleSettings

_SUBSCRIPTION = re.compile(r"^https?://[^/]+.*?/subscriptions/([0-9a-f-]{36})(?:/|\?|$)", re.IGNORECASE)
_PROVIDER = re.compile(r"/providers/([^/?]+)", re.IGNORECASE)
_CLASSES = {"GET": "reads", "HEAD": "reads", "DELETE": "deletes"}
_DEFAULT_PAUSE = 1.0
_FRESH_SECONDS = 2.0
# Without these two, sums of floats leave a wait so short that no clock moves by it.
_ROUNDING = 1e-6
_SHORTEST_WAIT = 0.001


@dataclass
class _Bucket:
    capacity: float
    per_second: float
    tokens: float
    at: float
    in_flight: int = 0

    def refill(self, now: float) -> None:
        self.tokens = min(self.capacity, self.tokens + max(0.0, now - self.at) * self.per_second)
        self.at = now


class Buckets:
    """The state behind governors: shared by all connections of one identity in a process, safe between threads."""

    def __init__(self, limits: ThrottleSettings | GraphThrottleSettings, monotonic: Callable[[], float]) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._paused_until: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def take(self, subscription: str, kind: str, provider: str) -> float:
        """Take one token and return 0, or return the seconds after which to ask again."""
        with self._lock:
            now = self._monotonic()
            pause = max(
                self._paused_until.get((subscription, kind, ""), 0.0),
                self._paused_until.get((subscription, kind, provider), 0.0),
            )
            if pause > now:
                return pause - now
            bucket = self._bucket(subscription, kind, now)
            bucket.refill(now)
            if bucket.tokens < 1 - _ROUNDING:
                return max(_SHORTEST_WAIT, (1 - bucket.tokens) / bucket.per_second)
            bucket.tokens -= 1
            bucket.in_flight += 1
            return 0.0

    def now(self) -> float:
        return self._monotonic()

    def give_back(self, subscription: str, kind: str, *, started: float, remaining: int | None) -> None:
        """End one request. `remaining` is what the service says is left; requests still under way are taken off it. An answer that took
        long tells of the past and is not believed."""
        with self._lock:
            now = self._monotonic()
            bucket = self._bucket(subscription, kind, now)
            bucket.in_flight -= 1
            if remaining is not None and now - started <= _FRESH_SECONDS:
                bucket.refill(now)
                bucket.tokens = max(0.0, min(bucket.capacity, float(remaining - bucket.in_flight)))

    def pause(self, subscription: str, kind: str, provider: str, seconds: float) -> None:
        """Hold back the class (or one provider's part of it) for `seconds`; a longer pause stands."""
        with self._lock:
            key = (subscription, kind, provider)
            now = self._monotonic()
            self._paused_until[key] = max(self._paused_until.get(key, 0.0), now + seconds)
            if not provider:
                bucket = self._bucket(subscription, kind, now)
                bucket.tokens, bucket.at = 0.0, now

    def _bucket(self, subscription: str, kind: str, now: float) -> _Bucket:
        key = (subscription, kind)
        if key not in self._buckets:
            size = float(getattr(self._limits, kind))
            self._buckets[key] = _Bucket(size, float(getattr(self._limits, f"{kind}_per_second")), size, now)
        return self._buckets[key]


class Governor:
    """Waits for a token before each request to Resource Manager and learns from each answer."""

    def __init__(
        self, buckets: Buckets, *, sleep: Callable[[float], Awaitable[None]], longest_wait_seconds: float
    ) -> None:
        self._buckets = buckets
        self._sleep = sleep
        self._longest = longest_wait_seconds

    async def __call__(self, call: Call, send: Send) -> Reply:
        subscription, kind, provider = classify(call.method, call.url)
        while wait := self._buckets.take(subscription, kind, provider):
            await self._sleep(wait)
        remaining: int | None = None
        started = self._buckets.now()
        try:
            reply = await send(call)
            remaining = _remaining(reply, kind)
        finally:
            self._buckets.give_back(subscription, kind, started=started, remaining=remaining)
        if reply.status == 429:
            of_provider = provider if reply.headers.get("x-ms-ratelimit-remaining-resource") else ""
            pause = min(asked_wait(reply.headers) or _DEFAULT_PAUSE, self._longest)
            self._buckets.pause(subscription, kind, of_provider, pause)
        return reply


def classify(method: str, url: str) -> tuple[str, str, str]:
    """Return (subscription or "", class, provider namespace or ""), lower-case. A POST is a write, as Azure counts it."""
    subscription = _SUBSCRIPTION.match(url)
    providers = _PROVIDER.findall(url.partition("?")[0])
    return (
        subscription.group(1).lower() if subscription else "",
        _CLASSES.get(method, "writes"),
        providers[-1].lower() if providers else "",
    )


def _remaining(reply: Reply, kind: str) -> int | None:
    for level in ("subscription", "tenant"):
        text = reply.headers.get(f"x-ms-ratelimit-remaining-{level}-{kind}") or ""
        if text.isdecimal():
            return int(text[:9])
    return None
