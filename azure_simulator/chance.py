"""The one source of chance and ids: same seed, same bytes."""

from __future__ import annotations

import random
import uuid
from typing import Any


class Chance(random.Random):
    """A seeded `random.Random` that also makes GUIDs. `child(name)` gives an independent stream, so that adding a draw in one
    place does not change another."""

    def __init__(self, seed: int | str) -> None:
        super().__init__(str(seed))
        self._seed = str(seed)

    def __reduce__(self) -> tuple[type[Chance], tuple[str], tuple[Any, ...]]:
        """Copies continue where the original stands."""
        return Chance, (self._seed,), self.getstate()

    def guid(self) -> str:
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def child(self, name: str) -> Chance:
        return Chance(f"{self._seed}/{name}")
