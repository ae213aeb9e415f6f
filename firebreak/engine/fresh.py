"""What protects targets right now: locks, role assignments, tags and groups read again while an approved plan is carried out.

A gate may wait for hours. A lock or a tag that was set meanwhile, or an Owner that went away, must count as if it had been there before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.errors import ResponseError
from firebreak.guardrails import protected_since
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, Inventory, Resource
from firebreak.model.plan import Action
from firebreak.model.step import LoadedStep

_RESOURCES = "2025-04-01"
_HOLDS_FOR = timedelta(seconds=30)  # waves that follow each other quickly share one reading


class Fresh:
    """Reads what protects, for one execution of a plan that was made from `case`. Costs a handful of list requests each time."""

    def __init__(self, case: Case, steps: Mapping[str, LoadedStep], eyes: Eyes, clock: Callable[[], datetime]) -> None:
        self._case, self._steps, self._eyes, self._clock = case, steps, eyes, clock
        self._now, self._read_at = case, datetime.min.replace(tzinfo=clock().tzinfo)

    async def protects(self, actions: Sequence[Action]) -> dict[str, str]:
        """Return the actions that must not be sent any more, by id, with the reason.

        Raises:
            AccessError, RemoteError: it cannot be read; nothing may be sent on a guess.
        """
        if self._clock() - self._read_at > _HOLDS_FOR:
            self._now, self._read_at = await self._read(), self._clock()
        return protected_since(actions, self._now)

    async def _read(self) -> Case:
        base = f"/subscriptions/{self._eyes.arm.subscription_id}"
        access, resources, groups = await asyncio.gather(
            self._access(),
            self._eyes.arm.list(f"{base}/resources", _RESOURCES),
            self._eyes.arm.list(f"{base}/resourcegroups", _RESOURCES),
        )
        known = self._case.get(Inventory) or Inventory()
        inventory = msgspec.structs.replace(known, resources=_tagged(resources), groups=_tagged(groups))
        return self._case.with_facts(inventory, *([access] if access is not None else []))

    async def _access(self) -> AccessFacts | None:
        before = self._case.get(AccessFacts)
        reading = next((s for s in self._steps.values() if s.step.produces is AccessFacts and s.collect), None)
        if before is None or reading is None or reading.collect is None:
            return None
        found = await reading.collect(self._eyes, self._case)
        access: AccessFacts = found
        if before.locks_were_read and not access.locks_were_read:
            raise ResponseError(
                "Locks could be read when the plan was made, and cannot be read now that it is carried out.",
                hint="Nothing more was sent. Start the run again when they are readable.",
            )
        return access


def _tagged(rows: Sequence[dict[str, Any]]) -> tuple[Resource, ...]:
    return tuple(
        Resource(id=name, type=doc.text(row, "type"), name=doc.text(row, "name"), tags=doc.tags(row))
        for row in rows
        if (name := doc.path(row, "id"))
    )
