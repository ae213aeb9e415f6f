"""What runs by itself: pipelines, the night schedule, backup, monitoring, the cluster, and what Azure reports."""

from __future__ import annotations

from datetime import datetime, timedelta

from azure_simulator.scenarios import ids
from azure_simulator.scenarios.log import AT_ONCE, LONG_RUNNING, caller, creation_bodies
from azure_simulator.scenarios.people import Actor
from azure_simulator.scenarios.routines import Shift, created


def pipeline(shift: Shift, actor: Actor, day: datetime, working: bool) -> None:
    """The deployments of one pipeline: validated, written, sometimes failed, each writing settings of things that are there."""
    chance, log = shift.chance, shift.log
    expected = actor.deployments if working else actor.deployments * 0.15
    for _ in range(int(expected * (0.5 + chance.random()) * shift.scale + chance.random())):
        at = shift.staff.utc(day, min(max(chance.gauss(13.5, 3.2), 6.0), 22.0))
        by = caller(actor, chance.choice(actor.addresses))
        place = shift.place(actor)
        name = f"{place.workload}-{place.env}-{at:%Y%m%d.%H%M}"
        deployment = ids.resource_id(place.group, "Microsoft.Resources/deployments", name)
        validated = at - timedelta(seconds=20)
        log.operation(validated, "Microsoft.Resources/deployments/validate/action", deployment, by, steps=AT_ONCE)
        failed = chance.random() < 0.06
        log.operation(
            at,
            "Microsoft.Resources/deployments/write",
            deployment,
            by,
            seconds=40 + chance.random() * 300,
            steps=("Started", "Accepted", "Failed") if failed else LONG_RUNNING,
            failure=("DeploymentFailed", "At least one resource deployment operation failed.") if failed else None,
        )
        settings = shift.settings(place)
        for index, target in enumerate(chance.sample(settings, k=min(3, len(settings)))):
            request, response = creation_bodies(target)
            log.operation(
                at + timedelta(seconds=8 + 9 * index),
                f"{target['type']}/write",
                target["id"],
                by,
                steps=AT_ONCE,
                request=request,
                response=response if index == 0 else None,
            )
        if chance.random() < 0.5:
            log.operation(
                at + timedelta(seconds=30),
                "Microsoft.Authorization/policies/audit/action",
                deployment,
                by,
                steps=("Succeeded",),
                category="Policy",
                level="Warning",
                properties={"policies": "require-owner-tag"},
            )


def schedule(shift: Shift, day: datetime) -> None:
    """Start the nightly machines in the morning, deallocate them in the evening."""
    by = caller(shift.staff["automation"])
    for hour, verb in ((7, "start"), (19, "deallocate")):
        at = shift.staff.utc(day, hour)
        for index, machine in enumerate(shift.estate.nightly):
            if created(machine) < at:
                moment = at + timedelta(seconds=11 * index)
                shift.log.operation(moment, f"Microsoft.Compute/virtualMachines/{verb}/action", machine["id"], by)


def backup(shift: Shift, day: datetime) -> None:
    """The nightly snapshots of production disks, and the removal of most of them."""
    vault = shift.estate.recovery_vault
    if vault is None:
        return
    chance, log, by = shift.chance, shift.log, caller(shift.staff["backup"])
    at = shift.staff.utc(day, 1.5)
    there = [disk for disk in shift.estate.backed_up if created(disk) < at]
    for index, disk in enumerate(chance.sample(there, k=min(len(there), 7 * shift.scale))):
        moment = at + timedelta(minutes=4 * index, seconds=chance.randrange(50))
        name = f"AzureBackup_{disk['name'][:40]}_{day:%Y%m%d}"
        snapshot = ids.resource_id(ids.group_of(vault["id"]), ids.SNAPSHOT, name)
        request = {
            "location": disk["location"],
            "properties": {
                "creationData": {"createOption": "Copy", "sourceResourceId": disk["id"]},
                "incremental": True,
            },
        }
        log.operation(moment, "Microsoft.Compute/snapshots/write", snapshot, by, request=request)
        if index % 3:
            log.operation(moment + timedelta(minutes=40), "Microsoft.Compute/snapshots/delete", snapshot, by)
        if index < 2:
            access = moment + timedelta(minutes=1)
            log.operation(access, "Microsoft.Compute/disks/beginGetAccess/action", disk["id"], by)
            log.operation(access + timedelta(minutes=29), "Microsoft.Compute/disks/endGetAccess/action", disk["id"], by)
    log.operation(at, "Microsoft.RecoveryServices/vaults/backupJobs/backup/action", vault["id"], by, seconds=5400)


