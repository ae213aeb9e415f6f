"""From a claim to its evidence: every event that the report cites, numbered, so that a claim links to its line. Pure.

Anchors are our own numbers; the ids of events are a stranger's text and are only shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from firebreak.analysis.deeds import Deed
from firebreak.model.facts import Operation
from firebreak.report.dossier import Dossier

MOST = 4000  # lines of evidence in one report; the exported bundle has everything


class Proofs:
    """The operations that prove anything, the oldest first, and the line of each event."""

    def __init__(self, dossier: Dossier, deeds: Iterable[Deed]) -> None:
        activity, found = dossier.activity, dossier.attribution
        known: dict[str, Operation] = {}
        if activity is not None:
            for operation in (*activity.creators.values(), *activity.operations):
                known.update(dict.fromkeys(operation.event_ids, operation))
        cited = [event for finding in dossier.findings for event in finding.event_ids]
        cited += [event for deed in deeds for event in deed.event_ids]
        if found is not None:
            judged = (*found.actors, *found.resources)
            cited += [event for one in judged for reason in one.reasons for event in reason.event_ids]
        operations = {known[event].id: known[event] for event in cited if event in known}
        ordered = sorted(operations.values(), key=lambda one: (one.at, one.id))
        self.left_out = max(0, len(ordered) - MOST)
        self.lines: tuple[tuple[int, Operation], ...] = tuple(enumerate(ordered[:MOST], start=1))
        self._line_of = {event: number for number, operation in self.lines for event in operation.event_ids}

    def links(self, event_ids: Sequence[str], most: int = 3) -> Links:
        """The first few lines that prove a claim; events whose operation was not kept are named without a line."""
        lines = list(dict.fromkeys(self._line_of[event] for event in event_ids if event in self._line_of))
        loose = [event for event in event_ids if event not in self._line_of]
        shown = tuple(lines[:most])
        bare = tuple(loose[: most - len(shown)])
        return Links(lines=shown, bare=bare, more=len(lines) - len(shown) + len(loose) - len(bare))


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` are numbers of lines of evidence, `bare` ids of events without one, `more` how many are left out here."""

    lines: tuple[int, ...] = ()
    bare: tuple[str, ...] = ()
    more: int = 0
