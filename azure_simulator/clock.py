"""The world's clock: starts where it is told, and moves with real time, by hand, or both."""

from __future__ import annotations

import time
from datetime import datetime, timedelta


class Clock:
    """`now()` is `start` plus what was advanced by hand, plus real time passed when `real_time`."""

    def __init__(self, start: datetime, *, real_time: bool = False) -> None:
        if start.tzinfo is None:
            raise ValueError(f"The clock needs an aware time, got {start!r}.")
        self._start = start
        self._origin = time.monotonic()
        self._real_time = real_time
        self._advanced = timedelta()

    def now(self) -> datetime:
        passed = timedelta(seconds=time.monotonic() - self._origin) if self._real_time else timedelta()
        return self._start + self._advanced + passed

    def advance(self, seconds: float) -> None:
        """Move the clock forward; it never goes back."""
        if seconds < 0:
            raise ValueError("The clock does not go back.")
        self._advanced += timedelta(seconds=seconds)


def stamp(moment: datetime) -> str:
    """Azure's way to write a time: seven fractional digits and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
