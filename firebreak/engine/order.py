"""Which stage is next: that of the playbook, but what needs nobody does not wait behind a gate that may be skipped.

At night the machines would otherwise burn money until somebody answers a question about accounts. Nothing is skipped by it: the stage that was put off
is planned anew and asked right after. Decided once for each stage, and kept, so that every later run walks the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firebreak.model.playbook import Stage

if TYPE_CHECKING:
    from firebreak.engine.engine import Engine


def next_stage(engine: Engine, waiting: Sequence[Stage], number: int) -> Stage:
    """Which of the stages that are still to come is next; `number` is the newest round of facts."""
    first = waiting[0]
    gate = engine.playbook.gates.get(first.gate)
    if gate is None or not gate.optional:
        return first
    key = f"put-off-{first.id}"
    behind = engine.value(key)
    if behind is None:
        found = None if engine.has_planned(first, 1) else _ahead(engine, waiting, number)
        behind = found.id if found else ""
        with engine.room.store.write() as tx:
            engine.room.store.values.set(engine.incident.id, key, behind, tx=tx)
            if found is not None:
                data = {"stage": first.id, "behind": found.id, "playbook": engine.playbook.id}
                engine.room.audit.append(engine.incident.id, "stage.put_off", who="engine", data=data, tx=tx)
    return next((stage for stage in waiting[1:] if stage.id == behind), first)


def _ahead(engine: Engine, waiting: Sequence[Stage], number: int) -> Stage | None:
    """The stage whose plan needs nobody and which may go before the first one; None: the first is next."""
    for place, stage in enumerate(waiting):
        gate = engine.playbook.gates.get(stage.gate)
        if gate is None or engine.reads(stage):
            return None
        given = gate.pre_authorised
        if place and given is not None and given.goes_first:
            return None if engine.why_ask(stage, number) else stage
        if not gate.optional:
            return None
    return None
