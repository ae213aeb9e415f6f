"""Documents of platform services to `Compute`: whether a pool, cluster, container group or app runs, and what of it is billed. Pure.

Read by the step that lists them and again by the steps that stop them, so that both judge alike. Sources: the REST references of Batch
(Pool), Machine Learning (Compute), Container Service (Managed Clusters), Container Instances and App Service on learn.microsoft.com/rest/api.
"""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.platform import Compute, Kind, Power

_ENDED_GROUPS = frozenset({"stopped", "succeeded", "failed"})
_FREE_PLANS = frozenset(
    {"free", "shared", "dynamic"}
)  # no charge for capacity: nothing, shared minutes, or by execution
_INSTANCE_POWER = {
    "stopped": Power.STOPPED,
    "stopping": Power.STOPPING,
    "starting": Power.STARTING,
    "createfailed": Power.STOPPED,
    "setupfailed": Power.STOPPED,
}


def batch_pool(document: Any, *, region: str, version: str) -> Compute:
    """A pool of a Batch account. Its region is the account's; low-priority nodes are Spot capacity."""
    properties = doc.mapping(document, "properties")
    scale = doc.mapping(properties, "scaleSettings")
    fixed = doc.mapping(scale, "fixedScale")
    dedicated, low = (
        max(doc.whole(properties, f"current{name}Nodes"), doc.whole(fixed, f"target{name}Nodes"))
        for name in ("Dedicated", "LowPriority")
    )
    current = doc.whole(properties, "currentDedicatedNodes") + doc.whole(properties, "currentLowPriorityNodes")
    wanted = doc.whole(fixed, "targetDedicatedNodes") + doc.whole(fixed, "targetLowPriorityNodes")
    by_formula = bool(doc.mapping(scale, "autoScale"))
    if by_formula:
        power = Power.RUNNING if current else Power.IDLE
    elif wanted:
        power = Power.RUNNING
    else:
        power = Power.STOPPING if current else Power.STOPPED
    return Compute(
        **_envelope(document, Kind.BATCH_POOL, version, doc.text(properties, "creationTime"), region),
        power=power,
        size=doc.text(properties, "vmSize"),
        priority="Spot" if low and not dedicated else "Regular",
        nodes=current if by_formula or power is Power.STOPPING else dedicated + low,
        is_resizing=doc.text(properties, "allocationState").lower() in ("resizing", "stopping"),
        settings={"scaleSettings": scale} if scale else {},
        caveats=("A formula sizes it: it is replaced by a fixed size of nothing.",) if by_formula else (),
    )


def machine_learning(document: Any, *, region: str, version: str) -> Compute | None:
    """A compute of a Machine Learning workspace; None for attached computes, which live somewhere else."""
    properties = doc.mapping(document, "properties")
    inner = doc.mapping(properties, "properties")
    kind = doc.text(properties, "computeType").lower()
    region = doc.region_name(doc.text(properties, "computeLocation")) or region
    created = doc.text(properties, "createdOn")
    if kind == "amlcompute":
        return _ml_cluster(document, inner, version, created, region)
    if kind != "computeinstance":
        return None
    power = _INSTANCE_POWER.get(doc.text(inner, "state").lower(), Power.RUNNING)
    return Compute(
        **_envelope(document, Kind.ML_INSTANCE, version, created, region),
        power=power,
        size=doc.text(inner, "vmSize"),
        nodes=0 if power is Power.STOPPED else 1,
        caveats=("A schedule starts it again.",) if _starts_itself(inner) else (),
    )


def _ml_cluster(document: Any, inner: Any, version: str, created: str, region: str) -> Compute:
    scale = doc.mapping(inner, "scaleSettings")
    current, target = doc.whole(inner, "currentNodeCount"), doc.whole(inner, "targetNodeCount")
    if not doc.whole(scale, "maxNodeCount"):
        power = Power.STOPPING if current else Power.STOPPED
    else:
        power = Power.RUNNING if current or target else Power.IDLE
    return Compute(
        **_envelope(document, Kind.ML_CLUSTER, version, created, region),
        power=power,
        size=doc.text(inner, "vmSize"),
        priority="Spot" if doc.text(inner, "vmPriority").lower() == "lowpriority" else "Regular",
        nodes=max(current, target if power is Power.RUNNING else 0),
        is_resizing=doc.text(inner, "allocationState").lower() == "resizing",
        settings={"scaleSettings": scale} if scale else {},
        caveats=("A node leaves when its job ends: cancel the job in the studio, or delete the cluster.",)
        if current
        else (),
    )


