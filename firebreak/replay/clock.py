"""The clock of a replay: it stands at the time of the record until it is turned on."""

from __future__ import annotations

from datetime import datetime, timedelta


class RecordedClock:
    """Call it for the time of the record. `ticking` is the same with a microsecond between calls, for what is kept in the order of its times."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._ticks = 0

    def __call__(self) -> datetime:
        return self._now

    def ticking(self) -> datetime:
        self._ticks += 1
        return self._now + timedelta(microseconds=self._ticks)

    def turn_to(self, moment: datetime) -> None:
        """Go on to a later time; it never goes back."""
        self._now = max(self._now, moment)
