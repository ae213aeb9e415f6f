"""Looking at targets: in bulk, again when reading fails, one by one when the bulk cannot be read; and what a look means for a write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from firebreak.errors import AccessError, NotCollectedError, RejectedError, RemoteError
from firebreak.execution.patience import Patience
from firebreak.model.clouds import Eyes
from firebreak.model.outcome import STALE
from firebreak.model.plan import Action
from firebreak.model.step import FREE, LoadedStep, Target

Sleep = Callable[[float], Awaitable[None]]

_AT_ONCE: Final = 8


class Unreadable(msgspec.Struct, frozen=True):
    """Why a target could not be read: never the same as "not there". `passing`: the next try may succeed."""

    why: str
    passing: bool = False


class Looker:
    """Reads targets through their steps' `look`."""

    def __init__(self, steps: Mapping[str, LoadedStep], eyes: Eyes, sleep: Sleep, patience: Patience) -> None:
        self._steps, self._eyes, self._sleep, self._patience = steps, eyes, sleep, patience

    async def look(self, actions: Sequence[Action]) -> dict[str, Target | Unreadable]:
        """Return every action's target by action id. Safety errors pass through; what cannot be read says why."""
        by_step: dict[str, list[Action]] = {}
        for action in actions:
            by_step.setdefault(action.step, []).append(action)
        found = await asyncio.gather(*(self._look(step, group) for step, group in by_step.items()))
        return {action: target for part in found for action, target in part.items()}

    async def _look(self, step: str, actions: Sequence[Action]) -> dict[str, Target | Unreadable]:
        problem = await self._bulk(step, actions)
        if not isinstance(problem, Unreadable):
            return problem
        if len(actions) == 1 or problem.passing:
            return {action.id: problem for action in actions}
        return await self.look_each(actions)  # one target that may not be read must not hide all others

    async def look_each(self, actions: Sequence[Action]) -> dict[str, Target | Unreadable]:
        """As `look`, each target alone: what a list shows may be older than what was done."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(action: Action) -> dict[str, Target | Unreadable]:
            async with turn:
                found = await self._once(action.step, [action])
            return {action.id: found} if isinstance(found, Unreadable) else found

        parts = await asyncio.gather(*(one(action) for action in actions))
        return {action: target for part in parts for action, target in part.items()}

    async def _bulk(self, step: str, actions: Sequence[Action]) -> dict[str, Target | Unreadable] | Unreadable:
        pause = self._patience.first_pause
        found: dict[str, Target | Unreadable] | Unreadable = Unreadable("It was not looked at.", passing=True)
        for attempt in range(self._patience.looks):
            if attempt:
                await self._sleep(pause)
                pause = min(pause * self._patience.growth, self._patience.longest_pause)
            found = await self._once(step, actions)
            if not (isinstance(found, Unreadable) and found.passing):
                break
        return found

    async def _once(self, step: str, actions: Sequence[Action]) -> dict[str, Target | Unreadable] | Unreadable:
        loaded = self._steps.get(step)
        if loaded is None or loaded.look is None:
            return Unreadable(f"Step {step} cannot look at its targets.")
        try:
            found = await loaded.look(actions, self._eyes)
        except (AccessError, NotCollectedError) as error:
            return Unreadable(f"It could not be read: {error}")
        except (RemoteError, TimeoutError, OSError) as error:
            definite = isinstance(error, RejectedError) and error.status < 500
            return Unreadable(f"It could not be read: {error}", passing=not definite)
        missing = Unreadable(f"Step {step} said nothing about it.")
        return {action.id: found.get(action.id, missing) for action in actions}


def why_stale(action: Action, target: Target) -> str:
    """Say in words how the target differs from the one that was approved (P1), or return "" when it is the same.

    An action without fingerprint creates its target, so there is nothing to compare.
    """
    if target.conflict:
        return f"{STALE}{target.conflict}"
    if not action.fingerprint:
        return ""
    if not target.exists and FREE.items() - action.fingerprint.items():
        return f"{STALE}it no longer exists."
    differences = [
        f"{name} is {target.fingerprint.get(name, '') or 'unknown'} (was {value} when the plan was made)"
        for name, value in sorted(action.fingerprint.items())
        if target.fingerprint.get(name, "") != value
    ]
    return f"{STALE}it is no longer what was approved: {', '.join(differences)}." if differences else ""
