"""Worlds of the embedded Azure as the library records them: thinned to what a bundle in a repository can hold, and attacked further where no
scenario has the attack.
"""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

from azure_simulator import build, call_as
from azure_simulator.clock import stamp
from azure_simulator.faults import Fault
from azure_simulator.services.graph.store import table
from azure_simulator.world import World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
_RECENT = timedelta(days=2)
_DAYS = 3
_SIGN_INS = 30  # of those before, one in so many stays
_EARLIER = timedelta(hours=4)  # before the alert, when what no scenario has begins


def thinned(scenario: str, *, seed: int, now: datetime = NOW, scale: int = 1) -> World:
    """A scenario that keeps its last two days whole, and of every third day before one operation of each caller at each address.

    So who worked from where and what they do stays as it was: that is what an investigation asks of the past. Of sign-ins few are kept.
    """
    world = build(scenario, seed=seed, now=now, scale=scale)
    recent = (now - _RECENT).isoformat()[:19]
    kept: set[str] = set()
    seen: set[tuple[str, ...]] = set()
    for event in world.events:
        at, correlation = str(event["eventTimestamp"]), str(event["correlationId"])
        caller, address = str(event["caller"]), str(event["claims"].get("ipaddr", ""))
        once: set[tuple[str, ...]] = {(caller, str(event["operationName"]["value"]))}
        if date.fromisoformat(at[:10]).toordinal() % _DAYS == 0:
            once.add((at[:10], caller, address))
        if at[:19] >= recent or once - seen:
            kept.add(correlation)
        seen |= once
    world.events[:] = [event for event in world.events if str(event["correlationId"]) in kept]
    world.fill("graph.signIns")
    attackers = {row["principal_id"] for row in world.truth["attackers"]}
    rows = table(world, "signIns")
    for name in list(rows):
        row = rows[name]
        is_old = row["createdDateTime"][:19] < recent and row.get("userId") not in attackers
        if is_old and zlib.crc32(name.encode()) % _SIGN_INS:
            del rows[name]
    return world


def batch_and_machine_learning(seed: int) -> World:
    """A stolen Owner's session that mines where no machine shows: Batch pools and Machine Learning clusters, made by real requests."""
    world = thinned("quiet-persistence", seed=seed, now=NOW - _EARLIER)
    thief = world.truth["attackers"][0]
    subscription = next(iter(world.subscriptions))
    region = world.truth["regions"][0]
    group = f"{subscription}/resourceGroups/rg-render-farm"
    provider = f"{group}/providers"
    batch = f"{provider}/Microsoft.Batch/batchAccounts/renderfarm01"
    studio = f"{provider}/Microsoft.MachineLearningServices/workspaces/ws-training"
    pool: dict[str, Any] = {
        "vmSize": "STANDARD_NC24ADS_A100_V4",
        "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0, "targetLowPriorityNodes": 40}},
    }
    cluster: dict[str, Any] = {
        "computeType": "AmlCompute",
        "properties": {"vmSize": "STANDARD_NC24ADS_A100_V4", "scaleSettings": {"minNodeCount": 12, "maxNodeCount": 48}},
    }
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{subscription}/providers/Microsoft.Batch/register", {}),
        ("POST", f"{subscription}/providers/Microsoft.MachineLearningServices/register", {}),
        ("PUT", group, {"location": region}),
        ("PUT", batch, {"location": region}),
        ("PUT", f"{batch}/pools/frames", {"properties": pool}),
        ("PUT", f"{batch}/pools/frames-2", {"properties": pool}),
        ("PUT", studio, {"location": region, "sku": {"name": "Basic"}}),
        ("PUT", f"{studio}/computes/gpu-train", {"location": region, "properties": cluster}),
        ("PUT", f"{studio}/computes/gpu-train-2", {"location": region, "properties": cluster}),
    ]
    for method, path, body in calls:
        world.clock.advance(150)
        answer = call_as(
            world,
            thief["principal_id"],
            method,
            f"{path}?api-version=2024-07-01",
            body or None,
            address=thief["addresses"][0],
        )
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {answer.body!r}")
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.settle()
    made = [path for method, path, _ in calls if method == "PUT" and path != group]
    world.truth["rogue"] += made
    world.truth["rogue_groups"].append(group)
    world.truth["verdict"] = "fraud"
    _alert(
        world,
        alertType="AzureBatch_AnomalousDeployment",
        displayName="Action required: unusual Azure Batch deployment",
        description="Batch pools of GPU machines were created in a region that the subscription did not use before.",
        severity="high",
        affectedResources=[{"resourceId": batch, "resourceType": "AzureResource"}],
        additionalDetails={"PoolCount": "2"},
        firstObservedDateTime=stamp(NOW - timedelta(hours=3)),
        lastObservedDateTime=stamp(NOW - timedelta(hours=2)),
        detectedDateTime=stamp(NOW - timedelta(minutes=90)),
    )
    return world


def hidden_behind_tags(seed: int) -> World:
    """A hijacked Owner who copies the tags that the playbook protects onto two of the own machines."""
    world = thinned("hijacked-owner", seed=seed)
    machines = [name for name in world.truth["rogue_compute"] if "/virtualmachines/" in name.lower()]
    for name, tags in zip(sorted(machines), ({"firebreak": "protected"}, {"do-not-touch": "finance"}), strict=False):
        world.resources[name]["tags"] = tags
    return world


def inside_a_locked_group(seed: int) -> World:
    """A leaked pipeline secret; what the thief built in a group of the company's lies under a lock that the company put there a year ago."""
    world = thinned("service-principal-abuse", seed=seed)
    own = {name.lower() for name in world.truth["rogue_groups"]}
    groups = ["/".join(name.split("/")[:5]) for name in world.truth["rogue_compute"]]
    group = next(name for name in groups if name.lower() not in own)
    lock = f"{group}/providers/Microsoft.Authorization/locks/do-not-delete"
    model = next(iter(world.locks.values()))
    world.locks[lock] = {**model, "id": lock, "name": "do-not-delete"}
    return world


def _alert(world: World, **changes: Any) -> None:
    """Change the world's one alert."""
    next(iter(world.alerts.values())).update(changes)


def under_strain(seed: int) -> World:
    """A pipeline run that mines, answered by a cloud at its limits: token buckets, 429 and 503 answers, cut-off pages, broken connections."""
    world = thinned("insider-automation", seed=seed)
    world.throttling = True
    world.faults += [
        Fault(kind="throttle", method="GET", url="/subscriptions/", rate=0.05, retry_after=4),
        Fault(kind="status", status=503, method="GET", url="/subscriptions/", rate=0.04),
        Fault(kind="drop_before", method="GET", url="/resources|/disks|/virtualMachines", rate=0.05),
        Fault(kind="truncate_page", method="GET", url="Microsoft.Insights/eventtypes", every=9),
        Fault(kind="drop_after", method="POST", url="/deallocate", times=2),
        Fault(kind="error_after", status=500, method="PUT", url="policyAssignments", times=1),
        # One question that is never answered: the plan has to say so, and to do without.
        Fault(kind="status", status=500, method="GET", url="locations/northeurope/usages"),
    ]
    return world
