"""How the gates of a replay are answered: as they were then, all in one way, or by somebody who practises. Never so that anything could be carried out.

`Answering` stands where the gate desk stands in a live run. It binds nothing: an approved plan is made by the gate desk alone. It asks for no
code and keeps no record, so no answer given here is anybody's approval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from firebreak.approval import Approval, GateView
from firebreak.approval.checks import people_required, text_to_type
from firebreak.approval.pre_authorised import Beforehand
from firebreak.model.alert import Incident
from firebreak.model.plan import Plan
from firebreak.model.playbook import Gate
from firebreak.replay.past import Answered, Point

CHANNEL = "replay"


class Policy(StrEnum):
    """Where answers come from."""

    RECORDED = "recorded"
    APPROVE_ALL = "approve-all"
    REJECT_ALL = "reject-all"
    PERSON = "person"


class Decide:
    """One policy over what was answered then."""

    def __init__(self, policy: Policy, recorded: Mapping[Point, Answered]) -> None:
        self.policy, self._recorded = policy, recorded

    def answer(self, point: Point, plan: Plan, gate: Gate, now: datetime) -> Answered | str:
        """Return the answer to the gate of `plan`, or a sentence on why there is none."""
        if self.policy is Policy.PERSON:
            return "Nobody has answered it yet."
        if self.policy is Policy.REJECT_ALL:
            return Answered(
                state="rejected", by=("replay",), reason="--decide reject-all", at=now, plan_digest=plan.digest
            )
        if self.policy is Policy.APPROVE_ALL:
            if plan.over_limits:
                return "It is over its limits, which a person has to lift by typing."
            return Answered(
                state="approved", by=("replay",), reason="--decide approve-all", at=now, plan_digest=plan.digest
            )
        then = self._recorded.get(point)
        if then is None:
            return "No answer is recorded."
        if then.state != "approved":
            return then
        if plan.over_limits and not then.lifted:
            return "It is over its limits, and nobody lifted them then."
        needed = people_required(gate, plan)
        if not then.pre_authorised and len(then.by) < needed:
            return f"It needs {needed} people; {len(then.by)} approved then."
        return then


class Answering:
    """The gates of one replay: opened and answered in the same moment, kept in memory."""

    def __init__(self, decide: Decide, clock: Callable[[], datetime]) -> None:
        self._decide, self._clock = decide, clock
        self._views: dict[str, GateView] = {}
        self._given: dict[str, Answered] = {}
        self._asks: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self.why_open: dict[str, str] = {}

    @property
    def asks_people(self) -> bool:
        return self._decide.policy is Policy.PERSON

    def give(self, view: GateView, plan: Plan, answer: Answered, confirm: str = "") -> None:
        """Take what somebody who practises answered to a question. What cannot be taken is asked again, with the reason."""
        problem = ""
        if answer.state == "approved" and view.confirm and confirm != view.confirm:
            problem = f"To approve this plan, type: {view.confirm}"
        elif answer.state == "rejected" and not answer.reason.strip():
            problem = "To reject a plan, say why."
        elif answer.state == "skipped" and not view.optional:
            problem = "This stage cannot be skipped: approve or reject it."
        elif unknown := [name for name in answer.left_out if name not in {action.id for action in plan.actions}]:
            problem = f"{len(unknown)} of what was to be left out is not in the plan."
        if problem:
            self._asks[view.id] = view.ask + 1
            self._problems[view.id] = problem
        else:
            self._given[view.id] = answer

    def open(
        self,
        incident: Incident,
        plan: Plan,
        gate: Gate,
        round: int,  # noqa: A002
        beforehand: Beforehand | None = None,  # noqa: ARG002 - what was pre-authorised then is in the record
    ) -> GateView:
        """Put a plan to its gate, and return the gate with its answer; its state stays open when there is none."""
        now, point = self._clock(), Point(plan.stage, round)
        name = f"{incident.id}.{plan.stage}.{round}"
        answer = self._given.get(name) or self._decide.answer(point, plan, gate, now)
        approvals: tuple[Approval, ...] = ()
        state, by, reason = "open", "", ""
        if isinstance(answer, Answered):
            state, by, reason = answer.state, ", ".join(answer.by), answer.reason
            approvals = self._approvals(name, plan, gate, answer)
            self.why_open.pop(name, None)
        else:
            self.why_open[name] = answer
        self._views[name] = GateView(
            id=name,
            incident=incident.id,
            stage=plan.stage,
            round=round,
            gate=gate.id,
            title=gate.title,
            plan_digest=plan.digest,
            state=state,
            ask=self._asks.get(name, 1),
            approvals=approvals,
            required=people_required(gate, plan),
            roles=gate.approvers,
            opened_at=now,
            expires_at=now + timedelta(minutes=gate.expires_after_minutes),
            last_problem=self._problems.get(name, ""),
            optional=gate.optional,
            confirm=text_to_type(gate, plan),
            choices=tuple(action.id for action in plan.actions),
            closed_by="" if state == "approved" else by,
            closing_reason="" if state == "approved" else reason,
        )
        return self._views[name]

    def list(self) -> tuple[GateView, ...]:
        """All gates so far, the newest first."""
        return tuple(reversed(self._views.values()))

    @staticmethod
    def _approvals(name: str, plan: Plan, gate: Gate, answer: Answered) -> tuple[Approval, ...]:
        if answer.state != "approved":
            return ()
        known = {action.id for action in plan.actions}
        return tuple(
            Approval(
                gate=name,
                ask=1,
                approver=who,
                roles=(),
                at=answer.at,
                expires_at=answer.at + timedelta(minutes=gate.expires_after_minutes),
                plan_digest=plan.digest,
                reason=answer.reason,
                left_out=tuple(one for one in answer.left_out if one in known),
                channel=CHANNEL,
                pre_authorised=answer.pre_authorised,
            )
            for who in answer.by
        )
