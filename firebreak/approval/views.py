"""A gate as people and the record see it: rows and answers turned into values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from firebreak.approval.answers import Answer, GateView
from firebreak.approval.checks import escalates_at, people_required, roles_at, text_to_type
from firebreak.approval.gate_rows import GateRow, SealedApproval
from firebreak.model.plan import Plan


def view_of(
    row: GateRow, plan: Plan, approvals: Sequence[SealedApproval], now: datetime, unknown_requester: str
) -> GateView:
    """Return the gate as it stands at `now`. `unknown_requester` is the name of somebody who may be one of those who answer."""
    escalated_since = escalates_at(row.gate, row.opened_at)
    late = row.state == "open" and row.expires_at <= now
    return GateView(
        id=row.id,
        incident=row.incident,
        stage=row.stage,
        round=row.round,
        gate=row.gate.id,
        title=row.gate.title,
        plan_digest=row.plan_digest,
        state="expired" if late else row.state,
        ask=row.ask,
        approvals=tuple(sealed.approval for sealed in approvals),
        required=people_required(row.gate, plan, unknown_requester),
        unknown_requester=unknown_requester,
        roles=roles_at(row.gate, row.opened_at, now),
        escalates_at=escalated_since,
        escalated=escalated_since is not None and escalated_since <= now,
        opened_at=row.opened_at,
        expires_at=row.expires_at,
        last_problem=row.last_problem,
        optional=row.gate.optional,
        confirm=text_to_type(row.gate, plan),
        choices=tuple(action.id for action in plan.actions),
        closed_by=row.closed_by,
        closing_reason=row.closing_reason,
    )


def place(row: GateRow) -> dict[str, object]:
    """Which gate, question and plan: in every record of the desk."""
    return {"gate": row.id, "ask": row.ask, "plan_digest": row.plan_digest}


def said(answer: Answer) -> dict[str, object]:
    """What goes into the record: everything but the code. Long texts are cut, they come from outside."""
    return {
        "decision": answer.decision[:32],
        "reason": answer.reason[:2000],
        "left_out": [action[:160] for action in answer.leave_out][:10_000],
        "channel": answer.channel[:16],
        "answered_digest": answer.plan_digest[:64],
        "confirmed": bool(answer.confirm.strip()),
    }
