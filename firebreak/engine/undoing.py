"""The moves of one undo: look again, plan the inverses, and say how it ended. Asking and acting are the engine's, as for any stage.

Every method may be called again after a crash: what the store already holds is loaded, never made twice.
"""

from __future__ import annotations

import msgspec

from firebreak import __version__
from firebreak.engine.engine import Engine
from firebreak.engine.undos import Undo, ask_for_undo, save_undo, undos_of
from firebreak.errors import GuardRailError, NotCollectedError
from firebreak.execution import Journal
from firebreak.execution.undo import Selection, inverse_plan
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import UNDO, Action, Plan
from firebreak.model.playbook import Stage

_FIRST_LOOK = 1000  # far above the rounds of a response, which must never take an undo's look for its own
_FIRST_TRIAL = 100_000
_MAY_BE_UNDONE = ("done", "stopped", "failed")


class Undoing:
    """One undo of one incident. `trial` plans only: nothing of it is kept but what was read."""

    def __init__(self, engine: Engine, undo: Undo, *, trial: bool = False) -> None:
        self.engine, self.undo = engine, undo
        self._trial = trial
        if trial:
            count = int(engine.value("undo-trials") or 0) + 1
            engine.remember("undo-trials", count)
            self.before = self.after = _FIRST_TRIAL + count
        else:
            self.before = _FIRST_LOOK + 2 * undo.number - 1
            self.after = self.before + 1

    @property
    def number(self) -> int:
        return self.undo.number

    def stage(self, plan: Plan) -> Stage:
        """The plan's actions as a stage of the incident."""
        steps = tuple(dict.fromkeys(action.step for action in plan.actions))
        return Stage(id=UNDO, title=f"Take back, undo {self.number}", steps=steps, gate=UNDO)

    def kept(self) -> Plan | None:
        """The plan that people were or will be asked about, when there is one."""
        digest = self.engine.room.store.plans.for_stage(self.engine.incident.id, UNDO, self.number)
        return self.engine.room.store.plans.load(digest) if digest is not None else None

    def plan(self) -> Plan:
        """The inverses of what stands, made once from a fresh look and kept by digest; a trial's is not kept.

        Raises:
            ContentError: the selection names what this incident did not do.
        """
        kept = None if self._trial else self.kept()
        if kept is not None:
            return kept
        engine = self.engine
        selection = Selection(only=self.undo.only, stages=self.undo.stages, include_attacker=self.undo.include_attacker)
        plan = inverse_plan(
            engine.case(self.before, respect_left_out=False),
            Journal(engine.room.store, engine.room.audit, engine.room.clock).rows(engine.incident.id),
            engine.room.steps,
            round=self.number,
            engine_version=__version__,
            selection=selection,
            whose=self._whose(),
        )
        if not self._trial:
            engine.room.store.plans.save(engine.incident.id, plan)
            engine.remember(f"facts-of-{UNDO}-{self.number}", self.before)
            engine.room.audit.append(
                engine.incident.id,
                "plan.made",
                who=self.undo.requested_by,
                data={"stage": UNDO, "round": self.number, "digest": plan.digest, "actions": len(plan.actions)},
            )
        return plan

    def _whose(self) -> _Owners:
        rounds = [n for n in self.engine.rounds() if n <= self.before]
        return _Owners(self.engine, [self.engine.case(n) for n in reversed(rounds)])

    def refused(self, plan: Plan) -> GuardRailError:
        """The error to raise for a plan that may not be carried out."""
        why = " ".join(plan.problems) or "The plan is not applyable."
        self.end("refused", why)
        return GuardRailError(
            f"Undo {self.number} of {self.engine.incident.id} was refused as a whole: {why}",
            rail="plan",
            hint="Nothing of it was done. Choose less with --only or --stage, or act by hand.",
        )

    def outcomes(self, plan: Plan) -> tuple[Outcome, ...]:
        return self.engine.outcomes(self.stage(plan), self.number)

    def end(self, state: str, note: str) -> None:
        """Say how the undo ended; it stays so."""
        store, incident = self.engine.room.store, self.engine.incident.id
        self.undo = msgspec.structs.replace(self.undo, state=state, note=note)
        save_undo(store, incident, self.undo)
        data = {"undo": self.number, "state": state, "note": note}
        self.engine.room.audit.append(incident, "undo.ended", who=self.undo.requested_by, data=data)


class _Owners:
    """Whose a target was: the newest look that knows decides; what was deleted is known only to older ones."""

    def __init__(self, engine: Engine, cases: list[Case]) -> None:
        self._steps, self._cases = engine.room.steps, cases

    def __call__(self, action: Action) -> Class:
        loaded = self._steps.get(action.step)
        for case in self._cases:
            attribution = case.get(Attribution)
            if attribution is None:
                continue
            try:
                found = loaded.whose(action, case) if loaded is not None and loaded.whose is not None else None
            except NotCollectedError:
                continue
            judged = attribution.of(action.target)
            known = found if found is not None else judged.cls if judged is not None else Class.UNKNOWN
            if known is not Class.UNKNOWN:
                return Class(known)
        return Class.UNKNOWN


def why_not_now(engine: Engine) -> str:
    """Why nothing of this incident can be taken back at present, "" when it can."""
    if engine.state not in _MAY_BE_UNDONE:
        return f"{engine.incident.id} is {engine.state}: its response has not ended."
    return ""


def check_request(engine: Engine, wanted: Undo) -> None:
    """Refuse what cannot be taken back now, before anything is read or kept.

    Raises:
        GuardRailError: the response has not ended.
        ContentError: the request names actions or stages that the incident does not have.
    """
    incident = engine.incident.id
    if why := why_not_now(engine):
        raise GuardRailError(
            why,
            rail="running",
            hint=f"Let it end, or reject its gate (firebreak gates list). A run that died goes on with: firebreak respond --incident {incident}",
        )
    rows = Journal(engine.room.store, engine.room.audit, engine.room.clock).rows(incident)
    Selection(only=wanted.only, stages=wanted.stages).check(rows)


def begin_undo(engine: Engine, wanted: Undo) -> Undo:
    """Keep the request, or return the one that is open and asks for the same; who asked is in the audit log.

    Raises:
        GuardRailError: the response has not ended.
        ContentError: another undo is open, or the request names actions or stages that the incident does not have.
    """
    check_request(engine, wanted)
    incident, store = engine.incident.id, engine.room.store
    known = len(undos_of(store, incident))
    undo = ask_for_undo(store, incident, wanted)
    if undo.number > known:
        data = {"undo": undo.number, "only": list(undo.only), "stages": list(undo.stages)}
        data |= {"include_attacker": undo.include_attacker}
        engine.room.audit.append(incident, "undo.requested", who=undo.requested_by, data=data)
    return undo


def closing_words(outcomes: tuple[Outcome, ...]) -> tuple[str, str]:
    """The state and the note of an undo that was carried out."""
    tried = [o for o in outcomes if o.state is not ActionState.LEFT_OUT]
    good = [o for o in tried if o.state.is_good]
    note = f"{len(good)} of {len(tried)} actions ended well"
    return ("done" if len(good) == len(tried) else "failed"), note
