"""Carry out an approved plan: check it once more, journal it, then wave by wave, and tell how every action ended.

Out come `Outcome`s, read from the journal. A new run of the same plan goes on where the old one stopped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from sqlalchemy import select

from firebreak.audit import AuditLog, Entry
from firebreak.errors import ApprovalError
from firebreak.execution.flight import Flight
from firebreak.execution.group_commit import JournalWriter
from firebreak.execution.journal import Change, Journal, JournalRow
from firebreak.execution.lease import Lease
from firebreak.execution.looking import Looker, Sleep
from firebreak.execution.patience import Patience
from firebreak.execution.wave import Wave
from firebreak.guardrails import check_before_writing
from firebreak.model.approval import ApprovedPlan
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.outcome import PROTECTED_SINCE, STALE, ActionState, Outcome
from firebreak.model.plan import Action
from firebreak.model.step import LoadedStep
from firebreak.planning import waves
from firebreak.store import Clock, Store
from firebreak.store.schema import gates

Progress = Callable[[int, int, str], None]
Recheck = Callable[[Sequence[Action]], Awaitable[Mapping[str, str]]]


async def execute(
    approved: ApprovedPlan,
    *,
    case: Case,
    steps: Mapping[str, LoadedStep],
    eyes: Eyes,
    hands: Hands,
    store: Store,
    lease: Lease,
    audit: AuditLog,
    clock: Clock,
    sleep: Sleep,
    concurrency: int = 32,
    progress: Progress | None = None,
    patience: Patience | None = None,
    recheck: Recheck | None = None,
) -> tuple[Outcome, ...]:
    """Carry out the plan's actions once and return how each ended, in the plan's order, those left out included.

    One failing action never stops the others. A programming error in a step goes up after those in the air have ended; the next run
    settles what it left. `progress` is called with (ended, all, sentence) after each end. `recheck` looks, right before each wave, why
    its actions must not be sent any more and returns reasons by action id: those are refused as stale, like those that the case protects by now.

    Raises:
        ApprovalError: wrong_incident, not_approved (the store knows no such approval) or expired (and something is left to do).
        GuardRailError, ScopeError: what is left is over its limits, or an action reaches outside; nothing was sent.
        LeaseLostError: another run executes this incident; this one stopped before its next write.
        IntegrityError: the stored plan, the journal or the audit chain was changed.
    """
    incident = case.incident.id
    _check_approval(approved, case, store)
    journal = Journal(store, audit, clock)
    rows = {row.action.id: row for row in journal.rows(incident)}
    if _all_ended(approved, rows):
        return tuple(rows[action.id].outcome for action in approved.plan.actions)
    if approved.expires_at <= clock():
        raise ApprovalError(
            f"The approval at {approved.gate} expired at {approved.expires_at:%Y-%m-%d %H:%M} UTC.",
            reason="expired",
            hint="Bind the plan again; the gate then asks again.",
        )
    left = [a for a in approved.actions if a.id not in rows or not rows[a.id].state.is_good]
    protected = check_before_writing(approved.plan, left, case, limits_lifted=approved.limits_lifted)
    journal.intend(approved.plan, approved.left_out, lease, [_began(approved, lease)])

    patience = patience or Patience()
    writer = JournalWriter(journal, lease)
    rows = {row.action.id: row for row in journal.rows(incident)}
    states = {action: row.state for action, row in rows.items()}
    tell = _Teller(approved.plan.actions, states, progress)
    wave = Wave(
        steps=steps,
        looker=Looker(steps, eyes, sleep, patience),
        hands=hands,
        writer=writer,
        clock=clock,
        sleep=sleep,
        patience=patience,
        concurrency=concurrency,
        ended=tell.ended,
    )
    await wave.carry_out([], _orphans(approved, rows.values(), steps))
    for row in _superseded(approved, rows.values()):
        reason = "A newer plan of this stage took its place; nothing was sent."
        await writer.write(Change(action_id=row.action.id, state=ActionState.REFUSED, reason=reason))

    async def refuse(action: Action, reason: str) -> None:
        await writer.write(Change(action_id=action.id, state=ActionState.REFUSED, reason=reason[:2000]))
        tell.ended(action, ActionState.REFUSED)

    for actions in waves(approved.actions):
        fresh, started = [], []
        for action in actions:
            if states[action.id].is_final:
                continue
            if states[action.id] is ActionState.STARTED:
                started.append(_flight(rows[action.id], action))
            elif blocker := next((w for w in action.after if not _is_good(states.get(w))), None):
                await refuse(action, f"It has to wait for {blocker}, which {_words(states.get(blocker))}.")
            else:
                fresh.append(Flight(action))
        now = await recheck([flight.action for flight in fresh]) if recheck is not None and fresh else {}
        for flight in list(fresh):
            kept = protected.get(flight.action.id)
            if why := (f"{PROTECTED_SINCE} {kept}" if kept else now.get(flight.action.id)):
                await refuse(flight.action, f"{STALE}{why}")
                fresh.remove(flight)
        await wave.carry_out(fresh, started)
    ended = {row.action.id: row.outcome for row in journal.rows(incident)}
    outcomes = tuple(ended[action.id] for action in approved.plan.actions)
    audit.append(incident, "execution.ended", who=lease.run_id, data=_counts(approved, outcomes))
    return outcomes


class _Teller:
    """Keeps the states as they end and tells the caller how far it is."""

    def __init__(self, actions: Sequence[Action], states: dict[str, ActionState], progress: Progress | None) -> None:
        self._ids, self._states, self._progress = {action.id for action in actions}, states, progress

    def ended(self, action: Action, state: ActionState) -> None:
        self._states[action.id] = state
        if self._progress is not None:
            done = sum(1 for one in self._ids if self._states[one].is_final)
            self._progress(done, len(self._ids), f"{action.title}: {state.value.replace('_', ' ')}")


def _check_approval(approved: ApprovedPlan, case: Case, store: Store) -> None:
    incident = case.incident
    if not isinstance(approved, ApprovedPlan):
        raise ApprovalError(
            "Only an approved plan can be carried out.", reason="not_approved", hint="Bind the plan to its gate."
        )
    if approved.incident != incident.id or approved.plan.case != incident.case:
        raise ApprovalError(
            f"The plan was approved for {approved.incident}, not for {incident.id}.",
            reason="wrong_incident",
            hint="Approve it at a gate of this incident.",
        )
    store.plans.load(approved.plan.digest)
    with store.read() as tx:
        gate = tx.execute(select(gates.c.state, gates.c.plan_digest).where(gates.c.id == approved.gate)).one_or_none()
    if gate is None or gate.state != "approved" or gate.plan_digest != approved.plan.digest:
        raise ApprovalError(
            f"The store knows no approval of plan {approved.plan.digest[:12]} at {approved.gate}.",
            reason="not_approved",
            hint="Look at the gate; it may ask again.",
        )


def _all_ended(approved: ApprovedPlan, rows: Mapping[str, JournalRow]) -> bool:
    """Whether this very plan was carried out to the end before (an action that ended well may have done so under another)."""
    found = [rows.get(action.id) for action in approved.plan.actions]
    return all(
        row is not None and row.state.is_final and (row.plan_digest == approved.digest or row.state.is_good)
        for row in found
    )


def _orphans(approved: ApprovedPlan, rows: Iterable[JournalRow], steps: Mapping[str, LoadedStep]) -> list[Flight]:
    """Requests of an earlier plan that nobody saw the end of: settled by looking, never sent again."""
    mine = {action.id for action in approved.actions}
    flights = [
        _flight(row, row.action)
        for row in rows
        if row.state is ActionState.STARTED and row.action.id not in mine and row.action.step in steps
    ]
    for flight in flights:
        flight.may_be_sent = False
    return flights


def _superseded(approved: ApprovedPlan, rows: Iterable[JournalRow]) -> list[JournalRow]:
    plan = approved.plan
    mine = {action.id for action in plan.actions}
    return [
        row
        for row in rows
        if row.state is ActionState.INTENDED
        and row.action.id not in mine
        and (row.stage == plan.stage and row.round < plan.round)
    ]


def _flight(row: JournalRow, action: Action) -> Flight:
    flight = Flight(action, attempt=row.attempt, started_at=row.started_at)
    flight.sure, flight.operation_url = row.answered_at is not None, row.operation_url
    flight.problem = "" if flight.sure else "An earlier run sent it and saw no answer."
    return flight


def _is_good(state: ActionState | None) -> bool:
    return state is not None and state.is_good


def _words(state: ActionState | None) -> str:
    return "is not in the plan" if state is None else f"ended as {state.value.replace('_', ' ')}"


def _began(approved: ApprovedPlan, lease: Lease) -> Entry:
    data = {
        "gate": approved.gate,
        "plan_digest": approved.digest,
        "approvers": [approval.approver for approval in approved.approvals],
        "actions": len(approved.actions),
        "left_out": sorted(approved.left_out),
        "term": lease.term,
    }
    return Entry(kind="execution.began", who=lease.run_id, data=data)


def _counts(approved: ApprovedPlan, outcomes: Sequence[Outcome]) -> dict[str, object]:
    counts = {state.value: sum(1 for o in outcomes if o.state is state) for state in ActionState}
    return {"plan_digest": approved.digest, **{state: n for state, n in counts.items() if n}}
