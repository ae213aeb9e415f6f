"""What an investigation concluded, in counts: no name of anybody is in it, so that bundles can be compared whatever their names are. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from firebreak.bundle import Concluded
from firebreak.model.facts import Attribution, SpendFacts
from firebreak.model.finding import Finding
from firebreak.report.dossier import Dossier


class ConclusionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is concluded otherwise: how often then and now, or the verdict then and now."""

    what: str
    then: str
    now: str


def concluded_of(dossier: Dossier) -> Concluded:
    """Sum up the first look."""
    return concluded_from(dossier.findings, dossier.attribution, dossier.spend)


def concluded_from(findings: Iterable[Finding], found: Attribution | None, spend: SpendFacts | None) -> Concluded:
    """Sum up a look: the verdict, findings by kind and severity, who and what was judged how, days of unusual spend."""
    actors, resources = (found.actors, found.resources) if found else ((), ())
    points: Counter[str] = Counter()
    for one in actors:
        points[one.cls.value] += one.score
    return Concluded(
        verdict=found.verdict if found else "not_enough_evidence",
        findings=_counted(f"{one.step} {one.id.partition(':')[0]} {one.severity.value}" for one in findings),
        actors=_counted(one.cls.value for one in actors),
        resources=_counted(one.cls.value for one in resources),
        points=dict(sorted(points.items())),
        days_of_spend=len({flag.day for flag in spend.flagged}) if spend else 0,
        extra_spend=spend.extra_spend if spend else Decimal(0),
        incomplete_days=len(spend.incomplete_days) if spend else 0,
    )


def conclusions_changed(then: Concluded | None, now: Concluded) -> tuple[ConclusionChange, ...]:
    """What is concluded otherwise; nothing where no conclusions were accepted, or not this one."""
    if then is None:
        return ()
    if then.incomplete_days is msgspec.UNSET:
        now = msgspec.structs.replace(now, incomplete_days=msgspec.UNSET)
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
        "extra spend": str(one.extra_spend),
        **({} if one.incomplete_days is msgspec.UNSET else {"days not billed in full": str(one.incomplete_days)}),
        **{f"finding {name}": str(count) for name, count in one.findings.items()},
        **{f"actors judged {name}": str(count) for name, count in one.actors.items()},
        **{f"resources judged {name}": str(count) for name, count in one.resources.items()},
        **{f"points of actors judged {name}": str(count) for name, count in one.points.items()},
    }
