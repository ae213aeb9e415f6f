"""An in-memory cloud with a log of what reached it, and steps that look at it and act on it; faults are put in by hand.

`Cloud.events` runs before every look, before a write takes effect and after it: a test raises there what it wants to happen there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from firebreak.model.clouds import MaySend
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action
from firebreak.model.step import Effect, LoadedStep, Sent, Step, Target

Event = Callable[[str, str], None]


class Killed(BaseException):
    """The process is gone: nothing may catch this."""


@dataclass(frozen=True)
class Fenced:
    """The cloud's hands behind a fence."""

    cloud: Cloud
    may_send: MaySend


class Cloud:
    """Machines by target: running, stopping or stopped, or gone. `writes` counts what took effect, `log` lists all that arrived.

    `waits` holds a target's first request back: each is awaited as a client awaits throttling, and the fence is asked after it.
    """

    def __init__(self, actions: Iterable[Action]) -> None:
        self.power = {action.target: "running" for action in actions}
        self.vm_ids = {action.target: action.fingerprint.get("vmId", "") for action in actions}
        self.failed: dict[str, str] = {}
        self.writes: Counter[str] = Counter()
        self.log: list[str] = []
        self.looks: list[tuple[str, ...]] = []
        self.slow: dict[str, int] = {}
        self.hooks: list[Event] = []
        self.operations: dict[str, dict[str, Any]] = {}
        self.at_once = self.most_at_once = 0
        self.arm = self
        self.waits: dict[str, list[Callable[[], Awaitable[None]]]] = {}

    def event(self, kind: str, target: str) -> None:
        for hook in self.hooks:
            hook(kind, target)

    async def operation(self, operation_url: str) -> dict[str, Any]:
        self.event("operation", operation_url)
        return self.operations.get(operation_url, {"status": "InProgress"})

    async def look(self, actions: Sequence[Action], eyes: Any) -> dict[str, Target]:
        assert eyes is self
        self.event("look", ",".join(action.target for action in actions))
        self.looks.append(tuple(action.target for action in actions))
        await asyncio.sleep(0)
        return {action.id: self._target(action.target, removal=action.kind.endswith(".delete")) for action in actions}

    def _target(self, target: str, *, removal: bool) -> Target:
        if self.power.get(target) == "stopping":
            self.slow[target] -= 1
            if self.slow[target] <= 0:
                self.power[target] = "stopped"
        state = self.power.get(target, "gone")
        return Target(
            exists=state != "gone",
            already_so=state == "gone" or (state == "stopped" and not removal),
            in_progress=state == "stopping",
            failed=self.failed.get(target, ""),
            state=state,
            fingerprint={"vmId": self.vm_ids.get(target, "")},
            prior={"power": state},
        )

    async def stop(self, action: Action, hands: Any) -> Sent:
        return await self._write(action, hands, "stopped")

    async def remove(self, action: Action, hands: Any) -> Sent:
        return await self._write(action, hands, "gone")

    def fenced(self, may_send: MaySend) -> Fenced:
        return Fenced(self, may_send)

    async def _write(self, action: Action, hands: Any, to: str) -> Sent:
        assert isinstance(hands, Fenced)
        assert hands.cloud is self
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            for wait in self.waits.pop(action.target, ()):
                await wait()
                await hands.may_send()
            await hands.may_send()
            self.event("before", action.target)
            await asyncio.sleep(0)
            self.log.append(action.target)
            self.writes[action.target] += 1
            if to == "gone":
                self.power.pop(action.target)
            elif action.target in self.slow:
                self.power[action.target] = "stopping"
            else:
                self.power[action.target] = "stopped"
            self.event("after", action.target)
        finally:
            self.at_once -= 1
        url = (
            f"https://operations/{action.target}" if action.target in self.slow or action.target in self.failed else ""
        )
        return Sent(status=202, request_id=f"req-{len(self.log)}", operation_url=url)

    def steps(self) -> dict[str, LoadedStep]:
        stop = Step(id="contain.stop", title="Stop", effect=Effect.REVERSIBLE, description="")
        remove = Step(id="contain.remove", title="Remove", effect=Effect.IRREVERSIBLE, description="")
        return {
            stop.id: LoadedStep(step=stop, look=self.look, apply=self.stop),
            remove.id: LoadedStep(step=remove, look=self.look, apply=self.remove),
        }


def kill_at(number: int) -> tuple[Event, Callable[[], int]]:
    """Return a hook that kills the process at its n-th event and stays dead, and a count of the events so far."""
    seen = 0

    def hook(kind: str, target: str) -> None:
        nonlocal seen
        seen += 1
        if seen >= number:
            raise Killed(f"event {seen}: {kind} {target}")

    return hook, lambda: seen


def states(outcomes: Iterable[Any]) -> list[ActionState]:
    return [outcome.state for outcome in outcomes]
