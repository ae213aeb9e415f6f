"""Who hears of a stop, a deletion or a scaling: the world's listeners, then what Azure itself does about it."""

from __future__ import annotations

from azure_simulator.services.containers import node_pools
from azure_simulator.services.monitor import autoscale
from azure_simulator.world import Document, World


def tell(world: World, what: str, document: Document) -> None:
    """Announce `what` ("machine.stopped", "scale_set.scaled" ...). Autoscale and managed clusters may put it back minutes later."""
    world.changed(what, document)
    autoscale.react(world, what, document)
    node_pools.react(world, what, document)
