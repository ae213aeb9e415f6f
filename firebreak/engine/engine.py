"""The engine of one incident: one method per move of the runbook. Order is `flows.course`'s business.

Every method may be called again after a crash: what the store already holds is loaded, never made twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec

from firebreak import __version__
from firebreak.approval import GateView, notices
from firebreak.approval.pre_authorised import Beforehand
from firebreak.engine import ending, order, partner, seals
from firebreak.engine.eyes import EyesOfRound
from firebreak.engine.fresh import Fresh
from firebreak.engine.overtaken import overtaken
from firebreak.engine.room import Clouds, EngineRoom
from firebreak.engine.undos import undo_gate, undos_of
from firebreak.errors import (
    CredentialError,
    GuardRailError,
    LeaseLostError,
    NotCollectedError,
    ResponseError,
    UnreachableError,
)
from firebreak.execution import Journal, JournalRow, Lease, execute
from firebreak.execution.undo import placed
from firebreak.logs import working_on
from firebreak.model.alert import Incident
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Facts
from firebreak.model.finding import NotLookedAt
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import UNDO, Action, Plan
from firebreak.model.playbook import Gate, Playbook, Stage
from firebreak.model.step import Effect, LoadedStep
from firebreak.model.todo import said_of
from firebreak.planning import make_plan

Say = Callable[[str], None]
_DOOR = "investigate.subscription"
_FRESH_PLANS = 2  # how often a stage is planned anew because a target was stale


@dataclass(frozen=True)
class Question:
    """One numbered question of a gate: what is shown and who may answer. `key` is unique to it, for Prefect."""

    view: GateView
    plan: Plan
    gate: Gate
    page: str
    approvers: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"gate-{self.plan.stage}-{self.plan.round}-{self.plan.digest[:12]}-{self.view.ask}"


class Asks(Protocol):
    """What the engine needs of whoever asks people: the gate desk, or in a replay what they said then."""

    def open(
        self,
        incident: Incident,
        plan: Plan,
        gate: Gate,
        round: int,  # noqa: A002
        beforehand: Beforehand | None = None,
    ) -> GateView: ...

    def list(self) -> tuple[GateView, ...]: ...


class Engine:
    """One incident, its playbook as it was when the incident was opened, and a connection to the clouds."""

    def __init__(self, room: EngineRoom, incident_id: str, clouds: Clouds | None, *, run_id: str) -> None:
        self.room = room
        self.desk: Asks = room.desk
        self.incident: Incident = room.store.incidents.get(incident_id)
        self.playbook: Playbook = msgspec.convert(room.store.values.get(incident_id, "playbook"), Playbook)
        self._open_clouds = clouds
        self._run_id = run_id
        self._store = room.store

    @property
    def _clouds(self) -> Clouds:
        if self._open_clouds is None:
            raise ResponseError(
                f"{self.incident.id} was opened for reading its record only.", hint="Connect it to act or look."
            )
        return self._open_clouds

    @property
    def _tries(self) -> int:
        """How often a run began after one that had failed."""
        return int(self.value("tries-after-failure") or 0)

    @property
    def state(self) -> str:
        return self._store.incidents.state(self.incident.id)

    def set_state(self, state: str, note: str = "") -> None:
        with self._store.write() as tx:
            if self.incident.mode is Mode.LIVE:
                notices.add_end(tx, self.incident.id, state, note, self.room.clock())
            self._store.incidents.set_state(self.incident.id, state, note, tx=tx)

    def title(self, step: str) -> str:
        return self.room.steps[step].step.title

    # Looking ------------------------------------------------------------------------------------------------------------------

    def reads(self, stage: Stage) -> tuple[str, ...]:
        return tuple(s for s in stage.steps if self.room.steps[s].step.effect is Effect.READ)

    def changes(self, stage: Stage) -> tuple[LoadedStep, ...]:
        return tuple(self.room.steps[s] for s in stage.steps if self.room.steps[s].step.effect is not Effect.READ)

    def begin_round(self, number: int) -> None:
        """Fix the time of a round, once: everything in it is judged as of then. What the settings add to it is kept with it."""
        if not self.value(f"round-{number}"):
            own = self.room.settings.for_customer(self.incident.alert.customer_tenant_id)
            self.remember(
                f"settings-{number}", own.that_shape_a_plan() | partner.shape(self.incident, self.room.settings)
            )
            self.remember(f"round-{number}", self.room.clock().isoformat())

    def has_looked(self, stage: Stage, number: int) -> bool:
        """Whether the stage's reading steps are through. Those that failed are tried again until a plan was made from the round."""
        if not self.value(f"looked-{stage.id}-{number}"):
            return False
        rows = self._store.steps.list(self.incident.id)
        reads = set(self.reads(stage))
        unread = any(r.round == number and r.step in reads and r.state in ("failed", "skipped") for r in rows)
        return not unread or bool(self.value(f"planned-from-{number}"))

    def note_looked(self, stage: Stage, number: int) -> None:
        self.remember(f"looked-{stage.id}-{number}", True)

    def reading(self, stage: Stage, step: str, number: int) -> Callable[[], Awaitable[None]]:
        """Return the work of one reading step: collect or conclude, keep the facts, assess."""

        async def work() -> None:
            await self._read(stage, self.room.steps[step], number)

        return work

    async def _read(self, stage: Stage, loaded: LoadedStep, number: int) -> None:
        step, incident = loaded.step, self.incident.id
        if step.produces is not None and self._store.facts.load(incident, number, step.id, step.produces) is not None:
            return
        self._store.steps.begin(incident, number, stage.id, step.id)
        case = self.case(number)
        try:
            self._clouds.note_step(step.id, number)
            with working_on(incident=incident, step=step.id):
                facts = (
                    await loaded.collect(EyesOfRound(self._clouds.eyes, case.now), case)
                    if loaded.collect
                    else _conclude(loaded, case)
                )
        except (CredentialError, UnreachableError) as error:
            self._failed(number, stage, step.id, error)
            raise
        except NotCollectedError as error:
            self._store.steps.finish(incident, number, stage.id, step.id, "skipped", note=error.message)
            return
        except ResponseError as error:
            self._failed(number, stage, step.id, error)
            if step.id == _DOOR:
                raise
            return
        self._store.facts.save(incident, number, step.id, facts)
        if isinstance(facts, Attribution):
            seals.seal(self.room, incident, f"attribution-{number}", facts)
        findings = loaded.assess(facts, self.case(number)) if loaded.assess else []
        self._store.facts.save_findings(incident, number, step.id, findings)
        missed = "; ".join(f"not looked at: {n.what}" for n in facts.not_looked_at)
        self._store.steps.finish(incident, number, stage.id, step.id, "done", note=missed)

    def _failed(self, number: int, stage: Stage, step: str, error: ResponseError) -> None:
        self._store.steps.finish(self.incident.id, number, stage.id, step, "failed", note=error.message)

    def case(self, number: int, *, respect_left_out: bool = True) -> Case:
        """Everything known in a round, for pure functions. An undo passes over what was left out when it was to be done."""
        needed = sorted(
            {p for s in self.playbook.stages for name in s.steps for p in self.room.steps[name].step.permissions}
        )
        installation: dict[str, dict[str, Any]] = {_DOOR: {"needed_permissions": needed}}
        installation["recover.reactivate_entitlement"] = {
            "reactivation_days": self.room.settings.operations.reactivation_days
        }
        installation["investigate.sign_ins"] = {"api": self.room.settings.operations.sign_ins_api}
        installation |= partner.installation(self.room.settings)
        installation["investigate.attribution"] = {
            "known_good": [entry.model_dump(mode="json") for entry in self.room.settings.known_good]
        }
        if emails := self.room.settings.hardening.emails:
            for step in ("harden.alert_rules", "harden.security_contact", "harden.spending_alerts"):
                installation[step] = {"emails": list(emails)}
        if vault := self.room.settings.hand_over.vault:
            installation["contain.renew_secrets"] = {"vault": vault}
        if self.room.settings.contact is not None:
            installation["notify.support_ticket"] = {
                "contact": self.room.settings.contact.model_dump(exclude_none=True)
            }
        began = self.value(f"round-{number}")
        rows = self.journal_rows()
        return Case(
            incident=self.incident,
            playbook=self.playbook,
            now=datetime.fromisoformat(began) if began else self.room.clock(),
            facts=self._facts(number),
            outcomes=self._ends(rows),
            round=number,
            installation=installation,
            left_out=_left_out(rows) if respect_left_out else {},
            changed=_changed(rows),
            placed=placed(rows),
            operator=self.room.settings.protection.as_protection(),
        )

    def said(self, stage: Stage, attempt: int) -> dict[str, str]:  # noqa: ARG002 - a replay asks what was said before that plan
        """What people confirmed with their codes, by item, as it stands now; what was opened again counts as not said."""
        return said_of(self.room.confirmations.accepted(self.incident.id))

    def _facts(self, number: int) -> dict[type[Any], Any]:
        """The facts of a round, by their type."""
        found: dict[type[Any], Any] = {}
        there = self._store.facts.steps_with(self.incident.id, number)
        for name, loaded in self.room.steps.items():
            kind = loaded.step.produces
            if (
                kind is not None
                and name in there
                and (kept := self._store.facts.load(self.incident.id, number, name, kind)) is not None
            ):
                found[kind] = kept
        return found

    def not_looked_at(self, number: int) -> tuple[NotLookedAt, ...]:
        """What was in scope and not read in a round: said by the facts, and by steps that failed or were skipped."""
        case = self.case(number)
        missed: list[NotLookedAt] = []
        for loaded in self.room.steps.values():
            facts: Facts | None = case.get(loaded.step.produces) if loaded.step.produces else None
            missed += facts.not_looked_at if facts else ()
        for row in self._store.steps.list(self.incident.id):
            unread = row.round == number and row.state in ("failed", "skipped") and row.step in self.room.steps
            if unread and self.room.steps[row.step].step.effect is Effect.READ:
                missed.append(NotLookedAt(self.title(row.step), row.note))
        return tuple(dict.fromkeys(missed))

    def unseen(self, stage: Stage, number: int) -> tuple[str, ...]:
        """What a round could not read of the directory on which a stage's steps decide, in words."""
        case = self.case(number)
        kinds = dict.fromkeys(
            kind for loaded in self.changes(stage) if loaded.step.graph_permissions for kind in loaded.step.needs
        )
        known: list[Facts | None] = [case.get(kind) for kind in kinds]
        return tuple(dict.fromkeys(one.what for facts in known if facts is not None for one in facts.not_looked_at))

    # Planning and asking ------------------------------------------------------------------------------------------------------

    def next_stage(self, waiting: Sequence[Stage], number: int) -> Stage:
        """Which of the stages that are still to come is next when the newest round is `number`."""
        return order.next_stage(self, waiting, number) if self.incident.mode.may_write else waiting[0]

    def why_ask(self, stage: Stage, number: int) -> str:
        """Why people would be asked about the stage's first plan from round `number`, "" when it would go without them; nothing is kept."""
        plan = self._made(stage, 1, number)
        if not plan.actions:
            return "There is nothing to do."
        return self.room.desk.why_ask(self.incident, plan, self.gate_of(stage), self._vouched(number))

    def round_for(self, stage: Stage, attempt: int, number: int) -> int:  # noqa: ARG002 - a replay needs them
        """The round that a plan is made from when the newest is `number`."""
        return number

    def next_round(self, number: int, after: tuple[Stage, int] | None = None) -> int:
        """The round in which the world is looked at again after a stage's attempt, or at the end; `number` itself when it cannot be."""
        # An earlier try's last look says nothing of today.
        return number + 1 + (self._tries if after is None else 0)

    def asks(self, stage: Stage, attempt: int) -> bool:  # noqa: ARG002
        """Whether anybody is asked about a plan; else it is carried out by nobody."""
        return self.incident.mode.may_write

    def has_planned(self, stage: Stage, attempt: int) -> bool:
        return self._store.plans.for_stage(self.incident.id, stage.id, attempt) is not None

    def plan(self, stage: Stage, attempt: int, number: int) -> Plan:
        """The plan of a stage and attempt: loaded by digest when there is one, else made from the facts of round `number`."""
        digest = self._store.plans.for_stage(self.incident.id, stage.id, attempt)
        if digest is not None:
            kept = self._store.plans.load(digest)
            if kept.actions or (kept.complete and not kept.errored):
                return kept
            self._store.plans.set_aside(self.incident.id, kept)  # it could not see everything; perhaps it can now
        plan = self._made(stage, attempt, number)
        self._store.plans.save(self.incident.id, plan)
        seals.seal(self.room, self.incident.id, f"plan-{stage.id}-{attempt}", plan.digest)
        self.remember(f"facts-of-{stage.id}-{attempt}", number)
        if plan.actions:
            self.remember(f"planned-from-{number}", True)
        self.room.audit.append(
            self.incident.id,
            "plan.made",
            who="engine",
            data={"stage": stage.id, "round": attempt, "digest": plan.digest, "actions": len(plan.actions)},
        )
        return plan

    def _made(self, stage: Stage, attempt: int, number: int) -> Plan:
        """The plan of a stage and attempt as the facts of round `number` give it; it is not kept."""
        case = self.case(number).with_said(self.said(stage, attempt))
        plan = make_plan(case, stage=stage.id, steps=self.changes(stage), round=attempt, engine_version=__version__)
        if self.incident.alert.is_test and plan.actions:
            plan = msgspec.structs.replace(
                plan,
                applyable=False,
                over_limits=(),
                problems=(*plan.problems, "The alert is a test alert: nothing is carried out for it."),
            )
        return plan

    def refused(self, plan: Plan) -> GuardRailError:
        """Stop the incident because the plan may not be carried out; the error to raise."""
        why = " ".join(plan.problems) or "The plan is not applyable."
        self.set_state("stopped", f"{plan.stage}: {why}")
        self.room.audit.append(
            self.incident.id,
            "plan.refused",
            who="engine",
            data={"stage": plan.stage, "digest": plan.digest, "problems": list(plan.problems)},
        )
        return GuardRailError(
            f"The plan for {plan.stage} of {self.incident.id} was refused as a whole: {why}",
            rail="plan",
            hint=f"Nothing of it was done. See: firebreak incidents show {self.incident.id}. Raise the playbook's guard rails or act by hand.",
        )

    def blind(self, plan: Plan) -> ResponseError:
        """The error to raise for a plan that is empty because something could not be read: nothing found is not nothing there."""
        why = " ".join(plan.problems)
        return ResponseError(
            f"{plan.stage} of {self.incident.id} could not be planned: {why}",
            hint=f"Nothing was changed by this stage. Mend what could not be read (see firebreak incidents show {self.incident.id}), then go on with: "
            f"firebreak respond --incident {self.incident.id}",
        )

    def gate_of(self, stage: Stage) -> Gate:
        return self.gate(stage.gate)

    def gate(self, gate_id: str, number: int = 0) -> Gate:
        """One of the playbook's gates; that of undo `number` (0: the last) is made when the playbook has none, and knows who asked for it."""
        if gate_id != UNDO:
            return self.playbook.gates[gate_id]
        undos = undos_of(self._store, self.incident.id)
        asked = [undo.requested_by for undo in undos if number in (0, undo.number)]
        return undo_gate(self.playbook, asked[-1] if asked else "")

    def rounds(self) -> tuple[int, ...]:
        """The rounds in which anything was looked at, the oldest first."""
        reads = {name for name, loaded in self.room.steps.items() if loaded.step.effect is Effect.READ}
        return tuple(sorted({r.round for r in self._store.steps.list(self.incident.id) if r.step in reads}))

    def question(self, stage: Stage, attempt: int, number: int, page: Callable[[Engine, GateView], str]) -> Question:
        """The gate's current question about the stage's plan; `page` writes what its approvers read."""
        plan, gate = self.plan(stage, attempt, number), self.gate_of(stage)
        view = self.desk.open(self.incident, plan, gate, attempt, self._beforehand(plan, number))
        people = [p.name for p in self.room.approvers.who_may_answer(view.roles, self.incident)]
        return Question(view, plan, gate, page(self, view), tuple(people))

    def _beforehand(self, plan: Plan, number: int) -> Beforehand | None:
        """What may go without people rests on values that nobody has written into the database: only this engine's own count."""
        made_here = seals.is_sealed(self.room, self.incident.id, f"plan-{plan.stage}-{plan.round}", plan.digest)
        return self._vouched(number) if made_here else None

    def _vouched(self, number: int) -> Beforehand | None:
        """The attribution of a round, when this engine made it."""
        found = self.case(number).get(Attribution)
        if found is None:
            return None
        sealed = seals.is_sealed(self.room, self.incident.id, f"attribution-{number}", found)
        return Beforehand(playbook=self.playbook, attribution=found) if sealed else None

    # Acting -------------------------------------------------------------------------------------------------------------------

    def has_acted(self, stage: Stage, attempt: int) -> bool:
        return bool(self.value(f"acted-{stage.id}-{attempt}"))

    def note_acted(self, stage: Stage, attempt: int) -> None:
        self.remember(f"acted-{stage.id}-{attempt}", True)

    def why_undo_goes_first(self) -> LeaseLostError | None:
        """The error to raise when the response is to go on while an undo of it is open; nothing is noted of the incident."""
        undos = undos_of(self._store, self.incident.id)
        if not undos or undos[-1].has_ended:
            return None
        return LeaseLostError(
            f"{self.incident.id} is being undone (undo {undos[-1].number}, asked for by {undos[-1].requested_by}).",
            hint=f"Go on with it, or reject its gate: firebreak incidents undo {self.incident.id}",
        )

    def begin_run(self) -> None:
        """Note that a run begins. One that follows a failed run may try once more what did not end well, at a new gate."""
        if self.state == "failed":
            self.remember("tries-after-failure", self._tries + 1)
            self.set_state("open", "going on after a failure")

    def wants_more(self, stage: Stage, attempt: int) -> bool:
        """Whether the stage is to be planned once more after this attempt: its rounds, a stale target, or a failure that may be tried again.

        Decided once for each attempt and kept, so that every later run walks the same way.
        """
        key = f"more-{stage.id}-{attempt}"
        kept = self.value(key)
        extra = self._tries
        if kept is True or (kept is False and attempt >= stage.rounds + extra):
            return bool(kept)
        outcomes = self.outcomes(stage, attempt)
        stale = any(o.is_stale for o in outcomes) and attempt < stage.rounds + _FRESH_PLANS
        failed = any(not o.state.is_good and o.state is not ActionState.LEFT_OUT for o in outcomes)
        more = attempt < stage.rounds or stale or (failed and attempt < stage.rounds + extra)
        self.remember(key, more)
        return more

    def note_stage(self, stage: Stage, attempt: int, state: str, note: str) -> None:
        """Say how a stage ended that carried nothing out."""
        for loaded in self.changes(stage):
            if not any(
                r.step == loaded.step.id and r.stage == stage.id and r.state == "done"
                for r in self._store.steps.list(self.incident.id)
            ):
                self._store.steps.finish(self.incident.id, attempt, stage.id, loaded.step.id, state, note=note)

    def acting(self, stage: Stage, attempt: int, number: int, say: Say) -> Callable[[], Awaitable[None]]:
        """Return the work of carrying out an approved plan once."""

        async def work() -> None:
            plan = self.plan(stage, attempt, number)
            view = self.room.desk.open(self.incident, plan, self.gate_of(stage), attempt)
            approved = self.room.desk.bind(view.id, plan)
            used = {a.step for a in plan.actions}
            for loaded in self.changes(stage):
                self._store.steps.begin(self.incident.id, attempt, stage.id, loaded.step.id)
            # The newest run writes: one that was called crashed and goes on loses its lease here and stops before its next write.
            fresh = Fresh(self.case(number), self._clouds.eyes, self.room.clock)

            async def recheck(actions: Sequence[Action]) -> dict[str, str]:
                return {**overtaken(self, plan, actions), **await fresh.protects(actions)}

            lease = Lease.acquire(self._store, self.incident.id, self._run_id, clock=self.room.clock, take_over=True)
            self._clouds.note_step(stage.id, number)
            with working_on(incident=self.incident.id, step=stage.id):
                outcomes = await execute(
                    approved,
                    case=self.case(number),
                    steps=self.room.steps,
                    eyes=self._clouds.eyes,
                    hands=self._clouds.hands,
                    store=self._store,
                    lease=lease,
                    audit=self.room.audit,
                    clock=self.room.clock,
                    sleep=self.room.sleep,
                    recheck=recheck,
                    progress=lambda done, total, text: say(f"{stage.title}: {done}/{total} {text}".rstrip()),
                )
            by_step: dict[str, list[Outcome]] = {}
            steps_of = {a.id: a.step for a in plan.actions}
            for outcome in outcomes:
                by_step.setdefault(steps_of.get(outcome.action_id, ""), []).append(outcome)
            for loaded in self.changes(stage):
                ended = by_step.get(loaded.step.id, [])
                bad = [o for o in ended if not o.state.is_good and o.state != "left_out"]
                note = f"{len(ended) - len(bad)} of {len(ended)} actions ended well" if ended else "nothing to do"
                state = "failed" if bad else "done" if loaded.step.id in used else "skipped"
                took = None if loaded.step.id in used else 0.0
                self._store.steps.finish(
                    self.incident.id, attempt, stage.id, loaded.step.id, state, seconds=took, note=note
                )

        return work

    def outcomes(self, stage: Stage, attempt: int) -> tuple[Outcome, ...]:
        digest = self._store.plans.for_stage(self.incident.id, stage.id, attempt)
        ids = {a.id for a in self._store.plans.load(digest).actions} if digest else set()
        return tuple(o for o in self.ended().values() if o.action_id in ids)

    def anything_was_changed(self) -> bool:
        return any(o.state.is_good for o in self.ended().values())

    # Closing ----------------------------------------------------------------------------------------------------------------------

    def wants_last_look(self) -> bool:
        """Whether the world is looked at once more before the end: something was changed, or an earlier run left the attack going on."""
        return self.anything_was_changed() or self._tries > 0

    def end_state(self, number: int) -> str:
        """How the response ends whose last look is round `number`: done, stopped or failed."""
        return ending.end_state(self, number)

    def closing_note(self, state: str, number: int) -> str:
        """What is said beside the state at the end."""
        return ending.closing_note(self, state, number)

    def ended(self) -> dict[str, Outcome]:
        """What became of each action that has ended, by its id."""
        return self._ends(self.journal_rows())

    def _ends(self, rows: Iterable[JournalRow]) -> dict[str, Outcome]:
        return {row.action.id: row.outcome for row in rows if row.state.is_final}

    def journal_rows(self) -> list[JournalRow]:
        """What became of the actions so far."""
        return Journal(self._store, self.room.audit, self.room.clock).rows(self.incident.id)

    def value(self, key: str) -> Any:
        """What was remembered of this incident under a key, or None."""
        return self._store.values.get(self.incident.id, key)

    def remember(self, key: str, value: Any) -> None:
        """Keep a small value of this incident in the store."""
        self._store.values.set(self.incident.id, key, value)


def _conclude(loaded: LoadedStep, case: Case) -> Any:
    if loaded.conclude is None:
        raise NotCollectedError(
            f"{loaded.step.id} has neither collect nor conclude.", hint="Give the step one of them."
        )
    return loaded.conclude(case)


def _left_out(rows: Iterable[JournalRow]) -> dict[str, str]:
    return {
        row.action.target.lower(): "Left out by a person at an earlier gate of this incident: not proposed again."
        for row in rows
        if row.state is ActionState.LEFT_OUT and row.stage != UNDO
    }


def _changed(rows: Iterable[JournalRow]) -> dict[str, frozenset[str]]:
    kinds: dict[str, set[str]] = {}
    for row in rows:
        if row.state.is_good:
            kinds.setdefault(row.action.target.lower(), set()).add(row.action.kind)
    return {target: frozenset(found) for target, found in kinds.items()}
