"""A redacted bundle whose plans were made from it: both bundles are replayed, and compared up to the pseudonyms."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from firebreak.bundle import Bundle, Concluded, open_bundle, write_bundle
from firebreak.model.plan import Plan
from firebreak.model.step import LoadedStep
from firebreak.redact import Redaction
from firebreak.redact.records import adopt, same_but_for_sentences
from firebreak.replay import Point, stage_replay
from firebreak.replay.concluded import concluded_of
from flows.replay import replay


@dataclass(frozen=True)
class Tried:
    """What a replay gave: plans, conclusions in counts, and what it asked that the record does not tell."""

    plans: dict[Point, Plan]
    concluded: Concluded
    missing: int


@dataclass(frozen=True)
class Redacted:
    """What a redaction came to. `differs` names the plans and conclusions that the redacted evidence does not give; empty when all are the same."""

    redaction: Redaction
    files: dict[str, bytes]
    differs: tuple[str, ...]
    then: Tried
    now: Tried


def redact(bundle: Bundle, key: bytes, steps: Mapping[str, LoadedStep], say: Callable[[str], None]) -> Redacted:
    """Redact an open bundle and try it.

    Raises:
        BundleError, IntegrityError: the bundle is damaged, or holds nothing to replay.
    """
    say("Collecting and replacing names ...")
    redaction = Redaction(bundle, key)
    recorded = redaction.plans()
    say("Replaying both ...")
    then = _tried(bundle, steps)
    with tempfile.TemporaryDirectory(prefix="firebreak-redact-") as folder:
        trial = write_bundle(redaction.files(recorded), Path(folder) / "trial")
        with open_bundle(trial) as fresh:
            now = _tried(fresh, steps)
    chosen, differs = dict(recorded), []
    accepted = bundle.accepted
    for plans, parts in (
        (bundle.plans, bundle.head.plans),
        (accepted.plans, accepted.last.plans) if accepted else ({}, ()),
    ):
        for part in parts:
            point, old = Point(part.stage, part.attempt), part.digest
            chosen[old] = adopt(plans[old], then.plans.get(point), recorded[old], now.plans.get(point))
    for point in {**then.plans, **now.plans}:
        wanted = redaction.plan(then.plans[point]) if point in then.plans else None
        if wanted is None or point not in now.plans or not same_but_for_sentences(wanted, now.plans[point]):
            differs.append(str(point))
    for digest, plan in {**bundle.plans, **(accepted.plans if accepted else {})}.items():
        redaction.follow(plan, chosen[digest])
    if then.concluded != now.concluded:
        differs.append("conclusions")
    if then.missing != now.missing:
        differs.append("what was not recorded")
    return Redacted(redaction, redaction.files(chosen, same=not differs), tuple(differs), then, now)


def _tried(bundle: Bundle, steps: Mapping[str, LoadedStep]) -> Tried:
    with stage_replay(bundle, steps) as staged:
        dossier = asyncio.run(replay(staged, lambda _: None))
        plans = {Point(plan.stage, plan.round): plan for plan in dossier.plans}
        return Tried(plans, concluded_of(dossier), len(staged.missing))
