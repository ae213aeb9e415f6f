"""Deadlines of tests with real processes count the seconds of a machine that has nothing else to do."""

from __future__ import annotations

import os
import time


class Patience:
    """Time that runs out: where five processes want one core, a second counts as a fifth of one."""

    def __init__(self, seconds: float) -> None:
        self._left, self._last = seconds, time.monotonic()

    def lasts(self) -> bool:
        """Whether time is left; asked often."""
        now = time.monotonic()
        self._left -= (now - self._last) / crowd()
        self._last = now
        return self._left > 0


def crowd() -> float:
    """How many processes want each core at present; at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
