"""Compute behind every platform service, made by real requests of somebody in a simulated world.

made = build_everywhere(world, owner.object_id, "rg-render")
made["frames"]            # the id of the Batch pool
"""

from __future__ import annotations

from typing import Any

from azure_simulator.app import call_as
from azure_simulator.world import World

VERSION = "2024-07-01"
SIZE = "Standard_NC24ads_A100_v4"
# The names under which `build_everywhere` returns what costs compute; the rest holds it.
COMPUTE = ("frames", "formula", "gpu-train", "notebook", "aks-render", "runner", "queue-worker", "asp-render")


def build_everywhere(
    world: World, principal: str, group: str, *, region: str = "westeurope", address: str = "203.0.113.9"
) -> dict[str, str]:
    """Make one of each kind in a group of its own; returns ids by name."""
    subscription = next(iter(world.subscriptions))
    base = f"{subscription}/resourceGroups/{group}/providers"
    pool: dict[str, Any] = {"vmSize": SIZE}
    fixed = {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 40, "resizeTimeout": "PT15M"}}
    formula = {"autoScale": {"formula": "$TargetDedicatedNodes = 8;", "evaluationInterval": "PT5M"}}
    scale = {"minNodeCount": 12, "maxNodeCount": 48}
    batch, studio = (
        f"{base}/Microsoft.Batch/batchAccounts/{group.replace('-', '')}",
        f"{base}/Microsoft.MachineLearningServices/workspaces/ws-{group}",
    )
    plan = f"{base}/Microsoft.Web/serverfarms/asp-render"
    here = {"location": region}
    made: dict[str, tuple[str, dict[str, Any]]] = {
        "account": (batch, here),
        "frames": (f"{batch}/pools/frames", {"properties": {**pool, "scaleSettings": fixed}}),
        "formula": (f"{batch}/pools/formula", {"properties": {**pool, "scaleSettings": formula}}),
        "workspace": (studio, {**here, "sku": {"name": "Basic"}}),
        "gpu-train": (
            f"{studio}/computes/gpu-train",
            {
                **here,
                "properties": {"computeType": "AmlCompute", "properties": {"vmSize": SIZE, "scaleSettings": scale}},
            },
        ),
        "notebook": (
            f"{studio}/computes/notebook",
            {**here, "properties": {"computeType": "ComputeInstance", "properties": {"vmSize": SIZE}}},
        ),
        "attached": (
            f"{studio}/computes/attached",
            {**here, "properties": {"computeType": "Kubernetes", "properties": {}}},
        ),
        "aks-render": (
            f"{base}/Microsoft.ContainerService/managedClusters/aks-render",
            {**here, "properties": {"agentPoolProfiles": [{"name": "gpu", "count": 3, "vmSize": "Standard_D8s_v5"}]}},
        ),
        "runner": (
            f"{base}/Microsoft.ContainerInstance/containerGroups/runner",
            {
                **here,
                "properties": {
                    "containers": [
                        {"name": "xmr", "properties": {"resources": {"requests": {"cpu": 4, "memoryInGB": 8}}}}
                    ]
                },
            },
        ),
        "asp-render": (plan, {**here, "sku": {"name": "P3v3", "tier": "PremiumV3", "capacity": 5}}),
        "queue-worker": (
            f"{base}/Microsoft.Web/sites/queue-worker",
            {**here, "kind": "functionapp,linux", "properties": {"serverFarmId": plan}},
        ),
    }
    namespaces = sorted({path.split("/providers/")[1].split("/")[0] for path, _ in made.values()})
    send(world, principal, "PUT", f"{subscription}/resourceGroups/{group}", here, address=address)
    for namespace in namespaces:
        send(world, principal, "POST", f"{subscription}/providers/{namespace}/register", {}, address=address)
    for path, body in made.values():
        world.clock.advance(30)
        send(world, principal, "PUT", path, body, address=address)
    world.settle()
    return {name: path for name, (path, _) in made.items()}


def send(
    world: World, principal: str, method: str, path: str, body: dict[str, Any], *, address: str = "203.0.113.9"
) -> None:
    """One request that has to succeed."""
    answer = call_as(world, principal, method, f"{path}?api-version={VERSION}", body or None, address=address)
    assert answer.status < 300, (method, path, answer.status, answer.body)


def is_billed(world: World, identity: str) -> bool:
    """Whether the world bills compute for what an id names."""
    document = world.resources.get(identity)
    if document is None:
        return False
    properties = document["properties"]
    inner = properties.get("properties") or {}
    kind = document["type"].rsplit("/", 1)[-1]
    return bool(
        {
            "pools": properties.get("currentDedicatedNodes") or properties.get("currentLowPriorityNodes"),
            "computes": inner.get("currentNodeCount") or inner.get("state") == "Running",
            "managedClusters": (properties.get("powerState") or {}).get("code") == "Running",
            "containerGroups": (properties.get("instanceView") or {}).get("state") == "Running",
            "sites": properties.get("state") == "Running",
            "serverfarms": True,
        }[kind]
    )
