"""What the intake tells of itself, as Prometheus reads it: https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from firebreak.approval import notices, tellings
from firebreak.intake.inbox import Inbox
from firebreak.intake.poll_log import PollLog
from firebreak.store import Store


class _Kept(Collector):
    """What is in the store: the same after a restart, and for every intake that shares it."""

    def __init__(self, store: Store) -> None:
        self._store, self._clock = store, store.clock
        self._inbox, self._log = Inbox(store), PollLog(store)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        kept = GaugeMetricFamily(
            "firebreak_intake_deliveries", "Deliveries in the store.", labels=["channel", "result"]
        )
        for (channel, state), number in sorted(self._inbox.counts().items()):
            kept.add_metric([channel, state], number)
        yield kept
        yield GaugeMetricFamily(
            "firebreak_intake_oldest_waiting_seconds",
            "Age of the oldest delivery that is not processed; 0 without one.",
            value=self._inbox.oldest_seconds(),
        )
        age = GaugeMetricFamily(
            "firebreak_poll_age_seconds", "Since when nobody could look at a source of alerts.", labels=["source"]
        )
        blind = GaugeMetricFamily("firebreak_poll_blind", "1 when the last look at a source failed.", labels=["source"])
        for one in self._log.all():
            if one.looked_until:
                age.add_metric([one.source], max(0.0, (self._clock() - one.looked_until).total_seconds()))
            blind.add_metric([one.source], bool(one.reason))
        yield age
        yield blind
        yield from self._messages()

    def _messages(self) -> Iterator[GaugeMetricFamily]:
        number, oldest = notices.untold(self._store)
        yield GaugeMetricFamily(
            "firebreak_notices_untold", "What people are to be told and were not yet.", value=number
        )
        yield GaugeMetricFamily(
            "firebreak_notices_oldest_untold_seconds",
            "Age of the oldest of them; 0 without one.",
            value=max(0.0, (self._clock() - oldest).total_seconds()) if oldest else 0,
        )
        failing = GaugeMetricFamily(
            "firebreak_channel_failing", "1 when a channel did not take the last message.", labels=["channel"]
        )
        for channel, last in sorted(tellings.newest_by_channel(self._store).items()):
            failing.add_metric([channel], last.state == tellings.FAILED)
        yield failing


class Metrics:
    """The registry of one application."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Kept(store))
        self._requests = Counter(
            "firebreak_intake_requests",
            "Requests by channel and status.",
            ["channel", "status"],
            registry=self._registry,
        )

    def count(self, channel: str, status: int) -> None:
        self._requests.labels(channel, str(status)).inc()

    def text(self) -> bytes:
        """All of it; reads the store."""
        return generate_latest(self._registry)
