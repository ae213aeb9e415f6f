"""How checks are made: one place decides between pass, fail and not looked at, and makes what Azure's names say plain."""

from __future__ import annotations

from collections.abc import Iterable

from firebreak.analysis.documents import shown
from firebreak.model.check import Check, CheckStatus
from firebreak.model.finding import NotLookedAt

_MOST = 8
_LONGEST = 300


def check(
    step: str,
    row: str,
    name: str,
    title: str,
    *,
    holds: bool | None,
    reason: str,
    evidence: Iterable[str] = (),
    advice: str = "",
) -> Check:
    """One check. `holds` None: it could not be looked at, and `reason` says why; a check that holds needs no advice."""
    seen = [shown(one, _LONGEST) for one in evidence if one]
    more = [f"and {len(seen) - _MOST} more"] if len(seen) > _MOST else []
    status = CheckStatus.NOT_LOOKED_AT if holds is None else CheckStatus.PASSED if holds else CheckStatus.FAILED
    return Check(
        id=name,
        row=row,
        step=step,
        title=title,
        status=status,
        reason=reason,
        evidence=(*seen[:_MOST], *more),
        advice="" if holds else advice,
    )


def why(notes: Iterable[NotLookedAt], *what: str) -> str:
    """Why something was not looked at, from the notes of a step whose `what` begins with one of these words."""
    found = [note.why for note in notes if note.what.startswith(what)]
    return f"Not looked at: {found[0].rstrip('.')}." if found else "Not looked at: it was not read in this run."
