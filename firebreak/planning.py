"""Planning: pure. Calls each step's `plan`, keeps what guard rails allow, orders it, and says what is missing or forbidden.

In goes a `Case`, out comes a `Plan`: the same facts in any order give the same bytes. Waves are the order of execution: the
playbook's step order, then `after`; inside a wave the dearest resource goes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal

from firebreak.errors import NotCollectedError, ResponseError, ScopeError
from firebreak.guardrails import check_action, last_administrator, last_owner, over_limits, why_protected
from firebreak.model.canonical import canonical_bytes
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, BurnRate, Inventory
from firebreak.model.plan import Action, NoOp, Plan
from firebreak.model.step import Effect, LoadedStep, Step


def make_plan(
    case: Case,
    *,
    stage: str,
    steps: Sequence[LoadedStep],
    round: int,  # noqa: A002 - the field's word
    engine_version: str,
) -> Plan:
    """Return the plan of one stage. Steps without a `plan` function are passed over.

    A step whose facts are missing leaves the plan incomplete, also where it never came to read them; a step that breaks its contract leaves it errored: to be read, never
    carried out. What guard rails forbid becomes a no-op with the reason.
    """
    draft = Draft(case, [loaded.step.id for loaded in steps])
    for loaded in steps:
        if loaded.plan is None:
            continue
        try:
            proposals = list(loaded.plan(case))
        except NotCollectedError as error:
            draft.incomplete(f"{loaded.step.id}: {error.message}")
        except ResponseError as error:
            draft.broken(f"{loaded.step.id} could not plan: {error.message}")
        else:
            draft.propose(loaded.step, proposals)
            for kind in loaded.step.needs:
                if case.get(kind) is None:
                    # The step could do without, for these targets; what it would have seen there nobody knows.
                    draft.incomplete(
                        f"{loaded.step.id}: {kind.__name__} of incident {case.incident.id} was not collected."
                    )
    return draft.plan(stage=stage, round=round, engine_version=engine_version)


def waves(actions: Iterable[Action]) -> list[tuple[Action, ...]]:
    """Split a plan's actions, in the plan's order, into waves: one must have ended before the next begins."""
    result: list[list[Action]] = []
    for action in actions:
        current = result[-1] if result else []
        if not current or current[0].step != action.step or {a.id for a in current} & set(action.after):
            result.append([])
        result[-1].append(action)
    return [tuple(wave) for wave in result]


class Draft:
    """A plan while it is made: proposals go in, guard rails and order are applied at the end."""

    def __init__(self, case: Case, step_order: Sequence[str]) -> None:
        self._case = case
        self._order = {step: index for index, step in enumerate(step_order)}
        self._actions: dict[str, Action] = {}
        self._no_ops: set[tuple[str, str, str]] = set()
        self._problems: set[str] = set()
        self._complete, self._errored = True, False

    def incomplete(self, problem: str) -> None:
        self._complete = False
        self._problems.add(problem)

    def broken(self, problem: str) -> None:
        self._errored = True
        self._problems.add(problem)

    def leave(self, step: str, target: str, reason: str) -> None:
        self._no_ops.add((step, target, reason))

    def propose(self, step: Step, proposals: Iterable[Action | NoOp]) -> None:
        """Take one step's proposals; sort them into actions, no-ops and problems."""
        for one in proposals:
            if isinstance(one, NoOp):
                self.leave(one.step, one.target, one.reason)
            elif wrong := _contract(step, one):
                self.broken(f"{step.id} proposed {one.id!r}: {wrong}")
            elif one.id in self._actions:
                self.broken(f"{step.id} proposed {one.id!r} twice.")
            else:
                self._consider(one)

    def plan(self, *, stage: str, round: int, engine_version: str) -> Plan:  # noqa: A002
        """Return the finished plan."""
        case = self._case
        access = case.get(AccessFacts)
        in_azure = bool(self._actions) and not case.incident.alert.is_about_partner
        if case.protection.respect_locks and in_azure and (access is None or not access.locks_were_read):
            self.incomplete("Locks and role assignments were not read, so they could not be respected when planning.")
        if in_azure and case.get(Inventory) is None:
            self.incomplete("The inventory was not read, so tags and the share of the subscription are not known.")
        ordered = sorted(self._actions.values(), key=lambda a: a.id)
        for action, reason in (last_owner(ordered, case) | last_administrator(ordered, case)).items():
            self._drop(self._actions[action], reason)
        self._drop_what_waits_in_vain()
        actions = self._ordered()
        over = over_limits(actions, case)
        burn = case.get(BurnRate)
        return Plan(
            case=case.incident.case,
            subscription_id=case.incident.subscription_id,
            playbook=case.playbook.id,
            playbook_digest=case.playbook.digest,
            stage=stage,
            round=round,
            engine_version=engine_version,
            limits=case.playbook.guard_rails.limits,
            protection=case.protection,
            actions=actions,
            no_ops=tuple(NoOp(step=s, target=t, reason=r) for s, t, r in sorted(self._no_ops)),
            complete=self._complete,
            applyable=bool(actions) and not self._errored and not over,
            errored=self._errored,
            problems=tuple(sorted(self._problems)),
            over_limits=over,
            currency=burn.currency if burn else "USD",
        )

    def _consider(self, action: Action) -> None:
        outcome = self._case.outcomes.get(action.id)
        if outcome is not None and outcome.state.is_good:
            self.leave(
                action.step, action.target, f"It was already carried out in this incident ({outcome.state.value})."
            )
            return
        try:
            check_action(action, self._case.incident)
        except ScopeError as error:
            self.leave(action.step, action.target, error.message)
            self.incomplete(f"{action.step}: {error.message}")
            return
        if reason := self._case.left_out.get(action.target.lower()) or why_protected(action, self._case):
            self.leave(action.step, action.target, reason)
            return
        if action.effect is Effect.IRREVERSIBLE and not action.fingerprint:
            # Without one, another thing under the same name could not be told from it right before it is deleted.
            self.leave(action.step, action.target, "Azure told nothing that identifies it for sure: do it by hand.")
            return
        self._actions[action.id] = action

    def _drop(self, action: Action, reason: str) -> None:
        del self._actions[action.id]
        self.leave(action.step, action.target, reason)

    def _drop_what_waits_in_vain(self) -> None:
        outcomes = self._case.outcomes
        met = {action for action, outcome in outcomes.items() if outcome.state.is_good}
        while True:
            vain = [
                (action, missing)
                for action in sorted(self._actions.values(), key=lambda a: a.id)
                if (missing := next((w for w in sorted(action.after) if w not in self._actions and w not in met), None))
            ]
            if not vain:
                return
            for action, missing in vain:
                self._drop(action, f"It has to wait for {missing}, which is not going to be done.")

    def _ordered(self) -> tuple[Action, ...]:
        ranks: dict[str, tuple[int, int]] = {}
        waiting = dict(sorted(self._actions.items()))
        while waiting:
            ready = [a for a in waiting.values() if all(w not in waiting for w in a.after)]
            if not ready:
                self.broken(f"These wait for each other: {', '.join(waiting)}.")
                ready = list(waiting.values())
            found = {action.id: self._rank(action, ranks) for action in ready}
            ranks.update(found)
            for done in found:
                del waiting[done]
        return tuple(
            sorted(self._actions.values(), key=lambda a: (ranks[a.id], a.step, -(a.per_hour or Decimal(0)), a.id))
        )

    def _rank(self, action: Action, ranks: dict[str, tuple[int, int]]) -> tuple[int, int]:
        before = [ranks[waited] for waited in action.after if waited in ranks]
        stage_order = max([self._order.get(action.step, len(self._order)), *(rank[0] for rank in before)])
        depth = max((rank[1] + 1 for rank in before if rank[0] == stage_order), default=0)
        return (stage_order, depth)


def _contract(step: Step, action: Action) -> str:
    if action.step != step.id:
        return f"it names the step {action.step!r}."
    if not re.fullmatch(re.escape(action.kind) + r":[0-9a-f]{10}", action.id):
        return "its id is not one that `action_id` makes."
    try:
        canonical_bytes(action)
    except TypeError as error:
        return f"it cannot be digested: {error}"
    if action.effect is Effect.READ or (
        action.effect is Effect.IRREVERSIBLE and step.effect is not Effect.IRREVERSIBLE
    ):
        return f"its effect {action.effect.value} is not one the step declares ({step.effect.value})."
    return ""
