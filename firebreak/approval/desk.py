"""The gate desk: asks people about a plan until enough of them answered, and binds their yes to exactly that plan.

A gate is a series of numbered questions (asks). Every answer closes the question it was given to; when more is needed, or the
answer was refused, the next question says why. The audit record, the answer and its effect are one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from firebreak.approval import gate_rows, notices
from firebreak.approval.answers import Answer, GateView, code_time, readable
from firebreak.approval.approvers import Approvers, person_key
from firebreak.approval.checks import check_answer, may_be_gated, people_required, roles_at
from firebreak.approval.gate_rows import GateRow, SealedApproval
from firebreak.approval.notices import EXPIRED, PRE_AUTHORISED, Notice
from firebreak.approval.pre_authorised import Beforehand, switch_name, why_not_allowed, why_not_sure
from firebreak.approval.requester import asked_for_it, names_of, unknown_requester
from firebreak.approval.views import place, said, view_of
from firebreak.audit import AuditLog
from firebreak.errors import ApprovalError, IntegrityError
from firebreak.model.alert import Incident
from firebreak.model.approval import _MINT, Approval, ApprovedPlan
from firebreak.model.plan import Plan
from firebreak.model.playbook import Gate
from firebreak.store import Clock, Store


class GateDesk:
    """All doors to a gate: the UI, the CLI and the demo answer here, with the same checks."""

    def __init__(
        self, store: Store, approvers: Approvers, audit: AuditLog, clock: Clock, switched_on: Collection[str] = ()
    ) -> None:
        """`switched_on` is what the operator lets be done without asking anybody, as `switch_name` names it."""
        self._store, self._approvers, self._audit, self._clock = store, approvers, audit, clock
        self._switched_on = frozenset(switched_on)

    def open(
        self,
        incident: Incident,
        plan: Plan,
        gate: Gate,
        round: int,  # noqa: A002
        beforehand: Beforehand | None = None,
    ) -> GateView:
        """Put a plan to its gate and return the gate; opening it again returns it as it stands.

        With `beforehand`, and only when the gate is opened for the first time, a plan that was pre-authorised is approved without
        asking anybody.

        Raises:
            ApprovalError: wrong_plan (it cannot be carried out), wrong_digest (this gate was opened for another plan).
            StalePlanError: the store keeps another plan for this stage and round.
        """
        may_be_gated(incident, plan)
        digest = self._store.plans.save(incident.id, plan)
        now = self._clock()
        row = GateRow(
            id=f"{incident.id}.{plan.stage}.{round}",
            incident=incident.id,
            stage=plan.stage,
            round=round,
            plan_digest=digest,
            gate=gate,
            state="open",
            ask=1,
            opened_at=now,
            asked_at=now,
            expires_at=now + timedelta(minutes=gate.expires_after_minutes),
            last_problem="",
            closed_by="",
            closing_reason="",
        )
        unknown = self._unknown_requester(row, incident)
        with self._store.write() as tx:
            if gate_rows.insert(tx, row):
                data = {"gate": row.id, "plan_digest": digest, "required": people_required(gate, plan, unknown)}
                if unknown:
                    data["unknown_requester"] = unknown[:160]
                self._audit.append(incident.id, "gate.opened", who="engine", data=data, tx=tx)
                if gate.pre_authorised is not None:
                    self._pre_authorise(tx, row, incident, plan, beforehand)
            kept = gate_rows.load(tx, row.id)
        if kept.plan_digest != digest:
            raise ApprovalError(
                f"Gate {row.id} was opened for plan {kept.plan_digest[:12]}, not {digest[:12]}.",
                reason="wrong_digest",
                hint="Load the kept plan by its digest; a new plan needs a new round.",
            )
        return self.view(row.id)

    def why_ask(self, incident: Incident, plan: Plan, gate: Gate, beforehand: Beforehand | None) -> str:
        """Why people would be asked about a plan at a gate that was not opened yet, "" when it would go without them."""
        return why_not_allowed(plan, gate, self._switched_on) or why_not_sure(plan, gate, incident, beforehand)

    def view(self, gate_id: str) -> GateView:
        """Return the gate as it stands.

        Raises:
            ContentError: there is no such gate.
            IntegrityError: its plan was changed in the store.
        """
        with self._store.read() as tx:
            row = gate_rows.load(tx, gate_id)
            approvals = gate_rows.load_approvals(tx, gate_id)
        return self._view(row, approvals)

    def list(self, *, open_only: bool = False) -> tuple[GateView, ...]:
        """All gates, the newest question first; `open_only` leaves out those that ended."""
        with self._store.read() as tx:
            rows = [(r, gate_rows.load_approvals(tx, r.id)) for r in gate_rows.load_all(tx, open_only=open_only)]
        return tuple(self._view(row, approvals) for row, approvals in rows)

    def answer(self, gate_id: str, answer: Answer, ask: int) -> GateView:
        """Take one answer to question number `ask` and return the gate as it stands then.

        An answer that is refused still closes its question (not an old one), uses up its code and is recorded. A run that starts over
        may hand in an answer it handed in before: that is refused as old_ask and changes nothing, so look at `view` then.

        Raises:
            ApprovalError: not accepted; `reason` says why in one stable word.
            ContentError: there is no such gate.
        """
        answer = readable(answer)
        plan = self._store.plans.load(self.view(gate_id).plan_digest)
        incident = self._store.incidents.get(self.view(gate_id).incident)
        now = self._clock()
        with self._store.write() as tx:
            row = gate_rows.load(tx, gate_id, lock=True)
            try:
                self._take(tx, row, answer, ask, plan, incident, now)
                refusal = None
            except ApprovalError as error:
                refusal = error
                self._refuse(tx, row, answer, ask, error, now)
        if refusal is not None:
            raise refusal
        return self.view(gate_id)

    def unanswered(self, gate_id: str, ask: int, problem: str, *, who: str = "unknown") -> GateView:
        """Record that a run was woken without an answer anybody could use, and ask again; an old question is left as it is.

        What was approved so far goes on to count: whoever woke the run has no say in it. `problem` is a sentence of ours, not theirs.
        """
        now = self._clock()
        with self._store.write() as tx:
            row = gate_rows.load(tx, gate_id, lock=True)
            if row.state == "open" and row.ask == ask:
                data = {**place(row), "problem": problem}
                self._audit.append(row.incident, "gate.unanswered", who=who, data=data, tx=tx)
                gate_rows.close_ask(tx, row, now, "unanswered")
                if row.expires_at <= now:
                    self._ask_again(tx, row, now, problem)
                else:
                    gate_rows.ask_again(tx, row, now, row.expires_at, problem)
        return self.view(gate_id)

    def reopen_expired(self) -> tuple[GateView, ...]:
        """Ask again at every open gate whose time is over; what was approved there so far counts no more. Returns those gates."""
        now = self._clock()
        with self._store.write() as tx:
            late = [row for row in gate_rows.load_all(tx, open_only=True) if row.expires_at <= now]
            late = [row for row in (gate_rows.load(tx, r.id, lock=True) for r in late) if row.expires_at <= now]
            for row in late:
                self._audit.append(row.incident, "gate.expired", who="engine", data=place(row), tx=tx)
                gate_rows.close_ask(tx, row, now, "expired")
                self._ask_again(tx, row, now, "The question expired without enough answers.")
                self._note_expired(tx, row, now)
        return tuple(self.view(row.id) for row in late)

    def bind(self, gate_id: str, plan: Plan) -> ApprovedPlan:
        """Return the plan as approved, after checking from the store that it is: the only way to make an `ApprovedPlan`.

        Approvals that no longer hold (expired, or the person was revoked) are dropped, and the gate is asked again. A plan whose every
        action has ended may be bound at any time: nothing is left to be done with it.

        Raises:
            ApprovalError: not_approved, wrong_digest, expired or unknown_person.
            IntegrityError: the stored plan or an approval was changed or forged.
        """
        now = self._clock()
        incident = self._store.incidents.get(self.view(gate_id).incident)
        with self._store.write() as tx:
            row = gate_rows.load(tx, gate_id, lock=True)
            unknown = self._unknown_requester(row, incident, tx)
            if row.state != "approved":
                raise ApprovalError(
                    f"Gate {gate_id} is {row.state}, not approved.",
                    reason="not_approved",
                    hint="Answer the gate first.",
                )
            if plan.digest != row.plan_digest:
                raise ApprovalError(
                    f"Gate {gate_id} approved plan {row.plan_digest[:12]}, not {plan.digest[:12]}.",
                    reason="wrong_digest",
                    hint="Load the approved plan by its digest.",
                )
            ended = gate_rows.open_actions(tx, row.incident, row.plan_digest) == 0
            problems: dict[str, str] = {}
            good: list[Approval] = []
            for sealed in gate_rows.load_approvals(tx, gate_id):
                approval = self._unsealed(row, sealed)
                if problem := "" if ended else self._why_void(tx, row, plan, approval, incident, now):
                    problems[problem] = f"{approval.approver}'s approval no longer holds: {problem}."
                    gate_rows.void(tx, gate_id, approval.ask, problem)
                else:
                    good.append(approval)
            people = {person_key(a.approver) for a in good if not a.pre_authorised}
            enough = any(a.pre_authorised for a in good) or len(people) >= people_required(row.gate, plan, unknown)
            if enough:
                who = [a.approver for a in good]
                self._audit.append(
                    row.incident, "plan.bound", who="engine", data={**place(row), "approvers": who}, tx=tx
                )
            else:
                self._audit.append(row.incident, "gate.expired", who="engine", data={**place(row), **problems}, tx=tx)
                self._ask_again(tx, row, now, " ".join(problems.values()) or "There are not enough approvals.")
        if not enough:
            word = next(iter(sorted(problems)), "not_approved")
            raise ApprovalError(
                f"Gate {gate_id} has to be answered again. {' '.join(problems.values())}".strip(),
                reason=word,
                hint="The gate asks again.",
            )
        self._store.plans.load(plan.digest)
        return ApprovedPlan(_MINT, incident=row.incident, gate=gate_id, plan=plan, approvals=tuple(good))

    def _take(
        self, tx: Connection, row: GateRow, answer: Answer, ask: int, plan: Plan, incident: Incident, now: datetime
    ) -> None:
        if row.state != "open" or ask != row.ask:
            self._approvers.burn(tx, answer.approver, answer.code, now, given_at=code_time(answer, now))
            raise ApprovalError(
                f"Question {ask} of {row.id} is no longer asked.", reason="old_ask", hint="Look at the gate again."
            )
        if row.expires_at <= now:
            self._approvers.burn(tx, answer.approver, answer.code, now, given_at=code_time(answer, now))
            raise ApprovalError(
                f"The question expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
                reason="expired",
                hint="It is asked again.",
            )
        approver = self._approvers.check(tx, answer.approver, answer.code, now, given_at=code_time(answer, now))
        given = [self._unsealed(row, sealed) for sealed in gate_rows.load_approvals(tx, row.id)]
        for late in [a for a in given if a.expires_at <= now]:
            gate_rows.void(tx, row.id, late.ask, "expired")
            given.remove(late)
        roles = roles_at(row.gate, row.opened_at, now)
        check_answer(answer, approver, gate=row.gate, roles=roles, plan=plan, incident=incident, given=given)
        data = {**place(row), **said(answer), "accepted": True}
        self._audit.append(row.incident, "gate.answered", who=approver.name, data=data, tx=tx)
        gate_rows.close_ask(tx, row, now, answer.decision)
        if answer.decision != "approve":
            state = "rejected" if answer.decision == "reject" else "skipped"
            gate_rows.close(tx, row, state, by=approver.name, reason=answer.reason)
            return
        approval = Approval(
            gate=row.id,
            ask=row.ask,
            approver=approver.name,
            roles=approver.roles,
            at=now,
            expires_at=now + timedelta(minutes=row.gate.expires_after_minutes),
            plan_digest=plan.digest,
            reason=answer.reason,
            left_out=tuple(sorted(set(answer.leave_out))),
            limits_lifted=bool(plan.over_limits),
            channel=answer.channel,
        )
        gate_rows.add_approval(tx, approval, person_key(approver.name), self._seal(row, approval))
        missing = people_required(row.gate, plan, self._unknown_requester(row, incident, tx)) - len(given) - 1
        if missing <= 0:
            gate_rows.close(tx, row, "approved", by=approver.name, reason=answer.reason)
        else:
            again = f"{approver.name} approved; {missing} more {'person' if missing == 1 else 'people'} needed."
            gate_rows.ask_again(tx, row, now, self._expiry(row, now), again)

    def _refuse(
        self, tx: Connection, row: GateRow, answer: Answer, ask: int, error: ApprovalError, now: datetime
    ) -> None:
        data = {**place(row), **said(answer), "ask": ask, "accepted": False, "refused_because": error.reason}
        self._audit.append(row.incident, "gate.answered", who=answer.approver[:160], data=data, tx=tx)
        if error.reason == "old_ask":
            return
        gate_rows.close_ask(tx, row, now, error.reason)
        if error.reason == "expired":
            self._ask_again(tx, row, now, error.message)
            self._note_expired(tx, row, now)
        else:
            gate_rows.ask_again(tx, row, now, self._expiry(row, now), str(error))

    def _ask_again(self, tx: Connection, row: GateRow, now: datetime, problem: str) -> None:
        for sealed in gate_rows.load_approvals(tx, row.id):
            gate_rows.void(tx, row.id, sealed.approval.ask, "expired")
        gate_rows.ask_again(tx, row, now, self._expiry(row, now), problem)

    def _note_expired(self, tx: Connection, row: GateRow, now: datetime) -> None:
        text = f"{row.gate.title} Question {row.ask} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC; it is asked again."
        notice = Notice(about=row.id, kind=EXPIRED, number=row.ask, incident=row.incident, text=text, at=now)
        notices.add(tx, notice)

    def _pre_authorise(
        self, tx: Connection, row: GateRow, incident: Incident, plan: Plan, beforehand: Beforehand | None
    ) -> None:
        why = self.why_ask(incident, plan, row.gate, beforehand)
        data = {**place(row), "playbook": plan.playbook, "playbook_digest": plan.playbook_digest}
        if why or beforehand is None:
            self._audit.append(
                row.incident, "gate.not_pre_authorised", who="engine", data={**data, "because": why}, tx=tx
            )
            return
        version = beforehand.playbook.version
        who = f"pre-authorised by playbook {plan.playbook[:60]} version {version[:20]}, switched on by the operator"
        data |= {
            "version": version,
            "switched_on": switch_name(plan.playbook, plan.playbook_digest),
            "actions": len(plan.actions),
        }
        self._audit.append(row.incident, "gate.pre_authorised", who="engine", data=data, tx=tx)
        approval = Approval(
            gate=row.id,
            ask=row.ask,
            approver=who,
            roles=(),
            at=row.asked_at,
            expires_at=row.expires_at,
            plan_digest=plan.digest,
            reason="Nobody was asked.",
            channel="engine",
            pre_authorised=True,
        )
        gate_rows.close_ask(tx, row, row.asked_at, "pre_authorised")
        gate_rows.add_approval(tx, approval, "", self._seal(row, approval))
        gate_rows.close(tx, row, "approved", by=who, reason=approval.reason)
        text = f"{row.gate.title} Nobody was asked: {who}; {len(plan.actions)} actions."
        notices.add(
            tx, Notice(about=row.id, kind=PRE_AUTHORISED, number=0, incident=row.incident, text=text, at=row.asked_at)
        )

    def _why_void(
        self, tx: Connection, row: GateRow, plan: Plan, approval: Approval, incident: Incident, now: datetime
    ) -> str:
        if approval.expires_at <= now:
            return "expired"
        if approval.pre_authorised:
            return "not_pre_authorised" if why_not_allowed(plan, row.gate, self._switched_on) else ""
        person = self._approvers.find(approval.approver, tx=tx)
        if person is None or not set(person.roles) & set(roles_at(row.gate, row.opened_at, approval.at)):
            return "unknown_person"
        if not person.covers(incident):
            return "out_of_scope"
        own = asked_for_it(person, row.gate, incident) and not row.gate.requester_may_approve
        return "requester" if own else ""

    def _unsealed(self, row: GateRow, sealed: SealedApproval) -> Approval:
        approval = sealed.approval
        if sealed.seal != self._seal(row, approval) or (approval.gate, approval.plan_digest) != (
            row.id,
            row.plan_digest,
        ):
            raise IntegrityError(
                f"An approval at gate {row.id} (question {approval.ask}) was not made by this engine, or was changed.",
                hint="Do not go on. Find out who wrote to the database; the audit log has what people really answered.",
            )
        return approval

    def _seal(self, row: GateRow, approval: Approval) -> str:
        return self._approvers.seal(gate_rows.what_is_sealed(row, approval))

    def _expiry(self, row: GateRow, now: datetime) -> datetime:
        return now + timedelta(minutes=row.gate.expires_after_minutes)

    def _view(self, row: GateRow, approvals: Sequence[SealedApproval]) -> GateView:
        unknown = self._unknown_requester(row, self._store.incidents.get(row.incident))
        return view_of(row, self._store.plans.load(row.plan_digest), approvals, self._clock(), unknown)

    def _unknown_requester(self, row: GateRow, incident: Incident, tx: Connection | None = None) -> str:
        if not names_of(row.gate, incident):
            return ""
        return unknown_requester(row.gate, incident, self._approvers.list(tx=tx))
