"""The undos of an incident as the store keeps them: who asked to take back what, how far it came, and the gate that it has to pass."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from firebreak.errors import ContentError
from firebreak.model.plan import UNDO
from firebreak.model.playbook import Gate, Playbook
from firebreak.store import Store

ENDED: Final = ("done", "failed", "rejected", "refused", "nothing")


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """One request to take back what an incident did; `number` counts them from 1.

    `only` and `stages` choose actions by id or stage, both empty means everything. `state` is open until it has ended as done, failed (not
    every action ended well), rejected, refused (by a guard rail) or nothing (nothing to take back).
    """

    number: int
    requested_by: str
    asked_at: datetime
    only: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    include_attacker: bool = False
    state: str = "open"
    note: str = ""

    @property
    def has_ended(self) -> bool:
        return self.state in ENDED


def undos_of(store: Store, incident: str) -> tuple[Undo, ...]:
    """All undos of an incident, the oldest first."""
    found: list[Undo] = []
    while (kept := store.values.get(incident, f"undo-{len(found) + 1}")) is not None:
        found.append(msgspec.convert(kept, Undo))
    return tuple(found)


def undo_of(store: Store, incident: str, number: int) -> Undo | None:
    """The undo with this number, None for number 0: a run that comes late must not take what it was to do for a new request.

    Raises:
        ContentError: the incident has no such undo.
    """
    if not number:
        return None
    found = next((undo for undo in undos_of(store, incident) if undo.number == number), None)
    if found is None:
        raise ContentError(f"{incident} has no undo {number}.", hint=f"See: firebreak incidents show {incident}")
    return found


def save_undo(store: Store, incident: str, undo: Undo) -> None:
    """Keep an undo; a later state replaces an earlier one."""
    store.values.set(incident, f"undo-{undo.number}", msgspec.to_builtins(undo))


def ask_for_undo(store: Store, incident: str, wanted: Undo) -> Undo:
    """Keep a new undo and return it with its number, or return the one that is open when it is the same.

    Raises:
        ContentError: another undo of this incident is open.
    """
    undos = undos_of(store, incident)
    if undos and not undos[-1].has_ended:
        last = undos[-1]
        chosen = (wanted.only, wanted.stages, wanted.include_attacker)
        if chosen not in (((), (), False), (last.only, last.stages, last.include_attacker)):
            raise ContentError(
                f"Undo {last.number} of {incident}, asked for by {last.requested_by}, is open and takes back something else.",
                hint=f"Answer or reject its gate first: firebreak gates show {incident}.{UNDO}.{last.number}",
            )
        return last
    fresh = msgspec.structs.replace(wanted, number=len(undos) + 1, state="open", note="")
    save_undo(store, incident, fresh)
    return fresh


def undo_gate(playbook: Playbook, requested_by: str) -> Gate:
    """The playbook's gate `undo`; without one a gate with the roles of the strictest gate, one person, and typed confirmation where
    something is given back to the attacker or cannot be undone."""
    own = playbook.gates.get(UNDO)
    if own is None:
        strictest = max(playbook.gates.values(), key=lambda g: (g.required, g.confirm, -len(g.approvers)), default=None)
        own = Gate(
            id=UNDO,
            title="Take this back?",
            approvers=strictest.approvers if strictest is not None else ("responder", "lead"),
            confirm=True,
        )
    # Giving back is always asked about: what an operator authorised beforehand was stopping things.
    return msgspec.structs.replace(own, requested_by=requested_by, pre_authorised=None)
