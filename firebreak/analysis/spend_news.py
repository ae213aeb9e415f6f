"""Whether a high day is news beside everything that the same series has shown before, alone or together with the days just before it.

A height says how far a day stood above its forecast. For spans of one, two, three, five and seven days the height of the newest span is
compared with all earlier spans of that length: it must stand out from their usual range, and be higher than the highest of them. So a
series that bursts now and then is judged by its bursts, and several high days in a row can be news where each alone is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

SPANS = (1, 2, 3, 5, 7)
_MEMORY = 120  # days that a span is compared with
_LEAST = 7  # spans that make a comparison
_UNTRIED = 4  # first days, whose forecasts are worth little
_LEAST_SPREAD = 0.03
_GAP = 2  # flagged days so close belong to one occasion
_BEYOND = 1.1  # times the highest so far, counted from the middle, that news needs
_FAR_BEYOND, _MANY = 1.7, 56  # beside so many days, so far above the highest of them is news without more
_NEWEST = 0.9  # share of the height of a span that its newest day has itself: a rise that is over is not told again
_SEVERAL = 1.15  # how much more is asked of several days than of one
_ATTACKS = 2  # so many of the highest flagged occasions do not count as known: they may have been attacks
_UPPER = 0.8  # how much the spread upwards counts
_FEW_CALM, _FEW_RESTLESS = 4, 12  # how much a short past widens the spread


class News(msgspec.Struct, frozen=True):
    """What is news about the newest day: `days` together (0: nothing is) are higher than in `past` earlier days."""

    days: int
    past: int
    alone: float  # the height from which on the day alone is news; infinite without a past


class Heights:
    """The heights of the days so far and which of them were flagged."""

    def __init__(self) -> None:
        self.all: list[float] = []
        self.flagged: list[bool] = []

    def add(self, height: float) -> None:
        self.all.append(height)
        self.flagged.append(False)

    def flag(self, at: int) -> None:
        self.flagged[at] = True

    def forget(self, at: int) -> None:
        """A monthly charge says nothing about other days."""
        self.all[at] = 1.0

    def news(self, since: int, needed: float, restless: float, *, rises: bool) -> News:
        """Judge the newest day. The rise it may belong to goes on `since`; `restless` is between 0 and 1, `needed` in robust deviations.

        A day that hardly `rises` above its forecast is not looked at together with others.
        """
        at = len(self.all) - 1
        alone = float("inf")
        for days in SPANS if rises else SPANS[:1]:
            first, end = max(_UNTRIED + days - 2, at - _MEMORY), min(since, at - days + 1)
            if end - first < _LEAST:
                break
            past = [self._together(last, days) for last in range(first, end)]
            middle, spread = _usual(past, _FEW_CALM + (_FEW_RESTLESS - _FEW_CALM) * restless)
            above = self._highest(past, first) - middle
            enough = needed * spread * (1 if days == 1 else _SEVERAL)
            if days == 1 and end - first >= _MANY:
                enough = min(enough, _FAR_BEYOND * above)
            bound = middle + max(_BEYOND * above, enough)
            if days == 1:
                alone = bound
            now = self._together(at, days)
            if now > bound and self.all[at] - middle >= _NEWEST * (now - middle):
                return News(days, end - first, alone)
        return News(0, 0, alone)

    def _together(self, last: int, days: int) -> float:
        """How high `days` days up to `last` stood together: their mean without the highest, so that one burst alone says nothing."""
        if days == 1:
            return self.all[last]
        span = self.all[last - days + 1 : last + 1]
        return (sum(span) - max(span)) / (days - 1)

    def _highest(self, past: Sequence[float], first: int) -> float:
        """The highest span so far; of occasions that were flagged the highest do not count."""
        quiet, occasions, last = 1.0, [0.0] * (_ATTACKS + 1), -9
        for at, height in enumerate(past, first):
            if not self.flagged[at]:
                quiet = max(quiet, height)
                continue
            if at - last > _GAP:
                occasions.append(height)
            occasions[-1] = max(occasions[-1], height)
            last = at
        occasions.sort(reverse=True)
        return max(quiet, occasions[_ATTACKS])


def _usual(past: Sequence[float], few: float) -> tuple[float, float]:
    """Middle and robust spread; wider where `past` is short."""
    ascending = sorted(past)
    middle = ascending[len(ascending) // 2]
    distances = sorted(abs(height - middle) for height in past)
    upper = ascending[int(0.9 * (len(ascending) - 1))] - middle
    spread = max(1.4826 * distances[len(distances) // 2], _UPPER * upper / 1.28, _LEAST_SPREAD)
    return middle, spread * (1 + few / len(past))
