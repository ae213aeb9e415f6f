"""The report on the partner's own tenant, from the store: the checks of this run and of the earlier ones."""

from __future__ import annotations

from typing import Final

import msgspec

from firebreak.engine.engine import Engine
from firebreak.engine.gather import checks_of, gather
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
    )


def keep(engine: Engine, posture: Posture) -> None:
    """Leave the statuses of this run for the next one."""
    engine.remember(_CHECKS, msgspec.to_builtins(posture.row))


def _past(engine: Engine) -> tuple[PastChecks, ...]:
    """The earlier runs about the same tenant that wrote a report, oldest first; at most a dozen."""
    store, mine = engine.room.store, engine.incident
    found = []
    for row in store.incidents.list():
        other = row.incident
        if other.id == mine.id or not other.alert.is_about_partner or other.opened_at >= mine.opened_at:
            continue
        if other.subscription_id == mine.subscription_id and (kept := store.values.get(other.id, _CHECKS)):
            found.append(msgspec.convert(kept, PastChecks))
    return tuple(sorted(found, key=lambda one: one.at)[-_MOST:])
