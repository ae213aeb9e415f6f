"""The shipped incidents: which world each is recorded from, and how its people answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from azure_simulator.world import World
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Decide, approve_or_skip
from tests.library.samples import attack_techniques, recorded_estate
from tests.library.sessions import many_hands, young_tenant
from tests.library.worlds import (
    batch_and_machine_learning,
    hidden_behind_tags,
    inside_a_locked_group,
    thinned,
    under_strain,
)


@dataclass(frozen=True)
class Recipe:
    """How one bundle is made."""

    world: Callable[[], World]
    mode: Mode = Mode.LIVE
    decide: Decide = approve_or_skip


RECIPES: Mapping[str, Recipe] = {
    "stolen-token-mining": Recipe(lambda: thinned("crypto-mining", seed=7)),
    "leaked-pipeline-secret": Recipe(lambda: inside_a_locked_group(14)),
    "hijacked-owner": Recipe(lambda: hidden_behind_tags(5)),
    "batch-and-machine-learning": Recipe(lambda: batch_and_machine_learning(3)),
    "false-alarm": Recipe(lambda: thinned("false-alarm", seed=7)),
    "quiet-persistence": Recipe(lambda: thinned("quiet-persistence", seed=7)),
    "large-hostile-names": Recipe(lambda: thinned("hostile-names", seed=7, scale=4), mode=Mode.DRY_RUN),
    "throttled-cloud": Recipe(lambda: under_strain(7)),
    "many-hands": Recipe(lambda: many_hands(3)),
    "young-tenant": Recipe(lambda: young_tenant(8)),
    "public-attack-techniques": Recipe(lambda: attack_techniques(8)),
    "public-recorded-estate": Recipe(lambda: recorded_estate(9)),
}
