"""What happens to a subscription that is switched off or on: whoever does it, the portal, ARM or the partner."""

from __future__ import annotations

from azure_simulator.world import Document, World

MACHINES = "Microsoft.Compute/virtualMachines"
SCALE_SETS = "Microsoft.Compute/virtualMachineScaleSets"


def disable(world: World, subscription: str, state: str = "Disabled") -> None:
    """Set the state and deallocate every machine and scale set instance. Nothing is deleted; listeners hear it."""
    scope = f"/subscriptions/{subscription}"
    document = world.subscriptions.get(scope)
    if document is None:
        return
    document["state"] = state
    for machine in world.resources.of_type(MACHINES, scope):
        _deallocate(machine)
    for scale_set in world.resources.of_type(SCALE_SETS, scope):
        for instance in (scale_set.get("_instances") or {}).values():
            _deallocate(instance)
    world.changed("subscription.disabled", document)


def enable(world: World, subscription: str) -> None:
    """Set the state to Enabled; machines stay deallocated until somebody starts them."""
    document = world.subscriptions.get(f"/subscriptions/{subscription}")
    if document is None:
        return
    document["state"] = "Enabled"
    world.changed("subscription.enabled", document)


def _deallocate(machine: Document) -> None:
    machine["_power"] = "deallocated"
