"""Autoscale at work: an enabled setting brings its scale set back to the profile's minimum some minutes after it fell below."""

from __future__ import annotations

from azure_simulator.events import event
from azure_simulator.services.compute import scale_sets
from azure_simulator.world import Document, Principal, World

SETTING = "Microsoft.Insights/autoscaleSettings"
DELAY_SECONDS = 300
_ENGINE = Principal("", "ServicePrincipal", SETTING, upn=SETTING)


def minimum(setting: Document) -> int:
    """The smallest capacity of the setting's first (default) profile; the wire has it as a string."""
    profiles = setting["properties"].get("profiles") or []
    return int((profiles[0].get("capacity") or {}).get("minimum", 0)) if profiles else 0


def settings_for(world: World, scale_set_id: str) -> list[Document]:
    """Enabled settings whose target is that scale set."""
    wanted = scale_set_id.lower()
    return [
        s
        for s in world.resources.of_type(SETTING, "/".join(wanted.split("/")[:3]))
        if s["properties"].get("enabled", True) and str(s["properties"].get("targetResourceUri", "")).lower() == wanted
    ]


def react(world: World, what: str, document: Document) -> None:
    """Look again in some minutes when a scale set was stopped or scaled, or a member machine was stopped or deleted."""
    if what in ("scale_set.stopped", "scale_set.scaled"):
        target = document["id"]
    elif what in ("machine.stopped", "machine.deleted"):
        target = str((document["properties"].get("virtualMachineScaleSet") or {}).get("id", ""))
    else:
        return
    for setting in settings_for(world, target) if target else []:
        watch(world, setting)


def watch(world: World, setting: Document) -> None:
    """Evaluate a setting after the usual delay, once however often it is asked meanwhile."""
    if not setting.get("_watching"):
        setting["_watching"] = True
        world.later(DELAY_SECONDS, lambda: evaluate(world, setting))


def evaluate(world: World, setting: Document) -> None:
    """Restore the minimum, unless the setting is gone or off, or its scale set is gone."""
    setting.pop("_watching", None)
    if world.resources.get(setting["id"]) is not setting or not setting["properties"].get("enabled", True):
        return
    scale_set = world.resources.get(str(setting["properties"].get("targetResourceUri", "")))
    wanted = minimum(setting)
    if scale_set is None:
        return
    if scale_set.get("_operation"):
        watch(world, setting)
        return
    before = scale_sets.running(world, scale_set)
    if before >= wanted:
        return
    idle = [
        i
        for i, row in scale_sets.instances(world, scale_set).items()
        if row.get("_power") in ("deallocated", "stopped")
    ]
    scale_sets.set_power(world, scale_set, idle[: wanted - before], "running")
    missing = wanted - scale_sets.running(world, scale_set)
    if missing > 0:
        scale_sets.grow(world, scale_set, len(scale_sets.instances(world, scale_set)) + missing)
    _record(world, setting, scale_set, before, wanted)
    world.changed("scale_set.restored", scale_set)


def _record(world: World, setting: Document, scale_set: Document, before: int, after: int) -> None:
    now = world.clock.now()
    description = f"The autoscale engine attempting to scale resource '{scale_set['id']}' from {before} instances count to {after} instances count."
    world.events.append(
        event(
            world.chance,
            at=now,
            operation="Microsoft.Insights/AutoscaleSettings/Scaleup/Action",
            resource_id=setting["id"],
            principal=_ENGINE,
            address="",
            status="Succeeded",
            correlation_id=world.chance.guid(),
            subscription_id=scale_set["id"].split("/")[2],
            tenant_id=world.tenant_id,
            method="POST",
            category="Autoscale",
            properties={
                "Description": description,
                "ResourceName": scale_set["id"],
                "OldInstancesCount": str(before),
                "NewInstancesCount": str(after),
                "LastScaleActionTime": now.isoformat(),
            },
        )
    )
