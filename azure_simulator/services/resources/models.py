"""What a group holds and what becomes of it; the generic envelope of a resource."""

from __future__ import annotations

from azure_simulator import arm
from azure_simulator.services.resources.exceptions import ResourceGroupNotFoundError
from azure_simulator.world import Document, World

ENVELOPE = (
    "id",
    "name",
    "type",
    "location",
    "tags",
    "kind",
    "sku",
    "plan",
    "managedBy",
    "identity",
    "zones",
    "extendedLocation",
    "systemData",
)
_NOTICES = {
    "microsoft.compute/virtualmachines": "machine.deleted",
    "microsoft.compute/virtualmachinescalesets": "scale_set.deleted",
    "microsoft.compute/disks": "disk.deleted",
    "microsoft.compute/snapshots": "snapshot.deleted",
    "microsoft.containerservice/managedclusters": "cluster.deleted",
    "microsoft.containerinstance/containergroups": "container_group.deleted",
}


def group(world: World, subscription_id: str, name: str) -> Document:
    """A resource group.

    Raises:
        ResourceGroupNotFoundError: 404.
    """
    row = world.groups.get(f"/subscriptions/{subscription_id}/resourceGroups/{name}")
    if row is None:
        raise ResourceGroupNotFoundError(name)
    return row


def is_listed(row: Document) -> bool:
    """True for what the generic list shows: top-level resources and machine extensions, no other children."""
    kind = str(row.get("type", ""))
    return kind.count("/") == 1 or kind.lower() == "microsoft.compute/virtualmachines/extensions"


def envelope(row: Document, expand: set[str]) -> Document:
    """A resource as the generic list answers it, with the times and state that `$expand` asks for."""
    shown = {key: row[key] for key in ENVELOPE if key in row}
    properties = row.get("properties") or {}
    created = row.get("_created") or properties.get("timeCreated") or (row.get("systemData") or {}).get("createdAt")
    if "createdtime" in expand and created:
        shown["createdTime"] = created
    if "changedtime" in expand and created:
        shown["changedTime"] = row.get("_changed") or created
    if "provisioningstate" in expand:
        shown["provisioningState"] = properties.get("provisioningState", "Succeeded")
    return shown


def remove_below(world: World, scope: str) -> None:
    """Delete everything at or below the scope: resources, and the assignments, locks and budgets on them. Listeners are told."""
    for row in world.resources.below(scope):
        del world.resources[row["id"]]
        notice = _NOTICES.get(str(row.get("type", "")).lower())
        world.changed(notice or "resource.deleted", row)
    for table in (world.role_assignments, world.policy_assignments, world.locks, world.budgets):
        for key in list(table):
            if arm.covers(scope, arm.scope_of(key)):
                del table[key]


def remove_group(world: World, row: Document) -> None:
    """Delete a group with all it holds."""
    remove_below(world, row["id"])
    world.groups.pop(row["id"], None)
    world.changed("group.deleted", row)
