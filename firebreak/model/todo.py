"""What is left to people: what to do or decide, with what is prepared for it, and the record that somebody did.

A confirmation changes nothing in Azure and approves nothing. It says who looked, what came out, and when.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

# Puts an item that was confirmed back among those that are left.
REOPEN: Final = "open"
DONE: Final = ("done", "not_needed")


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """What a row of the guidance asks of people, in an incident. `row` is its id, `text` the recommendation, `how` what to do.

    `shows` names prepared data, `when` says in which incidents it is asked for (names in `firebreak.report.prepared`). `answers` are the
    words to confirm it with. `before` are phases of steps (contain, eradicate, ...): the gate of a plan with such steps shows it.
    """

    row: str
    text: str
    how: str
    shows: tuple[str, ...] = ()
    when: str = "always"
    answers: tuple[str, ...] = DONE
    before: tuple[str, ...] = ()


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said of one item, as the audit log has it. `text` is the item as it read then."""

    item: str
    answer: str
    by: str
    at: datetime
    note: str = ""
    text: str = ""
    channel: str = ""

    @property
    def settles(self) -> bool:
        return self.answer != REOPEN


def said_of(confirmations: Iterable[Confirmation]) -> dict[str, str]:
    """The answer that counts for each item, from confirmations with the oldest first; what was opened again is not in it."""
    last = {one.item: one for one in confirmations}
    return {item: one.answer for item, one in last.items() if one.settles}


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One thing left to people. `id` stays the same while the thing is the same; `data` are labels with values, plain text.

    `measured`: only a further look at Azure can settle it, whatever anybody says; a confirmation is shown beside it.
    """

    id: str
    text: str
    how: str = ""
    data: tuple[tuple[str, str], ...] = ()
    answers: tuple[str, ...] = DONE
    row: str = ""
    before: tuple[str, ...] = ()
    measured: bool = False
    confirmation: Confirmation | None = None

    @property
    def is_settled(self) -> bool:
        return self.confirmation is not None and self.confirmation.settles and not self.measured
