"""The nodes of managed clusters: scale sets in the node resource group. A running cluster puts back what is stopped behind its back."""

from __future__ import annotations

from azure_simulator.services.compute import scale_sets
from azure_simulator.services.compute.quota import SCALE_SET
from azure_simulator.services.containers.models import CLUSTER
from azure_simulator.world import Document, World

DELAY_SECONDS = 240


def node_group(cluster: Document) -> str:
    """The id of the cluster's node resource group."""
    subscription = "/".join(cluster["id"].split("/")[:3])
    return f"{subscription}/resourceGroups/{cluster['properties'].get('nodeResourceGroup', '')}"


def node_sets(world: World, cluster: Document) -> list[Document]:
    """The cluster's node scale sets."""
    return world.resources.of_type(SCALE_SET, node_group(cluster))


def cluster_of(world: World, scale_set: Document) -> Document | None:
    """The cluster whose node resource group a scale set lives in."""
    group = scale_set["id"].lower().split("/providers/", 1)[0]
    subscription = "/".join(group.split("/")[:3])
    return next((c for c in world.resources.of_type(CLUSTER, subscription) if node_group(c).lower() == group), None)


def is_running(cluster: Document) -> bool:
    """Whether the cluster is meant to run."""
    return str((cluster["properties"].get("powerState") or {}).get("code", "Running")) == "Running"


def set_power(world: World, cluster: Document, state: str) -> None:
    """Put every node into a power state."""
    for scale_set in node_sets(world, cluster):
        scale_sets.set_power(world, scale_set, list(scale_sets.instances(world, scale_set)), state)


def react(world: World, what: str, document: Document) -> None:
    """Look again in some minutes when a node scale set was stopped or scaled and no client asked the cluster for it."""
    if what not in ("scale_set.stopped", "scale_set.scaled") or document.get("_reconciling"):
        return
    cluster = cluster_of(world, document)
    if cluster is not None and is_running(cluster):
        document["_reconciling"] = True
        world.later(DELAY_SECONDS, lambda: reconcile(world, cluster, document))


def wanted_nodes(cluster: Document, scale_set: Document) -> int:
    """How many nodes the pool should have; without a pool of that name, as many as the set has instances."""
    pool = str((scale_set.get("tags") or {}).get("aks-managed-poolName", "")).lower()
    for profile in cluster["properties"].get("agentPoolProfiles") or []:
        if pool and str(profile.get("name", "")).lower() == pool:
            return int(profile.get("count", 0))
    return scale_sets.capacity(scale_set)


def reconcile(world: World, cluster: Document, scale_set: Document) -> None:
    """Start the nodes again and add missing ones, unless the cluster was stopped or deleted meanwhile."""
    scale_set.pop("_reconciling", None)
    if world.resources.get(scale_set["id"]) is not scale_set or world.resources.get(cluster["id"]) is not cluster:
        return
    if not is_running(cluster):
        return
    if scale_set.get("_operation"):
        react(world, "scale_set.stopped", scale_set)
        return
    idle = [
        i
        for i, row in scale_sets.instances(world, scale_set).items()
        if row.get("_power") in ("deallocated", "stopped")
    ]
    scale_sets.set_power(world, scale_set, idle, "running")
    missing = wanted_nodes(cluster, scale_set) - len(scale_sets.instances(world, scale_set))
    if missing > 0:
        scale_sets.grow(world, scale_set, len(scale_sets.instances(world, scale_set)) + missing)
    if idle or missing > 0:
        world.changed("scale_set.restored", scale_set)
