"""Approvals: named people, one-time codes, gates asked until answered, the only maker of an approved plan, and what people confirm.

desk = GateDesk(store, Approvers(store, key, None), audit, clock)
view = desk.open(incident, plan, gate, round=1)
view = desk.answer(view.id, Answer(approver="Dana", code="123456", decision="approve", plan_digest=view.plan_digest), ask=view.ask)
approved = desk.bind(view.id, store.plans.load(view.plan_digest))
"""

from firebreak.approval.answers import Answer, GateView
from firebreak.approval.approvers import Approver, Approvers
from firebreak.approval.confirmations import ConfirmationDesk, as_confirmation, confirmations_of, said_at_plans
from firebreak.approval.desk import GateDesk
from firebreak.approval.notices import Notice
from firebreak.approval.watch import GateWatch
from firebreak.model.approval import Approval, ApprovedPlan

__all__ = [
    "Answer",
    "Approval",
    "ApprovedPlan",
    "Approver",
    "Approvers",
    "ConfirmationDesk",
    "GateDesk",
    "GateView",
    "GateWatch",
    "Notice",
    "as_confirmation",
    "confirmations_of",
    "said_at_plans",
]
