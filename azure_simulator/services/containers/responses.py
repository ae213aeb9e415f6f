"""Clusters, container groups, Batch and Machine Learning over HTTP: stop, start, scale and delete."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response, page
from azure_simulator.services.compute.documents import body_of, listed, merge, remove, resource_id, stored
from azure_simulator.services.compute.operations import Finish, long_running
from azure_simulator.services.containers import creation, models, node_pools
from azure_simulator.services.containers.exceptions import (
    ClusterStateError,
    ComputeStateError,
    InvalidScaleError,
    PlanInUseError,
    PoolBeingResizedError,
)
from azure_simulator.world import Document, World, public


def _namespace(kind: str) -> str:
    return kind.split("/", 1)[0]


# Managed clusters --------------------------------------------------------------------------------------------------------


def stop_cluster(world: World, request: Request) -> Response:
    """Stop a cluster: its nodes are deallocated and stay so."""
    cluster = stored(world, request, models.CLUSTER)
    if not node_pools.is_running(cluster):
        raise ClusterStateError(cluster["name"], "Stopped", "stop")

    def stopped() -> None:
        cluster["properties"]["provisioningState"] = "Succeeded"
        node_pools.set_power(world, cluster, "deallocated")
        world.changed("cluster.stopped", cluster)

    return _switch(world, request, cluster, "Stopped", "Stopping", stopped)


def start_cluster(world: World, request: Request) -> Response:
    """Start a stopped cluster and its nodes."""
    cluster = stored(world, request, models.CLUSTER)
    if node_pools.is_running(cluster):
        raise ClusterStateError(cluster["name"], "Running", "start")

    def started() -> None:
        cluster["properties"]["provisioningState"] = "Succeeded"
        node_pools.set_power(world, cluster, "running")

    return _switch(world, request, cluster, "Running", "Starting", started)


def _switch(world: World, request: Request, cluster: Document, power: str, during: str, finish: Finish) -> Response:
    def show(code: str) -> None:
        cluster["properties"]["powerState"] = {"code": code}
        for pool in cluster["properties"].get("agentPoolProfiles") or []:
            pool["powerState"] = {"code": code}

    other = "Running" if power == "Stopped" else "Stopped"
    response = long_running(
        world, request, cluster, finish, namespace=_namespace(models.CLUSTER), undo=lambda: show(other)
    )
    show(power)
    if cluster.get("_operation"):
        cluster["properties"]["provisioningState"] = during
    return response


def delete_cluster(world: World, request: Request) -> Response:
    """Delete a cluster with its node resource group and everything in it; 204 when it is absent."""
    cluster = world.resources.get(resource_id(request, models.CLUSTER))
    if cluster is None:
        return Response(204)

    def deleted() -> None:
        group = node_pools.node_group(cluster)
        if cluster["properties"].get("nodeResourceGroup"):
            remove(world, group)
            world.groups.pop(group, None)
        remove(world, cluster["id"])
        world.changed("cluster.deleted", cluster)

    response = long_running(world, request, cluster, deleted, namespace=_namespace(models.CLUSTER))
    cluster["properties"]["provisioningState"] = "Deleting"
    return response


# Container groups --------------------------------------------------------------------------------------------------------


def switch_group(state: str, status: int) -> Handler:
    """The handler that stops (204, at once) or starts (202) a container group."""

    def handle(world: World, request: Request) -> Response:
        group = stored(world, request, models.CONTAINER_GROUP)
        group["properties"].setdefault("instanceView", {})["state"] = state
        for container in group["properties"].get("containers") or []:
            current = (container.get("properties") or {}).get("instanceView", {}).get("currentState")
            if isinstance(current, dict):
                current["state"] = "Running" if state == "Running" else "Terminated"
        if status == 202:
            return long_running(world, request, group, lambda: None, namespace=_namespace(models.CONTAINER_GROUP))
        world.changed("container_group.stopped", group)
        return Response(status)

    return handle


def delete_group(world: World, request: Request) -> Response:
    """Delete a container group: 200 with what was deleted, 204 when absent."""
    group = world.resources.get(resource_id(request, models.CONTAINER_GROUP))
    if group is None:
        return Response(204)
    remove(world, group["id"])
    world.changed("container_group.deleted", group)
    return Response(200, public(group))


# Nested types: Batch pools, Machine Learning computes --------------------------------------------------------------------


def list_children(parent: str, kind: str) -> Handler:
    """The handler that lists the children of one parent."""

    def handle(world: World, request: Request) -> Response:
        owner = stored(world, request, parent)
        return page(world, request, world.resources.of_type(kind, owner["id"]), wrap=public)

    return handle


def list_groups(world: World, request: Request) -> Response:
    """Container groups; a list does not tell their state."""

    def brief(group: Document) -> Document:
        shown = public(group)
        return shown | {"properties": {k: v for k, v in shown["properties"].items() if k != "instanceView"}}

    return page(world, request, listed(world, request, models.CONTAINER_GROUP), wrap=brief)


def delete_long(kind: str, notice: str) -> Handler:
    """The handler that deletes a document and what is below it: 202, or 204 when absent."""

    def handle(world: World, request: Request) -> Response:
        document = world.resources.get(resource_id(request, kind))
        if document is None:
            return Response(204)

        def deleted() -> None:
            remove(world, document["id"])
            world.changed(notice, document)

        response = long_running(world, request, document, deleted, namespace=_namespace(kind))
        document["properties"]["provisioningState"] = "Deleting"
        return response

    return handle


def patch_pool(world: World, request: Request) -> Response:
    """Change a Batch pool. Scale settings are replaced as a whole, and not while a resize is under way."""
    pool = stored(world, request, models.BATCH_POOL)
    change = dict(body_of(request).get("properties") or {})
    scale = change.pop("scaleSettings", None)
    merge(pool["properties"], change)
    if isinstance(scale, dict):
        if pool["properties"].get("allocationState") == "Resizing":
            raise PoolBeingResizedError(pool["name"])
        before = pool["properties"].get("scaleSettings")
        pool["properties"]["scaleSettings"] = scale
        try:
            creation.resize(world, pool)
        except InvalidScaleError:
            pool["properties"]["scaleSettings"] = before
            raise
        if not any((scale.get("fixedScale") or {}).get(k) for k in ("targetDedicatedNodes", "targetLowPriorityNodes")):
            world.changed("batch_pool.scaled", pool)
    return Response(200, public(pool))


def stop_resize(world: World, request: Request) -> Response:
    """Stop a resize: the pool stays as large as it is."""
    pool = stored(world, request, models.BATCH_POOL)
    pool["properties"]["allocationState"] = "Steady"
    return Response(200, public(pool))


def switch_compute(state: str) -> Handler:
    """The handler that stops or starts a Machine Learning compute instance."""

    def handle(world: World, request: Request) -> Response:
        compute = stored(world, request, models.ML_COMPUTE)
        kind = str(compute["properties"].get("computeType", ""))
        if kind != "ComputeInstance":
            raise ComputeStateError(compute["name"], kind)

        def done() -> None:
            compute["properties"].setdefault("properties", {})["state"] = state
            world.changed("ml_compute.stopped" if state == "Stopped" else "ml_compute.started", compute)

        return long_running(world, request, compute, done, namespace=_namespace(models.ML_COMPUTE))

    return handle


def patch_compute(world: World, request: Request) -> Response:
    """Scale a Machine Learning cluster: nodes above the new maximum leave."""
    compute = stored(world, request, models.ML_COMPUTE)
    change = body_of(request).get("properties") or {}
    settings = (change.get("properties") or {}).get("scaleSettings") or change.get("scaleSettings") or {}
    if not isinstance(settings.get("maxNodeCount", 0), int):
        raise InvalidScaleError("properties.properties.scaleSettings.maxNodeCount")
    inner = compute["properties"].setdefault("properties", {})
    merge(inner.setdefault("scaleSettings", {}), settings)
    if "maxNodeCount" in settings:
        limit = settings["maxNodeCount"]
        inner["currentNodeCount"] = min(int(inner.get("currentNodeCount", 0)), limit)
        inner["targetNodeCount"] = min(int(inner.get("targetNodeCount", 0)), limit)
        inner["scaleSettings"]["minNodeCount"] = min(int(inner["scaleSettings"].get("minNodeCount", 0)), limit)
        least = inner["scaleSettings"]["minNodeCount"]
        inner["currentNodeCount"] = inner["targetNodeCount"] = max(inner["currentNodeCount"], least)
        if not limit:
            world.changed("ml_compute.scaled", compute)
    return Response(200, public(compute))


# Sites and vaults --------------------------------------------------------------------------------------------------------


def switch_site(state: str) -> Handler:
    """The handler that stops or starts a web or function app."""

    def handle(world: World, request: Request) -> Response:
        site = stored(world, request, models.SITE)
        site["properties"]["state"] = state
        if state == "Stopped":
            world.changed("site.stopped", site)
        return Response(200)

    return handle


def delete_site(world: World, request: Request) -> Response:
    """Delete an app, and with the last one its plan unless `deleteEmptyServerFarm` is false; 204 when it is absent."""
    site = world.resources.get(resource_id(request, models.SITE))
    if site is None:
        return Response(204)
    remove(world, site["id"])
    plan = str(site["properties"].get("serverFarmId", ""))
    if plan and request.q("deleteEmptyServerFarm").lower() != "false" and not _sites_on(world, plan):
        remove(world, plan)
    world.changed("site.deleted", site)
    return Response(200)


def delete_plan(world: World, request: Request) -> Response:
    """Delete an App Service plan without apps: 409 while one runs on it, 204 when it is absent."""
    plan = world.resources.get(resource_id(request, models.PLAN))
    if plan is None:
        return Response(204)
    if _sites_on(world, plan["id"]):
        raise PlanInUseError(plan["name"])
    remove(world, plan["id"])
    world.changed("plan.deleted", plan)
    return Response(200)


def _sites_on(world: World, plan: str) -> list[Document]:
    subscription = "/".join(plan.split("/")[:3])
    sites = world.resources.of_type(models.SITE, subscription)
    return [site for site in sites if str(site["properties"].get("serverFarmId", "")).lower() == plan.lower()]


def list_protected_items(world: World, request: Request) -> Response:
    """What a vault protects."""
    vault = stored(world, request, models.VAULT)
    return page(world, request, world.resources.of_type(models.PROTECTED_ITEM, vault["id"]), wrap=public)
