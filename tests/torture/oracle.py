"""The judge: what the simulator saw and what stands there now, against what people approved. Nothing here asks the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.flows.room_in_process import READ_POSTS
from tests.torture.scene import Scene, place, request_of

# The effect of these happened although the answer was spoilt.
_HAPPENED = ("drop_after", "error_after")


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a trial, as sentences; nothing when it is as it should be."""

    twice: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    writes: int = 0
    effects: Mapping[str, int] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        return [
            *(f"twice: {what}" for what in self.twice),
            *(f"lost: {what}" for what in self.lost),
            *(f"outside the plan: {what}" for what in self.outside),
        ]


class Oracle:
    """Judges trials of one scene. `requests` are rows of the simulator's log since the trial began, `present` the ids that stand there."""

    def __init__(self, scene: Scene) -> None:
        self.requests = {action.id: request_of(action) for action in scene.actions}
        self._actions = {action.id: action for action in scene.actions}
        self._approved = Counter(self.requests.values())

    def judge(self, rows: Iterable[Mapping[str, Any]], present: Iterable[str]) -> Verdict:
        """Every approved write took effect once and no other was sent. A deletion whose target another deletion took along may be missing."""
        written = [(f"{row['method']} {place(row['url'])}", row) for row in rows if is_write(row)]
        effects = Counter(key for key, row in written if had_effect(row))
        standing = {identity.lower() for identity in present}
        lost = [key for name, key in self.requests.items() if not effects[key] and not self._went_along(name, standing)]
        return Verdict(
            twice=tuple(f"{key} x{times}" for key, times in effects.items() if times > max(1, self._approved[key])),
            lost=tuple(lost),
            outside=tuple(sorted({key for key, _ in written if key not in self._approved})),
            writes=len(written),
            effects=effects,
        )

    def _went_along(self, name: str, standing: set[str]) -> bool:
        action = self._actions[name]
        return action.kind.endswith(".delete") and action.target.lower() not in standing


def is_write(row: Mapping[str, Any]) -> bool:
    reads = row["url"].split("?")[0].lower().endswith(READ_POSTS)
    return row["method"] not in ("GET", "HEAD") and row["service"] != "login" and not reads


def had_effect(row: Mapping[str, Any]) -> bool:
    """Whether the write changed something: it was accepted and its operation was not told to fail, or only its answer was spoilt."""
    if row["fault"] == "fail_operation":
        return False
    return 200 <= row["status"] < 300 or (row["fault"] in _HAPPENED and (row["status"] == 0 or row["status"] >= 500))