def monitoring(shift: Shift, day: datetime) -> None:
    """Keys are listed all day for metrics of storage; settings follow once a week."""
    by = caller(shift.staff["monitoring"])
    for hour in range(1, 24, 4):
        at = day + timedelta(hours=hour, minutes=4, seconds=shift.chance.randrange(60))
        for account in shift.chance.sample(shift.estate.storage, k=min(2 * shift.scale, len(shift.estate.storage))):
            name = "Microsoft.Storage/storageAccounts/listKeys/action"
            shift.log.operation(at, name, account["id"], by, steps=AT_ONCE)
    if day.weekday() == 1:
        at = day + timedelta(hours=9)
        machine = shift.machine(shift.place(shift.staff["monitoring"]), at)
        target = f"{machine['id']}/providers/Microsoft.Insights/diagnosticSettings/to-workspace"
        shift.log.operation(at, "Microsoft.Insights/diagnosticSettings/write", target, by, steps=AT_ONCE)


def cluster(shift: Shift, day: datetime) -> None:
    """The cluster scales its own node sets, and its volumes come and go."""
    chance, log, by = shift.chance, shift.log, caller(shift.staff["cluster"])
    for hour in (6, 12, 18):
        if chance.random() < 0.7:
            nodes = chance.choice(shift.estate.node_sets)
            capacity = nodes["sku"]["capacity"] + chance.randrange(2)
            request = {"location": nodes["location"], "sku": nodes["sku"] | {"capacity": capacity}}
            at = shift.staff.utc(day, hour + chance.random())
            log.operation(at, f"{ids.SCALE_SET}/write", nodes["id"], by, request=request)
            balancer = ids.resource_id(ids.group_of(nodes["id"]), ids.LOAD_BALANCER, "kubernetes")
            after = at + timedelta(minutes=2)
            log.operation(after, f"{ids.LOAD_BALANCER}/write", balancer, by, steps=AT_ONCE)
    if chance.random() < 0.4:
        nodes = shift.estate.node_sets[-1]
        claim = ids.resource_id(ids.group_of(nodes["id"]), ids.DISK, f"pvc-{chance.guid()}")
        at = shift.staff.utc(day, 8 + 9 * chance.random())
        request = {
            "location": nodes["location"],
            "sku": {"name": "StandardSSD_LRS"},
            "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32},
        }
        log.operation(at, f"{ids.DISK}/write", claim, by, request=request)
        log.operation(at + timedelta(hours=3), f"{ids.DISK}/delete", claim, by)


def platform(shift: Shift, day: datetime) -> None:
    """What Azure reports by itself: health, alerts, autoscale."""
    chance, log = shift.chance, shift.log
    any_place = shift.estate.places[0]

    def sometime() -> datetime:
        return day + timedelta(hours=chance.random() * 23)

    if chance.random() < 0.25:
        at = sometime()
        log.platform(
            at,
            "Microsoft.Resourcehealth/healthevent/Activated/action",
            shift.machine(any_place, at)["id"],
            "ResourceHealth",
            ("Active", "Resolved"),
            "Degraded: high latency on attached storage",
            "Critical",
        )
    if chance.random() < 0.5:
        at = sometime()
        log.platform(
            at,
            "Microsoft.Insights/MetricAlerts/Activated/Action",
            shift.machine(any_place, at)["id"],
            "Alert",
            ("Activated", "Resolved"),
            "alert-cpu-prod fired",
            "Warning",
        )
    if chance.random() < 0.07:
        log.platform(
            sometime(),
            "Microsoft.ServiceHealth/incident/action",
            ids.SUBSCRIPTION,
            "ServiceHealth",
            ("Active", "Resolved"),
            f"Storage: availability in {shift.staff.company.regions[0]}",
            "Warning",
        )
    if chance.random() < 0.35:
        setting = f"autoscale-vmss-{shift.staff.company.short}-render"
        log.platform(
            shift.staff.utc(day, 11 + chance.random() * 4),
            f"Microsoft.Insights/AutoscaleSettings/Scale{chance.choice(('up', 'down'))}/Action",
            ids.resource_id(shift.estate.place("shop", "prod").group, ids.AUTOSCALE, setting),
            "Autoscale",
            ("Succeeded",),
            "The autoscale engine scaled the resource",
            "Informational",
        )
