"""What of the attacker's compute is billed, by one inventory and one judgement of it."""

from __future__ import annotations

from firebreak.analysis.rates import billed_units
from firebreak.model.facts import Attribution, Class, Inventory, Machine, ScaleSet


def attackers_compute(attribution: Attribution, inventory: Inventory) -> tuple[str, ...]:
    """Ids, in Azure's spelling, of the attacker's machines and scale sets that were not deallocated when the inventory was read.

    A machine whose power state is not told counts: it is billed until somebody has seen that it is not.
    """
    theirs = {judgement.id.lower() for judgement in attribution.resources if judgement.cls is Class.ATTACKER}
    items: list[Machine | ScaleSet] = [*inventory.machines, *inventory.scale_sets]
    return tuple(item.id for item in items if item.id.lower() in theirs and billed_units(item))