def _starts_itself(inner: Any) -> bool:
    rows = doc.items(inner, "schedules", "computeStartStop")
    return any(
        doc.text(row, "action").lower() == "start" and doc.text(row, "status").lower() != "disabled" for row in rows
    )


def managed_cluster(document: Any, *, version: str) -> Compute:
    """A Kubernetes cluster. Its nodes are scale sets of the inventory, which carry the price."""
    properties = doc.mapping(document, "properties")
    during = doc.text(properties, "provisioningState").lower()
    stopped = doc.text(properties, "powerState", "code").lower() == "stopped"
    power = {"stopping": Power.STOPPING, "starting": Power.STARTING}.get(
        during, Power.STOPPED if stopped else Power.RUNNING
    )
    pools = doc.items(properties, "agentPoolProfiles")
    count = sum(doc.whole(pool, "count") for pool in pools if doc.text(pool, "powerState", "code").lower() != "stopped")
    return Compute(
        **_envelope(document, Kind.CLUSTER, version),
        power=power,
        size=", ".join(sorted({size for pool in pools if (size := doc.text(pool, "vmSize"))})),
        nodes=0 if power is Power.STOPPED else count or 1,
        priority="Spot" if pools and all(_is_spot(pool) for pool in pools) else "Regular",
        settings={"nodeResourceGroup": doc.text(properties, "nodeResourceGroup")},
    )


def _is_spot(pool: Any) -> bool:
    return doc.text(pool, "scaleSetPriority").lower() == "spot"


def container_group(document: Any, *, version: str) -> Compute:
    """A container group. A list of them does not tell the state: read it alone."""
    properties = doc.mapping(document, "properties")
    state = doc.text(properties, "instanceView", "state").lower()
    power = Power.STOPPED if state in _ENDED_GROUPS else Power.RUNNING
    cores = sum(
        (doc.amount(doc.field(one, "properties", "resources", "requests", "cpu")) or 0)
        for one in doc.items(properties, "containers")
    )
    return Compute(
        **_envelope(document, Kind.CONTAINER_GROUP, version),
        power=power if state else Power.UNKNOWN,
        size=f"{cores:f} cores" if cores else "",
        nodes=0 if power is Power.STOPPED else 1,
        priority=doc.text(properties, "priority") or "Regular",
    )


def site(document: Any, *, version: str) -> Compute:
    """A web or function app or a slot of one. The plan is billed, not the app."""
    properties = doc.mapping(document, "properties")
    state = doc.text(properties, "state").lower()
    plan = doc.path(properties, "serverFarmId")
    return Compute(
        **_envelope(document, Kind.SITE, version),
        power=Power.STOPPED if state == "stopped" else Power.RUNNING if state else Power.UNKNOWN,
        parent=plan,
        size="functions" if "functionapp" in doc.text(document, "kind").lower() else "web app",
        caveats=("Its plan goes on costing until that is deleted.",) if plan else (),
    )


def plan(document: Any, *, version: str) -> Compute:
    """An App Service plan: billed for its capacity whether its apps run or not, unless it is free or billed by execution."""
    tier = doc.text(document, "sku", "tier")
    free = tier.lower() in _FREE_PLANS
    return Compute(
        **_envelope(document, Kind.PLAN, version),
        power=Power.STOPPED if free else Power.RUNNING,
        size=" ".join(part for part in (tier, doc.text(document, "sku", "name")) if part),
        nodes=0 if free else max(1, doc.whole(document, "sku", "capacity")),
        priority="Spot" if doc.field(document, "properties", "isSpot") is True else "Regular",
    )


def _envelope(document: Any, kind: Kind, version: str, created: str = "", region: str = "") -> dict[str, Any]:
    name = doc.path(document, "id")
    return {
        "id": name,
        "kind": kind,
        "name": (doc.text(document, "name") or name).rsplit("/", 1)[-1],
        "region": doc.region_name(doc.text(document, "location")) or region,
        "created_at": doc.moment(created or doc.text(document, "systemData", "createdAt")),
        "tags": doc.tags(document),
        "version": version,
    }
