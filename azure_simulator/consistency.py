"""Lists that lag behind: what stood in the world a while ago, for list answers only. Reading one resource by its id is always current.

`Past` compares a table with what it saw last and keeps what was replaced or deleted, as long as a list may still show it.
Documents are changed in place, so it holds copies; without a lag it holds nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure_simulator.world import Document

LONGEST_LAG = 3600.0  # seconds


@dataclass(frozen=True)
class Change:
    """Until `at`, `before` stood under the key; None: nothing did."""

    at: datetime
    key: str
    before: Document | None


@dataclass
class Past:
    """What the watched documents were before they changed. Keys are ids in lower case."""

    last_seen: dict[str, Document] | None = None  # None: nothing is watched
    changes: list[Change] = field(default_factory=list)  # oldest first

    @property
    def begun(self) -> bool:
        """Whether it watches."""
        return self.last_seen is not None

    def note(self, now: datetime, documents: Iterable[tuple[str, Document]], *, keep_after: datetime) -> None:
        """Date what differs from the note before to `now`; changes up to `keep_after` are forgotten. The first note only remembers."""
        current = dict(documents)
        seen = self.last_seen
        if seen is None:
            self.last_seen = copy.deepcopy(current)
            return
        self.changes = [change for change in self.changes if change.at > keep_after]
        for key in [key for key in seen if key not in current]:
            self.changes.append(Change(now, key, seen.pop(key)))
        for key, document in current.items():
            before = seen.get(key)
            if before != document:
                self.changes.append(Change(now, key, before))
                seen[key] = copy.deepcopy(document)

    def forget(self) -> None:
        """Stop watching."""
        self.last_seen, self.changes = None, []

    def before(self, moment: datetime) -> Mapping[str, Document | None]:
        """What stood at `moment` under the keys that changed after it."""
        found: dict[str, Document | None] = {}
        for change in self.changes:
            if change.at > moment:
                found.setdefault(change.key, change.before)
        return found
