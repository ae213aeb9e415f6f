"""Scale sets: their instances, scaling and power. Uniform sets keep instances in `_instances`; those of Flexible sets are machines.

Nothing here tells anybody: `scale_set_responses` announces what clients did, autoscale and managed clusters what they did.
"""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.services.compute import models, power, quota
from azure_simulator.services.compute.documents import remove
from azure_simulator.services.compute.exceptions import InvalidParameterError
from azure_simulator.services.compute.quota import MACHINE
from azure_simulator.world import Document, World, public

INSTANCE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"


def is_flexible(scale_set: Document) -> bool:
    """Whether its instances are plain machines."""
    return str(scale_set["properties"].get("orchestrationMode", "Uniform")).lower() == "flexible"


def capacity(scale_set: Document) -> int:
    """How many instances it should have."""
    return int((scale_set.get("sku") or {}).get("capacity") or 0)


def size_name(scale_set: Document) -> str:
    """Its machine size."""
    return str((scale_set.get("sku") or {}).get("name", ""))


def members(world: World, scale_set: Document) -> list[Document]:
    """The machines of a Flexible set."""
    wanted = scale_set["id"].lower()
    below = wanted.split("/providers/", 1)[0]
    return [
        m
        for m in world.resources.of_type(MACHINE, below)
        if str((m["properties"].get("virtualMachineScaleSet") or {}).get("id", "")).lower() == wanted
    ]


def instances(world: World, scale_set: Document) -> dict[str, Document]:
    """Instances by id. Of a Flexible set they are its machines by name; a set stored without instances gets `capacity` running ones."""
    if is_flexible(scale_set):
        return {m["name"]: m for m in members(world, scale_set)}
    if "_instances" not in scale_set:
        scale_set["_instances"] = {}
        _add(world, scale_set, capacity(scale_set), "running")
    found: dict[str, Document] = scale_set["_instances"]
    return found


def running(world: World, scale_set: Document) -> int:
    """How many instances run or start."""
    return sum(i.get("_power", "running") in ("running", "starting") for i in instances(world, scale_set).values())


def selected(world: World, scale_set: Document, wanted: list[str]) -> list[str]:
    """The instance ids meant by a request: those named, or all when none or "*" is.

    Raises:
        InvalidParameterError: 400, one of them does not exist.
    """
    known = instances(world, scale_set)
    if not wanted or wanted == ["*"]:
        return list(known)
    for identity in wanted:
        if identity not in known:
            raise InvalidParameterError(
                f"The provided instanceId {identity} is not an active Virtual Machine Scale Set VM instanceId.",
                "instanceIds",
            )
    return wanted


def set_power(world: World, scale_set: Document, ids: list[str], state: str) -> None:
    """Put instances into a power state."""
    known = instances(world, scale_set)
    for identity in ids:
        if identity not in known:
            continue
        if is_flexible(scale_set):
            models.set_power(world, known[identity], state)
        else:
            known[identity]["_power"] = state


def _add(world: World, scale_set: Document, count: int, state: str) -> list[str]:
    made: list[str] = []
    now = stamp(world.clock.now())
    for _ in range(count):
        if is_flexible(scale_set):
            made.append(_add_member(world, scale_set, state))
            continue
        known = scale_set.setdefault("_instances", {})
        number = int(scale_set.get("_next", 1 + max((int(k) for k in known), default=-1)))
        scale_set["_next"] = number + 1
        name = f"{scale_set['name']}_{number}"
        known[str(number)] = {"vmId": world.chance.guid(), "_power": state, "name": name, "timeCreated": now}
        made.append(str(number))
    return made


def _add_member(world: World, scale_set: Document, state: str) -> str:
    group = scale_set["id"].rsplit("/providers/", 1)[0]
    name = f"{scale_set['name']}_{world.chance.getrandbits(32):08x}"
    profile = scale_set["properties"].get("virtualMachineProfile") or {}
    storage = profile.get("storageProfile") or {}
    machine: Document = {
        "id": f"{group}/providers/{MACHINE}/{name}",
        "name": name,
        "type": MACHINE,
        "location": scale_set["location"],
        "properties": {
            "hardwareProfile": {"vmSize": size_name(scale_set)},
            "virtualMachineScaleSet": {"id": scale_set["id"]},
            "storageProfile": {
                "imageReference": dict(storage.get("imageReference") or {}),
                "osDisk": {**(storage.get("osDisk") or {}), "deleteOption": "Delete"},
            },
            "osProfile": {
                "computerName": name,
                "adminUsername": (profile.get("osProfile") or {}).get("adminUsername", "azureuser"),
            },
        },
        "_created": stamp(world.clock.now()),
    }
    if profile.get("priority"):
        machine["properties"]["priority"] = profile["priority"]
    if scale_set.get("tags"):
        machine["tags"] = dict(scale_set["tags"])
    machine["properties"]["storageProfile"]["osDisk"]["managedDisk"] = {
        k: v for k, v in ((storage.get("osDisk") or {}).get("managedDisk") or {}).items() if k != "id"
    }
    world.resources[machine["id"]] = machine
    models.furnish(world, machine)
    machine["properties"]["provisioningState"] = "Succeeded"
    models.set_power(world, machine, state)
    return name


