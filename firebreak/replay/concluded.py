"""What an investigation concluded, in counts: no name of anybody is in it, so that bundles can be compared whatever their names are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from firebreak.bundle import Concluded
from firebreak.report.dossier import Dossier


class ConclusionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is concluded otherwise: how often then and now, or the verdict then and now."""

    what: str
    then: str
    now: str


def concluded_of(dossier: Dossier) -> Concluded:
    """Sum up the first look: the verdict, findings by kind and severity, who and what was judged how, days of unusual spend."""
    found, spend = dossier.attribution, dossier.spend
    return Concluded(
        verdict=dossier.verdict,
        findings=_counted(f"{one.step} {one.id.partition(':')[0]} {one.severity.value}" for one in dossier.findings),
        actors=_counted(one.cls.value for one in found.actors) if found else {},
        resources=_counted(one.cls.value for one in found.resources) if found else {},
        days_of_spend=len({flag.day for flag in spend.flagged}) if spend else 0,
    )


def conclusions_changed(then: Concluded | None, now: Concluded) -> tuple[ConclusionChange, ...]:
    """What is concluded otherwise; nothing where no conclusions were accepted."""
    if then is None:
        return ()
    was, is_now = _flat(then), _flat(now)
    return tuple(
        ConclusionChange(what=what, then=was.get(what, "0"), now=is_now.get(what, "0"))
        for what in sorted({*was, *is_now})
        if was.get(what, "0") != is_now.get(what, "0")
    )


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _flat(one: Concluded) -> dict[str, str]:
    return {
        "verdict": one.verdict,
        "days of unusual spend": str(one.days_of_spend),
        **{f"finding {name}": str(count) for name, count in one.findings.items()},
        **{f"actors judged {name}": str(count) for name, count in one.actors.items()},
        **{f"resources judged {name}": str(count) for name, count in one.resources.items()},
    }
