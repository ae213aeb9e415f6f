"""Everything in the subscription, in all regions: machines with power state, scale sets, the generic list, groups, regions."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Inventory, Machine, Resource, ScaleSet
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.arm import COMPUTE, DISKS
from tasks.platform import is_read
from tasks.reading import Notes, each, without_deleted
from tasks.removal import VERSIONS

STEP = Step(
    id="investigate.inventory",
    title="Take the inventory of all regions",
    effect=Effect.READ,
    description=(
        "Lists machines with their power state, scale sets with their instances, every other resource with its creation time, and resource "
        "groups; counts kinds of compute that no step stops."
    ),
    permissions=(
        "Microsoft.Resources/subscriptions/resources/read",
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Resources/subscriptions/locations/read",
        "Microsoft.Compute/virtualMachines/read",
        "Microsoft.Compute/virtualMachineScaleSets/read",
        "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    ),
    guidance=("S02", "S28"),
    produces=Inventory,
)

_COMPUTE = "2026-04-01"
_RESOURCES = "2025-04-01"
# Kinds that burn compute beside machines and scale sets. Those that the playbook at hand reads and stops are not told as unhandled.
COMPUTE_LIKE = frozenset(
    {
        "microsoft.app/containerapps",
        "microsoft.app/jobs",
        "microsoft.automation/automationaccounts",
        "microsoft.avs/privateclouds",
        "microsoft.batch/batchaccounts",
        "microsoft.classiccompute/virtualmachines",
        "microsoft.compute/cloudservices",
        "microsoft.compute/hostgroups/hosts",
        "microsoft.containerinstance/containergroups",
        "microsoft.containerservice/managedclusters",
        "microsoft.databricks/workspaces",
        "microsoft.desktopvirtualization/hostpools",
        "microsoft.devtestlab/labs",
        "microsoft.hdinsight/clusters",
        "microsoft.kusto/clusters",
        "microsoft.labservices/labs",
        "microsoft.machinelearningservices/workspaces",
        "microsoft.machinelearningservices/workspaces/onlineendpoints",
        "microsoft.redhatopenshift/openshiftclusters",
        "microsoft.servicefabric/managedclusters",
        "microsoft.synapse/workspaces/bigdatapools",
        "microsoft.web/serverfarms",
        "microsoft.web/sites",
        "microsoft.web/sites/slots",
    }
)
_AKS_TAGS = ("aks-managed-poolname", "aks-managed-createoperationid", "poolname")


async def collect(eyes: Eyes, case: Case) -> Inventory:
    """Read machines, scale sets, resources and groups, or fail as a whole; power states and regions as far as possible."""
    base = f"/subscriptions/{eyes.arm.subscription_id}"
    notes = Notes()
    resources = await eyes.arm.list(f"{base}/resources", _RESOURCES, {"$expand": "createdTime,changedTime"})
    groups = await eyes.arm.list(f"{base}/resourcegroups", _RESOURCES)
    machines = await eyes.arm.list(f"{base}/providers/Microsoft.Compute/virtualMachines", _COMPUTE)
    statuses = await notes.attempt(
        "power states of machines",
        eyes.arm.list(f"{base}/providers/Microsoft.Compute/virtualMachines", _COMPUTE, {"statusOnly": "true"}),
        [],
    )
    scale_sets = await eyes.arm.list(f"{base}/providers/Microsoft.Compute/virtualMachineScaleSets", _COMPUTE)
    locations = await notes.attempt("regions", eyes.arm.list(f"{base}/locations", "2022-12-01"), [])
    resources = await without_deleted(eyes, case, resources, _version_of)
    groups = await without_deleted(eyes, case, groups, _RESOURCES)
    machines = await without_deleted(eyes, case, machines, _COMPUTE)
    scale_sets = await without_deleted(eyes, case, scale_sets, _COMPUTE)
    created = {doc.path(item, "id").lower(): doc.text(item, "createdTime") for item in resources}
    keepers = _keepers(resources, groups)
    power = {doc.path(item, "id").lower(): power_state(item) for item in statuses}
    # Not told, and read alone below: the list lags behind what was done in this incident.
    power = {name: "" if _may_be_late(case, name, state) else state for name, state in power.items()}
    power |= await _missing_power(eyes, machines, power, notes)

    async def one_set(document: dict[str, Any]) -> ScaleSet:
        return await _scale_set(eyes, document, created, keepers, notes)

    listed = [_resource(item, keepers) for item in resources if doc.path(item, "id")]
    kinds = {str(one).lower() for one in case.parameter(STEP.id, "handled_types", ())}
    return Inventory(
        machines=_sorted(_machine(item, power, created) for item in machines if doc.path(item, "id")),
        scale_sets=_sorted(await each(one_set, [item for item in scale_sets if doc.path(item, "id")])),
        resources=_sorted(listed),
        groups=_sorted(_resource(item, {}) for item in groups if doc.path(item, "id")),
        regions=_regions(locations),
        unhandled_types=_count(
            kind for r in listed if (kind := r.type.lower()) not in kinds and not is_read(case, kind)
        ),
        not_looked_at=notes.all,
    )


def assess(facts: Inventory, case: Case) -> list[Finding]:
    """Say which compute nobody here stops, and which affected resources of the alert are not there."""
    found = []
    if facts.unhandled_types:
        names = tuple(f"{count} of {kind}." for kind, count in sorted(facts.unhandled_types.items()))
        found.append(
            Finding(
                id="unhandled-compute",
                step=STEP.id,
                title="Kinds of compute that no step stops",
                severity=Severity.LOW,
                reasons=(*names, "Look at them by hand: intruders mine there too."),
                resources=tuple(r.id for r in facts.resources if r.type.lower() in facts.unhandled_types),
            )
        )
    known = {item.id.lower() for item in (*facts.resources, *facts.groups)}
    known |= {machine.id.lower() for machine in facts.machines} | {item.id.lower() for item in facts.scale_sets}
    gone = [
        name for name in case.incident.alert.affected_resources if name.count("/") > 4 and name.lower() not in known
    ]
    if gone:
        found.append(
            Finding(
                id="affected-absent",
                step=STEP.id,
                title="Resources named by the alert are not there any more",
                severity=Severity.MEDIUM,
                reasons=tuple(f"{doc.shown(name, 200)} is not in the inventory." for name in sorted(gone)),
                resources=tuple(sorted(gone)),
            )
        )
    return found


def power_state(document: Any) -> str:
    """The power state of a machine's or instance's view: `running`, `deallocated`, ...; "" when it is not told."""
    view = doc.mapping(document, "properties", "instanceView") or doc.mapping(document, "instanceView")
    for status in doc.items(view, "statuses") or doc.items(document, "statuses"):
        code = doc.text(status, "code")
        if code.lower().startswith("powerstate/"):
            return code.split("/", 1)[1].lower()
    return ""


def _regions(locations: list[dict[str, Any]]) -> tuple[str, ...]:
    """The regions where things can stand. Azure lists groups of regions beside them, such as `europe`: nothing stands there."""
    return tuple(
        sorted(
            {
                name
                for item in locations
                if doc.text(item, "metadata", "regionType").lower() != "logical"
                and (name := doc.region_name(doc.text(item, "name")))
            }
        )
    )


def _may_be_late(case: Case, name: str, power: str) -> bool:
    """Whether a listed power state contradicts what was done: deallocated and yet listed as running, or started and listed as deallocated."""
    kinds = case.changed.get(name, frozenset())
    return "machine.start" in kinds or ("machine.deallocate" in kinds and power != "deallocated")


def _version_of(item: dict[str, Any]) -> str:
    """The api-version to read a resource of the generic list alone, "" when the kind is not one that steps delete."""
    kind = doc.text(item, "type").lower()
    if kind in ("microsoft.compute/disks", "microsoft.compute/snapshots"):
        return DISKS
    return COMPUTE if kind.startswith("microsoft.compute/") else VERSIONS.get(kind, "")


async def _missing_power(
    eyes: Eyes, machines: list[dict[str, Any]], power: dict[str, str], notes: Notes
) -> dict[str, str]:
    """Ask one by one for the machines that the list of statuses left out."""
    missing = [name for item in machines if (name := doc.path(item, "id")) and not power.get(name.lower())]

    async def one(name: str) -> tuple[str, str]:
        what = f"power state of {doc.shown(name, 250)}"
        view = await notes.attempt(what, eyes.arm.get(f"{name}/instanceView", _COMPUTE), None)
        return name.lower(), power_state(view)

    return dict(await each(one, missing))


def _machine(item: dict[str, Any], power: dict[str, str], created: dict[str, str]) -> Machine:
    name = doc.path(item, "id")
    properties = doc.mapping(item, "properties")
    storage = doc.mapping(properties, "storageProfile")
    disks = [doc.path(storage, "osDisk", "managedDisk", "id")]
    disks += [doc.path(disk, "managedDisk", "id") for disk in doc.items(storage, "dataDisks")]
    nics = [doc.path(nic, "id") for nic in doc.items(properties, "networkProfile", "networkInterfaces")]
    return Machine(
        id=name,
        name=doc.text(item, "name") or name.rsplit("/", 1)[-1],
        region=doc.region_name(doc.text(item, "location")),
        size=doc.text(properties, "hardwareProfile", "vmSize"),
        power=power.get(name.lower()) or "unknown",
        vm_id=doc.text(properties, "vmId"),
        created_at=doc.moment(doc.text(properties, "timeCreated") or created.get(name.lower(), "")),
        priority=doc.text(properties, "priority") or "Regular",
        tags=doc.tags(item),
        disk_ids=tuple(disk for disk in disks if disk),
        nic_ids=tuple(nic for nic in nics if nic),
        scale_set=doc.path(properties, "virtualMachineScaleSet", "id"),
        os=doc.text(storage, "osDisk", "osType") or "Linux",
    )


async def _scale_set(
    eyes: Eyes, item: dict[str, Any], created: dict[str, str], keepers: dict[str, str], notes: Notes
) -> ScaleSet:
    name = doc.path(item, "id")
    properties = doc.mapping(item, "properties")
    flexible = doc.text(properties, "orchestrationMode").lower() == "flexible"
    power: dict[str, str] = {}
    if not flexible:
        what = f"instances of {doc.shown(name, 250)}"
        path = f"{name}/virtualMachines"
        instances = await notes.attempt(what, eyes.arm.list(path, _COMPUTE, {"$expand": "instanceView"}), [])
        for instance in instances:
            number = doc.text(instance, "instanceId") or doc.path(instance, "id").rsplit("/", 1)[-1]
            power[number] = power_state(instance) or "unknown"
    return ScaleSet(
        id=name,
        name=doc.text(item, "name") or name.rsplit("/", 1)[-1],
        region=doc.region_name(doc.text(item, "location")),
        size=doc.text(item, "sku", "name"),
        capacity=doc.whole(item, "sku", "capacity"),
        unique_id=doc.text(properties, "uniqueId"),
        created_at=doc.moment(doc.text(properties, "timeCreated") or created.get(name.lower(), "")),
        priority=doc.text(properties, "virtualMachineProfile", "priority") or "Regular",
        tags=doc.tags(item),
        power=dict(sorted(power.items())),
        managed_by=_keeper_of(item, keepers),
        flexible=flexible,
    )


def _resource(item: dict[str, Any], keepers: dict[str, str]) -> Resource:
    name = doc.path(item, "id")
    return Resource(
        id=name,
        type=doc.text(item, "type") or "Microsoft.Resources/resourceGroups",
        name=doc.text(item, "name") or name.rsplit("/", 1)[-1],
        region=doc.region_name(doc.text(item, "location")),
        created_at=doc.moment(doc.text(item, "createdTime") or doc.text(item, "systemData", "createdAt")),
        tags=doc.tags(item),
        managed_by=_keeper_of(item, keepers),
    )


def _keepers(resources: list[dict[str, Any]], groups: list[dict[str, Any]]) -> dict[str, str]:
    """Lower-case group id -> the managed service (AKS cluster, Databricks workspace) that keeps the group."""
    keepers = {doc.path(group, "id").lower(): doc.path(group, "managedBy") for group in groups}
    for item in resources:
        node_group = doc.text(item, "properties", "nodeResourceGroup")
        if node_group:
            base = "/".join(doc.path(item, "id").split("/")[:3])
            keepers.setdefault(f"{base}/resourcegroups/{node_group}".lower(), doc.path(item, "id"))
    return {group: keeper for group, keeper in keepers.items() if keeper}


def _keeper_of(item: dict[str, Any], keepers: dict[str, str]) -> str:
    kind = doc.text(item, "type").lower()
    own = doc.path(item, "managedBy")
    # On a disk `managedBy` names the machine it is attached to; that is no managed service.
    if own and kind not in {"microsoft.compute/disks", "microsoft.compute/snapshots"}:
        return own
    group = "/".join(doc.path(item, "id").lower().split("/")[:5])
    if group in keepers:
        return keepers[group]
    is_node_group = group.rsplit("/", 1)[-1].startswith("mc_")
    tagged = any(key.lower() in _AKS_TAGS for key in doc.tags(item))
    return "AKS" if is_node_group and tagged else ""


def _count(kinds: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kind in kinds:
        if kind in COMPUTE_LIKE:
            counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))


def _sorted(values: Any) -> tuple[Any, ...]:
    """In the order of their ids, so that the order in which Azure lists never matters."""
    return tuple(sorted(values, key=lambda value: str(value.id).lower()))
