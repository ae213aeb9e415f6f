"""Several replays at once, each in a process of its own: they share nothing, and the processor is what they wait for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from firebreak.errors import ResponseError
from firebreak.replay.no_network import no_connections
from firebreak.replay.result import Replayed

# Below it, starting processes costs more than it saves.
_WORTH_IT = 3


def replay_each(
    places: Sequence[Path], one: Callable[[Path], Replayed], jobs: int
) -> Iterator[tuple[Path, Replayed | ResponseError]]:
    """Replay each bundle, as many at a time as there are processors and `jobs` allows, and yield what came of it in the order of `places`.

    `one` is called in another process when there are several: it can be pickled. Nothing can be connected to meanwhile.
    """
    count = min(jobs or os.cpu_count() or 1, len(places))
    if count < 2 or len(places) < _WORTH_IT:
        for place in places:
            yield place, _apart(one, place)
        return
    # Fresh processes instead of copies: a copy of a process with threads may hang.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(_apart, one, place) for place in places]
        for place, result in zip(places, begun, strict=True):
            yield place, result.result()


def carried_each(
    places: Sequence[Path], one: Callable[[Path], Replayed]
) -> Iterator[tuple[Path, Replayed | ResponseError]]:
    """Call `one` for each bundle, one after the other: each has a world of its own, which it has to connect to."""
    for place in places:
        try:
            yield place, one(place)
        except ResponseError as error:
            yield place, error


def _apart(one: Callable[[Path], Replayed], place: Path) -> Replayed | ResponseError:
    try:
        with no_connections():
            return one(place)
    except ResponseError as error:
        return error