def grow(world: World, scale_set: Document, to: int, *, state: str = "running") -> list[str]:
    """Add instances until there are `to`; returns the new ids. Quota is not looked at."""
    made = _add(world, scale_set, to - len(instances(world, scale_set)), state)
    scale_set.setdefault("sku", {})["capacity"] = len(instances(world, scale_set))
    return made


def shrink(world: World, scale_set: Document, ids: list[str]) -> None:
    """Remove instances and lower the capacity to what is left."""
    known = instances(world, scale_set)
    for identity in ids:
        if identity not in known:
            continue
        if is_flexible(scale_set):
            models.take_apart(world, known[identity])
        else:
            del known[identity]
    scale_set.setdefault("sku", {})["capacity"] = len(instances(world, scale_set))


def newest(world: World, scale_set: Document, count: int) -> list[str]:
    """The ids of the `count` newest instances, those that scaling in removes first."""
    return list(instances(world, scale_set))[::-1][:count]


def check_growth(world: World, subscription: str, scale_set: Document, by: int) -> None:
    """Refuse growth over quota.

    Raises:
        OperationNotAllowedError: 409.
    """
    size = models.size_or_refuse(size_name(scale_set))
    spot = quota.is_spot(scale_set["properties"].get("virtualMachineProfile") or {})
    quota.check(world, subscription, str(scale_set["location"]), size, by, spot=spot)


def dissolve(world: World, scale_set: Document) -> None:
    """Remove the set and all its instances."""
    for machine in members(world, scale_set) if is_flexible(scale_set) else []:
        models.take_apart(world, machine)
    remove(world, scale_set["id"])


# Views -------------------------------------------------------------------------------------------------------------------


def shown_instance(world: World, scale_set: Document, identity: str, *, expand: str = "") -> Document:
    """One instance as answered."""
    instance = instances(world, scale_set)[identity]
    if is_flexible(scale_set):
        return models.shown(world, instance, expand=expand) | {"instanceId": identity}
    properties: Document = {
        "vmId": instance["vmId"],
        "latestModelApplied": True,
        "provisioningState": instance.get("_provisioning", "Succeeded"),
        "hardwareProfile": {},
        "timeCreated": instance.get("timeCreated", scale_set.get("_created", "")),
    }
    if expand.lower() == "instanceview":
        properties["instanceView"] = instance_view(instance)
    answer: Document = {
        "id": f"{scale_set['id']}/virtualMachines/{identity}",
        "name": instance.get("name", f"{scale_set['name']}_{identity}"),
        "instanceId": identity,
        "type": INSTANCE,
        "location": scale_set["location"],
        "sku": {k: v for k, v in (scale_set.get("sku") or {}).items() if k in ("name", "tier")},
        "properties": properties,
    }
    if scale_set.get("tags"):
        answer["tags"] = scale_set["tags"]
    return answer


def instance_view(instance: Document) -> Document:
    """The run-time status of a Uniform instance."""
    time = str(instance.get("timeCreated", ""))
    return {
        "placementGroupId": "",
        "statuses": [power.provisioning("Succeeded", time), power.status(instance.get("_power", "running"))],
    }


def summary(world: World, scale_set: Document) -> Document:
    """The run-time status of the set: how many instances are in which state."""
    found = list(instances(world, scale_set).values())
    states = sorted({str(i.get("_power", "running")) for i in found})
    counts = [{"code": f"PowerState/{s}", "count": sum(i.get("_power", "running") == s for i in found)} for s in states]
    if found:
        counts.insert(0, {"code": "ProvisioningState/succeeded", "count": len(found)})
    time = str(scale_set["properties"].get("timeCreated") or scale_set.get("_created", ""))
    return {"virtualMachine": {"statusesSummary": counts}, "statuses": [power.provisioning("Succeeded", time)]}


def shown(scale_set: Document) -> Document:
    """The set as answered."""
    return public(scale_set)
