"""The engine of a replay: it looks at recorded evidence, plans as ever, and sends nothing.

The world does not change in a replay. Each plan is made from the round that its plan was made from then, and what became of actions then is
known from there on. So every plan that was made then is a test of its own: the same evidence, the same history, today's playbook and code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from firebreak.engine import Engine
from firebreak.engine.engine import Say
from firebreak.engine.room import Clouds, EngineRoom
from firebreak.execution import JournalRow
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.playbook import Stage
from firebreak.replay.answers import Answering
from firebreak.replay.clock import RecordedClock
from firebreak.replay.past import Past, Point

WOULD_BE_SENT = "It would have been sent: a replay sends nothing."


class ReplayEngine(Engine):
    """One incident over again. `acted` are the points whose plans were approved, in order."""

    desk: Answering

    def __init__(
        self, room: EngineRoom, incident: str, clouds: Clouds, *, past: Past, clock: RecordedClock, desk: Answering
    ) -> None:
        super().__init__(room, incident, clouds, run_id="replay")
        self.past, self.desk, self._clock = past, desk, clock
        self.acted: list[Point] = []
        self.would_send: dict[str, Outcome] = {}
        self._round = min(past.rounds)
        self._known: dict[int, dict[type[Any], Any]] = {}

    def begin_round(self, number: int) -> None:
        """Turn the clock to when the round began then."""
        self._round = number
        if number in self.past.rounds:
            self._clock.turn_to(self.past.rounds[number].began_at)
        super().begin_round(number)

    def next_stage(self, waiting: Sequence[Stage], number: int) -> Stage:  # noqa: ARG002
        """As it was then: what was put off then is put off."""
        behind = self.past.put_off.get(waiting[0].id)
        return next((stage for stage in waiting[1:] if stage.id == behind), waiting[0])

    def round_for(self, stage: Stage, attempt: int, number: int) -> int:
        return max(number, self.past.facts_rounds.get(Point(stage.id, attempt), number))

    def next_round(self, number: int, after: tuple[Stage, int] | None = None) -> int:
        if after is None:
            return max(number, self.past.last_round)
        following = self.past.round_after(Point(after[0].id, after[1]))
        return number if following is None else max(number, following)

    def asks(self, stage: Stage, attempt: int) -> bool:
        """Whether the gate of the plan is answered, or somebody is there to answer it; one that is not stands among the gates as open."""
        if self.desk.asks_people:
            return True
        plan = self.plan(stage, attempt, self._round)
        return self.desk.open(self.incident, plan, self.gate_of(stage), attempt).state != "open"

    def acting(self, stage: Stage, attempt: int, number: int, say: Say) -> Callable[[], Awaitable[None]]:
        """Return the work of noting an approved plan: nothing is sent."""

        async def work() -> None:
            plan = self.plan(stage, attempt, number)
            point = Point(stage.id, attempt)
            view = self.desk.open(self.incident, plan, self.gate_of(stage), attempt)
            left_out = {action for approval in view.approvals for action in approval.left_out}
            self.acted.append(point)
            known = {row.action.id for row in self.past.rows.get(point, ())}
            for action in plan.actions:
                if action.id not in known and action.id not in left_out:
                    self.would_send[action.id] = Outcome(
                        action_id=action.id, state=ActionState.DONE, reason=WOULD_BE_SENT
                    )
            count = len(plan.actions) - len(left_out)
            for loaded in self.changes(stage):
                self.room.store.steps.finish(
                    self.incident.id, attempt, stage.id, loaded.step.id, "skipped", seconds=0.0, note="nothing was sent"
                )
            say(f"{stage.title}: {count} actions would have been sent.")

        return work

    def wants_more(self, stage: Stage, attempt: int) -> bool:
        """Whether the stage was planned once more then."""
        return Point(stage.id, attempt + 1) in self.past.plans

    def anything_was_changed(self) -> bool:
        """Whether there is a last look to read."""
        return bool(self.acted)

    def closing_note(self, state: str, number: int) -> str:  # noqa: ARG002
        rejected = next((view for view in self.desk.list() if view.state == "rejected"), None)
        if state == "stopped" and rejected is not None:
            return f"{rejected.closed_by} rejected {rejected.stage}: {rejected.closing_reason}. Nothing after it was planned."
        return "Replay: nothing was sent."

    def said(self, stage: Stage, attempt: int) -> dict[str, str]:
        """What people had confirmed when this plan was made then; for a plan that was not made then, nothing."""
        return dict(self.past.said.get(Point(stage.id, attempt), {}))

    def _facts(self, number: int) -> dict[type[Any], Any]:
        # Nobody else writes to the store of a replay, and facts are frozen: each is decoded once.
        known = self._known.setdefault(number, {})
        there = self.room.store.facts.steps_with(self.incident.id, number)
        for name, loaded in self.room.steps.items():
            kind = loaded.step.produces
            if kind is not None and name in there and kind not in known:
                found = self.room.store.facts.load(self.incident.id, number, name, kind)
                if found is not None:
                    known[kind] = found
        return dict(known)

    def _ends(self, rows: Iterable[JournalRow]) -> dict[str, Outcome]:
        # What would have been sent counts as done, so that no later plan proposes it again.
        return {**self.would_send, **super()._ends(rows)}

    def journal_rows(self) -> list[JournalRow]:
        return self.past.rows_known(self._round, self.acted)
