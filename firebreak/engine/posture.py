"""The report of a run that checks, from the store: the checks of this run and of the earlier ones on the same tenant or subscription."""

from __future__ import annotations

from typing import Final

import msgspec

from firebreak.engine.engine import Engine
from firebreak.engine.gather import checks_of, gather
from firebreak.model.check import Checked
from firebreak.model.hardening import DefenderFacts
from firebreak.model.partner import PartnerScore
from firebreak.report.dossier import Dossier
from firebreak.report.posture import PastChecks, Posture

_MOST: Final = 12  # earlier runs that are shown
LAST_ROUND: Final = "last-round"
_CHECKS: Final = "checks"  # what a run leaves for the next one to compare with


def posture_of(engine: Engine, number: int, dossier: Dossier | None = None) -> Posture:
    """Everything that the report tells, as of round `number`; `dossier` when it is gathered already."""
    found = dossier or gather(engine, number)
    first = checks_of(engine, 1)
    return Posture(
        dossier=found,
        checks=found.checks,
        first=first if number > 1 else (),
        past=_past(engine),
        score=engine.case(number).get(PartnerScore),
        secure_score=defender.score if (defender := engine.case(number).get(DefenderFacts)) is not None else None,
    )


def tells_checks(engine: Engine) -> bool:
    """Whether the run is told as a check rather than as a response: about the partner, or by a playbook that contains and eradicates nothing
    and has steps that check.
    """
    if engine.incident.alert.is_about_partner:
        return True
    steps = [engine.room.steps[name].step for stage in engine.playbook.stages for name in stage.steps]
    responds = any(step.id.split(".")[0] in ("contain", "eradicate") for step in steps)
    return not responds and any(step.produces is not None and issubclass(step.produces, Checked) for step in steps)


def keep(engine: Engine, posture: Posture) -> None:
    """Leave the statuses of this run for the next one."""
    engine.remember(_CHECKS, msgspec.to_builtins(posture.row))


def _past(engine: Engine) -> tuple[PastChecks, ...]:
    """The earlier runs of the same playbook about the same tenant or subscription that wrote a report, oldest first; at most a dozen."""
    store, mine = engine.room.store, engine.incident
    found = []
    for row in store.incidents.list():
        other = row.incident
        if other.id == mine.id or other.playbook != mine.playbook or other.opened_at >= mine.opened_at:
            continue
        if other.subscription_id == mine.subscription_id and (kept := store.values.get(other.id, _CHECKS)):
            found.append(msgspec.convert(kept, PastChecks))
    return tuple(sorted(found, key=lambda one: one.at)[-_MOST:])
