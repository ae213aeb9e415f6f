"""One incident recorded: the world of its recipe, a whole response to its alert, the product's export, and what it came to as what is expected."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from firebreak.bundle import ACCEPTED, accepting, open_bundle, put_file
from firebreak.replay import Policy, stage_replay
from firebreak.replay.result import result_of
from flows.replay import replay
from tasks.registry import load_steps
from tests.library.recipes import RECIPES
from tests.library.worlds import NOW
from tests.support.recorded import record

_WHO, _REASON = "the recorder of the library", "What was planned and concluded when the incident was recorded."


def record_one(name: str, folder: Path) -> str:
    """Record one incident into `folder` and return a line about it.

    Raises:
        RuntimeError: its replay does not give the plans that were decided; nothing is written then.
    """
    recipe = RECIPES[name]
    with tempfile.TemporaryDirectory() as scratch:
        made, ran = record(recipe.world(), Path(scratch), mode=recipe.mode, decide=recipe.decide)
        accept(made)
        fresh = folder / f".{name}.zip"
        fresh.write_bytes(made.read_bytes())
    place = fresh.replace(folder / f"{name}.zip")
    plans = ", ".join(f"{plan.stage} {len(plan.actions)}" for plan in ran.dossier.plans if plan.actions)
    return f"{name}: {place.stat().st_size:,} bytes, {ran.dossier.verdict}, {ran.state}; actions: {plans or 'none'}"


def accept(bundle: Path) -> None:
    """Put what its replay comes to into a fresh bundle, as what later replays are compared with."""
    with open_bundle(bundle) as opened, stage_replay(opened, load_steps()) as staged:
        one = result_of(bundle.name, staged, Policy.RECORDED, asyncio.run(replay(staged, lambda _: None)))
    if one.is_changed or one.missing:
        raise RuntimeError(f"{bundle}: its replay differs from what was decided, or asks what was not recorded.")
    told = one.acceptance(at=NOW, who=_WHO, reason=_REASON)
    put_file(bundle, ACCEPTED, accepting(None, told, {str(plan.digest): plan for plan in one.plans.values()}))
