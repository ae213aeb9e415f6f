"""What comes to be with a PUT: nodes of pools and clusters, node groups, running containers and apps."""

from __future__ import annotations

import re

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.compute import scale_sets
from azure_simulator.services.compute.documents import body_of, putter, resource_id
from azure_simulator.services.compute.quota import SCALE_SET
from azure_simulator.services.containers import models, node_pools
from azure_simulator.services.containers.exceptions import InvalidScaleError, PlanNotFoundError
from azure_simulator.world import Document, World, public

_FORMULA = re.compile(r"\$Target(Dedicated|LowPriority)(?:Nodes)?\s*=\s*(\d+)", re.IGNORECASE)


def created(kind: str, *, tracked: bool = True) -> Handler:
    """The handler that creates or replaces a document and lets a new one begin to run."""
    put = putter(kind, tracked=tracked)
    begin = {
        models.BATCH_POOL: _begin_pool,
        models.ML_COMPUTE: _begin_compute,
        models.CLUSTER: _begin_cluster,
        models.CONTAINER_GROUP: _begin_group,
        models.SITE: _begin_site,
    }[kind]

    def handle(world: World, request: Request) -> Response:
        if kind == models.SITE:
            _check_plan(world, request)
        answer = put(world, request)
        document = world.resources[resource_id(request, kind)]
        if answer.status == 201:
            begin(world, document)
            world.settle()
        return Response(answer.status, public(document))

    return handle


def resize(world: World, pool: Document) -> None:
    """Let a pool's nodes follow its scale settings: at once a resize, at its end the nodes.

    Raises:
        InvalidScaleError: 400, targets that are no numbers.
    """
    properties = pool["properties"]
    settings = properties.get("scaleSettings") or {}
    fixed, formula = settings.get("fixedScale"), (settings.get("autoScale") or {}).get("formula")
    if isinstance(fixed, dict):
        targets = [fixed.get(k, 0) for k in ("targetDedicatedNodes", "targetLowPriorityNodes")]
        if any(not isinstance(t, int) or t < 0 for t in targets):
            raise InvalidScaleError("properties.scaleSettings.fixedScale")
    elif isinstance(formula, str):
        wanted = {name.lower(): int(count) for name, count in _FORMULA.findall(formula)}
        targets = [wanted.get("dedicated", 0), wanted.get("lowpriority", 0)]
    else:
        return
    properties["allocationState"] = "Resizing"

    def resized() -> None:
        if properties.get("allocationState") == "Resizing":
            properties["currentDedicatedNodes"], properties["currentLowPriorityNodes"] = targets
            properties["allocationState"] = "Steady"

    world.later(world.operation_seconds, resized)
    world.settle()


def _begin_pool(world: World, pool: Document) -> None:
    properties = pool["properties"]
    properties["creationTime"] = stamp(world.clock.now())
    properties.setdefault("allocationState", "Steady")
    for name in ("currentDedicatedNodes", "currentLowPriorityNodes"):
        properties.setdefault(name, 0)
    resize(world, pool)


def _begin_compute(world: World, compute: Document) -> None:
    properties = compute["properties"]
    properties["createdOn"] = stamp(world.clock.now())
    inner = properties.setdefault("properties", {})
    if properties.get("computeType") == "ComputeInstance":
        inner.setdefault("state", "Running")
    elif properties.get("computeType") == "AmlCompute":
        least = int((inner.get("scaleSettings") or {}).get("minNodeCount", 0))
        inner.setdefault("currentNodeCount", least)
        inner.setdefault("targetNodeCount", least)
        inner.setdefault("allocationState", "Steady")


def _begin_cluster(world: World, cluster: Document) -> None:
    properties = cluster["properties"]
    properties.setdefault("powerState", {"code": "Running"})
    group = cluster["id"].split("/")[4]
    properties.setdefault("nodeResourceGroup", f"MC_{group}_{cluster['name']}_{cluster.get('location', '')}")
    nodes = node_pools.node_group(cluster)
    if nodes not in world.groups:
        world.groups[nodes] = {
            "id": nodes,
            "name": nodes.rsplit("/", 1)[-1],
            "type": "Microsoft.Resources/resourceGroups",
            "location": cluster.get("location", ""),
            "managedBy": cluster["id"],
            "properties": {"provisioningState": "Succeeded"},
        }
    for pool in properties.get("agentPoolProfiles") or []:
        pool.setdefault("powerState", {"code": "Running"})
        _node_set(world, cluster, pool)


def _node_set(world: World, cluster: Document, pool: Document) -> None:
    name = f"aks-{pool.get('name', 'pool')}-{world.chance.randrange(10**7, 10**8)}-vmss"
    now = stamp(world.clock.now())
    profile = {"priority": pool["scaleSetPriority"]} if pool.get("scaleSetPriority") else {}
    document: Document = {
        "id": f"{node_pools.node_group(cluster)}/providers/{SCALE_SET}/{name}",
        "name": name,
        "type": SCALE_SET,
        "location": cluster.get("location", ""),
        "managedBy": cluster["id"],
        "sku": {"name": pool.get("vmSize", "Standard_D4s_v5"), "tier": "Standard", "capacity": 0},
        "tags": {"aks-managed-poolName": pool.get("name", "")},
        "properties": {
            "orchestrationMode": "Uniform",
            "uniqueId": world.chance.guid(),
            "timeCreated": now,
            "provisioningState": "Succeeded",
            "virtualMachineProfile": profile,
        },
        "_created": now,
        "_instances": {},
    }
    world.resources[document["id"]] = document
    scale_sets.grow(world, document, int(pool.get("count", 0)))


def _begin_group(_: World, group: Document) -> None:
    group["properties"].setdefault("instanceView", {"state": "Running", "events": []})


def _check_plan(world: World, request: Request) -> None:
    plan = str((body_of(request).get("properties") or {}).get("serverFarmId", ""))
    if plan and plan not in world.resources:
        raise PlanNotFoundError(plan)


def _begin_site(_: World, site: Document) -> None:
    site["properties"].setdefault("state", "Running")
