"""What of the attacker's compute is billed, by one inventory and one judgement of it."""

from __future__ import annotations

from typing import Final

from firebreak.analysis.rates import billed_units
from firebreak.model.facts import Attribution, Class, Inventory, Machine, ScaleSet
from firebreak.model.platform import Kind, PlatformCompute

# Kinds of actions after which a thing costs no compute any more.
ENDS_BILLING: Final = (
    "machine.deallocate",
    "machine.delete",
    "scale_set.deallocate",
    "scale_set.delete",
    *(f"{kind}.{verb}" for kind in Kind for verb in ("stop", "scale_to_zero", "delete")),
)


def attackers_compute(
    attribution: Attribution, inventory: Inventory, platform: PlatformCompute | None = None
) -> tuple[str, ...]:
    """Ids, in Azure's spelling, of the attacker's compute that was billed when it was read: machines, scale sets, and what platform
    services run.

    A machine whose power state is not told counts: it is billed until somebody has seen that it is not. The nodes of a cluster that
    was read count as the cluster: that is what can be stopped.
    """
    theirs = {judgement.id.lower() for judgement in attribution.resources if judgement.cls is Class.ATTACKER}
    items: list[Machine | ScaleSet] = [*inventory.machines, *inventory.scale_sets]
    billed = [item.id for item in items if billed_units(item) and not keeper_read(item, platform)]
    billed += [one.id for one in (platform.items if platform else ()) if one.is_billed]
    return tuple(identity for identity in billed if identity.lower() in theirs)


def keeper_read(item: Machine | ScaleSet, platform: PlatformCompute | None) -> str:
    """The id, in lower case, of the Kubernetes cluster that keeps a scale set, where that cluster itself was read; "" otherwise."""
    keeper = item.managed_by if isinstance(item, ScaleSet) else ""
    found = platform.of(keeper) if platform is not None and keeper.startswith("/") else None
    return found.id.lower() if found is not None and found.kind is Kind.CLUSTER else ""
