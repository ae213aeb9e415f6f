"""Whether an answer may count: the rules of P6 that need no database. Also what a gate requires of its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from firebreak.approval.answers import Answer
from firebreak.approval.approvers import Approver, person_key
from firebreak.approval.requester import asked_for_it
from firebreak.errors import ApprovalError
from firebreak.model.alert import Incident
from firebreak.model.approval import Approval
from firebreak.model.plan import Plan
from firebreak.model.playbook import Gate

DECISIONS = ("approve", "reject", "skip")


def people_required(gate: Gate, plan: Plan, unknown_requester: str = "") -> int:
    """How many different people must approve: what the playbook says, and never fewer than two for an irreversible plan, for an action that
    asks for two, or when it is not known which of those who answer asked for it: then one of two is somebody else."""
    return max(gate.required, 2 if plan.needs_two or unknown_requester else 1)


def escalates_at(gate: Gate, opened_at: datetime) -> datetime | None:
    """When further roles may answer a gate that was first opened at this time; None when never."""
    if not gate.escalate_after_minutes or not gate.escalate_to:
        return None
    return opened_at + timedelta(minutes=gate.escalate_after_minutes)


def roles_at(gate: Gate, opened_at: datetime, now: datetime) -> tuple[str, ...]:
    """The roles that may answer a gate at `now`: the playbook's, and after the escalation those it escalates to."""
    at = escalates_at(gate, opened_at)
    return gate.approvers if at is None or now < at else (*gate.approvers, *gate.escalate_to)


def text_to_type(gate: Gate, plan: Plan) -> str:
    """The text an approver must type, "" when none: the subscription id, with "override " before it when limits are lifted (P5)."""
    if plan.over_limits:
        return f"override {plan.subscription_id}"
    weighty = plan.is_irreversible or plan.gives_back_to_attacker
    return plan.subscription_id if gate.confirm and weighty else ""


def may_be_gated(incident: Incident, plan: Plan) -> None:
    """Refuse to ask people about a plan that could not be carried out whatever they say.

    Raises:
        ApprovalError: reason wrong_plan.
    """
    if plan.case != incident.case or plan.subscription_id != incident.subscription_id:
        problem = f"it belongs to case {plan.case}, subscription {plan.subscription_id}"
    elif plan.errored:
        problem = f"planning failed: {' '.join(plan.problems)}"
    elif not plan.actions:
        problem = "there is nothing to do in it"
    elif not plan.applyable and not plan.over_limits:
        problem = f"it is not applyable: {' '.join(plan.problems)}"
    else:
        return
    raise ApprovalError(
        f"Plan {plan.digest[:12]} cannot be put to {incident.id}'s gate: {problem}.",
        reason="wrong_plan",
        hint="Make a new plan.",
    )


def check_answer(
    answer: Answer,
    approver: Approver,
    *,
    gate: Gate,
    roles: Collection[str],
    plan: Plan,
    incident: Incident,
    given: Iterable[Approval],
) -> None:
    """Refuse an answer of a person whose code was right, if it breaks a rule. `roles` are those that may answer now.

    Raises:
        ApprovalError: bad_decision, wrong_digest, wrong_role, out_of_scope, requester, same_person, missing_reason, not_optional,
            bad_confirm or unknown_action.
    """
    me = person_key(approver.name)
    if answer.decision not in DECISIONS:
        raise _refused("bad_decision", f"{answer.decision!r} is not an answer.", "Say approve, reject or skip.")
    if answer.plan_digest != plan.digest:
        raise _refused(
            "wrong_digest",
            f"The answer is for plan {answer.plan_digest[:12]!r}, the gate asks about {plan.digest[:12]}.",
            "Read the plan that is shown now and answer again.",
        )
    if not set(approver.roles) & set(roles):
        raise _refused(
            "wrong_role",
            f"{approver.name} has none of the roles {', '.join(roles)}.",
            "Ask somebody who has one.",
        )
    if not approver.covers(incident):
        raise _refused(
            "out_of_scope",
            f"{approver.name} may not answer for playbook {incident.playbook} and this customer.",
            "Ask somebody who may; `firebreak approvers list` shows for what each person was enrolled.",
        )
    if answer.decision == "reject":
        if not answer.reason.strip():
            raise _refused("missing_reason", "A rejection needs a reason.", "Say why; it goes into the record.")
        return
    if not gate.requester_may_approve and asked_for_it(approver, gate, incident):
        raise _refused("requester", f"{approver.name} asked for this response.", "Another person has to answer.")
    if answer.decision == "skip":
        if not gate.optional:
            raise _refused("not_optional", f"The gate {gate.id} cannot be skipped.", "Approve or reject.")
        return
    if me in {person_key(approval.approver) for approval in given}:
        raise _refused("same_person", f"{approver.name} approved already.", "Another person has to approve.")
    wanted = text_to_type(gate, plan)
    if wanted and answer.confirm.strip() != wanted:
        raise _refused("bad_confirm", "The typed confirmation is not the text asked for.", f"Type: {wanted}")
    if unknown := sorted(set(answer.leave_out) - {action.id for action in plan.actions}):
        raise _refused("unknown_action", f"The plan has no action {unknown[0]!r}.", "Choose from the plan's actions.")


def _refused(reason: str, message: str, hint: str) -> ApprovalError:
    return ApprovalError(message, reason=reason, hint=hint)
