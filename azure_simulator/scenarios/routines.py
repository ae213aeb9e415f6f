"""Ninety days of ordinary work in the activity log: people, pipelines, schedules, backup, monitoring, and what Azure reports by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.events import PORTAL_APP
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.estate import Estate, Place
from azure_simulator.scenarios.log import (
    AT_ONCE,
    FAILED,
    HISTORY_DAYS,
    LONG_RUNNING,
    Caller,
    Log,
    caller,
    creation_bodies,
)
from azure_simulator.scenarios.people import Actor, Staff
from azure_simulator.world import Document

REFUSALS = (
    ("AuthorizationFailed", "The client does not have authorization to perform action over scope."),
    ("OperationNotAllowed", "Operation could not be completed as another operation is in progress on this resource."),
    (
        "ResourceNotFound",
        "The Resource was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    ),
    ("InvalidParameter", "The value of parameter is invalid."),
)


class Routine:
    """The tenant at work."""

    def __init__(self, log: Log, chance: Chance, staff: Staff, estate: Estate, now: datetime, scale: int) -> None:
        self.log, self.chance, self.staff, self.estate = log, chance, staff, estate
        self.now, self.scale = now, scale

    def days(self) -> Iterator[datetime]:
        """Every day of the log at midnight, oldest first, today last."""
        today = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        for back in range(HISTORY_DAYS, -1, -1):
            yield today - timedelta(days=back)

    def write(self) -> None:
        """Write the whole history."""
        for day in self.days():
            working = day.weekday() < 5
            for actor in self.staff.people():
                self._person(actor, day, working)
            for key in ("pipeline-shop", "pipeline-platform", "pipeline-data"):
                self._pipeline(self.staff[key], day, working)
            if working:
                self._schedule(day)
            self._backup(day)
            self._monitoring(day)
            self._cluster(day)
            self._platform(day)
        self._births()

    def _at(self, day: datetime, actor: Actor) -> datetime:
        hour = min(max(self.chance.gauss(actor.starts + 4.2, 2.3), actor.starts - 0.5), actor.starts + 10.0)
        return self.staff.utc(day, hour)

    def _address(self, actor: Actor) -> str:
        """Mostly the office, then the VPN, then home; now and then a hotel. People carry their second factor with them."""
        drawn = self.chance.random()
        office, vpn, home = actor.addresses
        if drawn < 0.62:
            return office
        if drawn < 0.85:
            return vpn
        return home if drawn < 0.992 else f"203.0.113.{self.chance.randrange(200, 250)}"

    def _places(self, actor: Actor) -> list[Place]:
        places = [
            place for place in self.estate.places if place.tags and (not actor.covers or place.workload in actor.covers)
        ]
        return places or self.estate.places

    def _person(self, actor: Actor, day: datetime, working: bool) -> None:
        expected = actor.activity if working else actor.activity * 0.05
        count = int(expected * (0.4 + 1.2 * self.chance.random()) * self.scale + self.chance.random())
        if working and self.chance.random() < 0.08:
            return  # a day off
        for _ in range(count):
            by = caller(
                actor, self._address(actor), app_id=PORTAL_APP if self.chance.random() < 0.7 else caller(actor).app_id
            )
            self._work(by, actor, self._at(day, actor))

    def _work(self, by: Caller, actor: Actor, at: datetime) -> None:
        chance, log = self.chance, self.log
        place = chance.choice(self._places(actor))
        machines = [m for m in self.estate.machines if ids.group_of(m["id"]) == place.group] or self.estate.machines
        machine = chance.choice(machines)
        kind = chance.random()
        if kind < 0.24:
            log.operation(
                at,
                "Microsoft.Resources/tags/write",
                f"{machine['id']}/providers/Microsoft.Resources/tags/default",
                by,
                steps=AT_ONCE,
                request={"operation": "Merge", "properties": {"tags": {"reviewed": f"{at:%Y-%m}"}}},
                method="PATCH",
            )
        elif kind < 0.40:
            log.operation(at, "Microsoft.Compute/virtualMachines/restart/action", machine["id"], by)
        elif kind < 0.52:
            log.operation(
                at,
                "Microsoft.Network/networkSecurityGroups/securityRules/write",
                ids.resource_id(
                    place.group,
                    ids.SECURITY_GROUP + "/securityRules",
                    f"nsg-{place.workload}-{place.env}/allow-{chance.choice((443, 8443, 22, 3389))}",
                ),
                by,
                steps=AT_ONCE,
                request={"properties": {"access": "Allow", "sourceAddressPrefix": "VirtualNetwork"}},
            )
        elif kind < 0.62 and self.estate.sites:
            log.operation(
                at,
                f"Microsoft.Web/sites/{chance.choice(('restart/action', 'config/write', 'publishxml/action'))}",
                chance.choice(self.estate.sites)["id"],
                by,
                steps=AT_ONCE,
            )
        elif kind < 0.70:
            account = chance.choice(self.estate.storage)
            log.operation(at, "Microsoft.Storage/storageAccounts/listKeys/action", account["id"], by, steps=AT_ONCE)
        elif kind < 0.77:
            extension = chance.choice(("AzureMonitorLinuxAgent", "CustomScript", "DependencyAgentLinux"))
            log.operation(
                at,
                "Microsoft.Compute/virtualMachines/extensions/write",
                f"{machine['id']}/extensions/{extension}",
                by,
                request={"location": machine["location"], "properties": {"type": extension, "settings": {}}},
            )
        elif kind < 0.84:
            log.operation(
                at,
                "Microsoft.Resources/deployments/validate/action",
                ids.resource_id(place.group, "Microsoft.Resources/deployments", f"portal-{at:%Y%m%d%H%M%S}"),
                by,
                steps=AT_ONCE,
            )
        elif kind < 0.89:
            log.operation(at, "Microsoft.Compute/virtualMachines/runCommand/action", machine["id"], by)
        elif kind < 0.92 and actor.role == "Owner":
            guid = chance.guid()
            log.operation(
                at,
                "Microsoft.Authorization/roleAssignments/write",
                f"{ids.group_id(place.group)}/providers/Microsoft.Authorization/roleAssignments/{guid}",
                by,
                steps=AT_ONCE,
                request={
                    "properties": {
                        "roleDefinitionId": f"{ids.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7",
                        "principalId": chance.choice(self.staff.people()).principal.object_id,
                        "principalType": "User",
                    }
                },
            )
            log.operation(
                at + timedelta(hours=2),
                "Microsoft.Authorization/roleAssignments/delete",
                f"{ids.group_id(place.group)}/providers/Microsoft.Authorization/roleAssignments/{guid}",
                by,
                steps=AT_ONCE,
            )
        elif kind < 0.97:
            log.operation(
                at,
                chance.choice(
                    (
                        "Microsoft.Compute/virtualMachines/write",
                        "Microsoft.Compute/virtualMachines/deallocate/action",
                        "Microsoft.Storage/storageAccounts/write",
                        "Microsoft.Compute/disks/delete",
                    )
                ),
                machine["id"],
                by,
                steps=FAILED,
                failure=chance.choice(REFUSALS),
                sub_status="Forbidden",
            )
        else:
            log.operation(
                at,
                "Microsoft.Support/supportTickets/write",
                f"{ids.SUBSCRIPTION}/providers/Microsoft.Support/supportTickets/{at:%Y%m%d%H%M}",
                by,
            )

    def _pipeline(self, actor: Actor, day: datetime, working: bool) -> None:
        chance, log = self.chance, self.log
        expected = actor.deployments if working else actor.deployments * 0.15
        for _ in range(int(expected * (0.5 + chance.random()) * self.scale + chance.random())):
            at = self.staff.utc(day, min(max(chance.gauss(13.5, 3.2), 6.0), 22.0))
            by = caller(actor, chance.choice(actor.addresses))
            place = chance.choice(self._places(actor))
            name = f"{place.workload}-{place.env}-{at:%Y%m%d.%H%M}"
            deployment = ids.resource_id(place.group, "Microsoft.Resources/deployments", name)
            log.operation(
                at - timedelta(seconds=20),
                "Microsoft.Resources/deployments/validate/action",
                deployment,
                by,
                steps=AT_ONCE,
            )
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
            for index, target in enumerate(chance.sample(self._targets(place), k=min(3, len(self._targets(place))))):
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

    def _targets(self, place: Place) -> list[Document]:
        """What a deployment to that place writes again: settings of things that are there."""
        found = [
            row
            for row in [*self.estate.sites, *self.estate.storage, *self.estate.vaults]
            if ids.group_of(row["id"]) == place.group
        ]
        return found or [self.estate.storage[0]]

    def _schedule(self, day: datetime) -> None:
        """Start the nightly machines in the morning, deallocate them in the evening."""
        by = caller(self.staff["automation"])
        for hour, verb in ((7, "start"), (19, "deallocate")):
            at = self.staff.utc(day, hour)
            for index, machine in enumerate(self.estate.nightly):
                self.log.operation(
                    at + timedelta(seconds=11 * index),
                    f"Microsoft.Compute/virtualMachines/{verb}/action",
                    machine["id"],
                    by,
                )

    def _backup(self, day: datetime) -> None:
        chance, by = self.chance, caller(self.staff["backup"])
        assert self.estate.recovery_vault is not None
        vault = self.estate.recovery_vault["id"]
        at = self.staff.utc(day, 1.5)
        disks = chance.sample(self.estate.backed_up, k=min(len(self.estate.backed_up), 11 * self.scale))
        for index, disk in enumerate(disks):
            moment = at + timedelta(minutes=4 * index, seconds=chance.randrange(50))
            snapshot = ids.resource_id(
                ids.group_of(vault), ids.SNAPSHOT, f"AzureBackup_{disk['name'][:40]}_{day:%Y%m%d}"
            )
            request = {
                "location": disk["location"],
                "properties": {
                    "creationData": {"createOption": "Copy", "sourceResourceId": disk["id"]},
                    "incremental": True,
                },
            }
            self.log.operation(moment, "Microsoft.Compute/snapshots/write", snapshot, by, request=request)
            if index % 3:
                self.log.operation(moment + timedelta(minutes=40), "Microsoft.Compute/snapshots/delete", snapshot, by)
            if index < 3:
                self.log.operation(
                    moment + timedelta(minutes=1), "Microsoft.Compute/disks/beginGetAccess/action", disk["id"], by
                )
                self.log.operation(
                    moment + timedelta(minutes=30), "Microsoft.Compute/disks/endGetAccess/action", disk["id"], by
                )
        self.log.operation(at, "Microsoft.RecoveryServices/vaults/backupJobs/backup/action", vault, by, seconds=5400)

    def _monitoring(self, day: datetime) -> None:
        by = caller(self.staff["monitoring"])
        for hour in range(0, 24, 3):
            at = day + timedelta(hours=hour, minutes=4, seconds=self.chance.randrange(60))
            for account in self.chance.sample(self.estate.storage, k=min(2 * self.scale, len(self.estate.storage))):
                self.log.operation(
                    at, "Microsoft.Storage/storageAccounts/listKeys/action", account["id"], by, steps=AT_ONCE
                )
        if day.weekday() == 1:
            machine = self.chance.choice(self.estate.machines)
            self.log.operation(
                day + timedelta(hours=9),
                "Microsoft.Insights/diagnosticSettings/write",
                f"{machine['id']}/providers/Microsoft.Insights/diagnosticSettings/to-workspace",
                by,
                steps=AT_ONCE,
            )

    def _cluster(self, day: datetime) -> None:
        """The cluster scales its own node sets and its volumes come and go."""
        by = caller(self.staff["cluster"])
        assert self.estate.cluster is not None
        for hour in (6, 12, 18):
            if self.chance.random() < 0.7:
                nodes = self.chance.choice(self.estate.node_sets)
                request = {
                    "location": nodes["location"],
                    "sku": nodes["sku"] | {"capacity": nodes["sku"]["capacity"] + self.chance.randrange(2)},
                }
                at = self.staff.utc(day, hour + self.chance.random())
                self.log.operation(
                    at, "Microsoft.Compute/virtualMachineScaleSets/write", nodes["id"], by, request=request
                )
                self.log.operation(
                    at + timedelta(minutes=2),
                    "Microsoft.Network/loadBalancers/write",
                    ids.resource_id(ids.group_of(nodes["id"]), "Microsoft.Network/loadBalancers", "kubernetes"),
                    by,
                    steps=AT_ONCE,
                )
        if self.chance.random() < 0.4:
            nodes = self.estate.node_sets[1]
            claim = ids.resource_id(ids.group_of(nodes["id"]), ids.DISK, f"pvc-{self.chance.guid()}")
            at = self.staff.utc(day, 8 + 9 * self.chance.random())
            request = {
                "location": nodes["location"],
                "sku": {"name": "StandardSSD_LRS"},
                "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 32},
            }
            self.log.operation(at, "Microsoft.Compute/disks/write", claim, by, request=request)
            self.log.operation(at + timedelta(hours=3), "Microsoft.Compute/disks/delete", claim, by)

    def _platform(self, day: datetime) -> None:
        chance, log = self.chance, self.log
        if chance.random() < 0.25:
            machine = chance.choice(self.estate.machines)
            log.platform(
                day + timedelta(hours=chance.random() * 23),
                "Microsoft.Resourcehealth/healthevent/Activated/action",
                machine["id"],
                "ResourceHealth",
                ("Active", "Resolved"),
                "Degraded: high latency on attached storage",
                "Critical",
            )
        if chance.random() < 0.5:
            machine = chance.choice(self.estate.machines)
            log.platform(
                day + timedelta(hours=chance.random() * 23),
                "Microsoft.Insights/MetricAlerts/Activated/Action",
                machine["id"],
                "Alert",
                ("Activated", "Resolved"),
                "alert-cpu-prod fired",
                "Warning",
            )
        if chance.random() < 0.07:
            log.platform(
                day + timedelta(hours=chance.random() * 23),
                "Microsoft.ServiceHealth/incident/action",
                ids.SUBSCRIPTION,
                "ServiceHealth",
                ("Active", "Resolved"),
                f"Storage: availability in {self.staff.company.regions[0]}",
                "Warning",
            )
        if chance.random() < 0.35:
            fleet = f"{self.estate.place('shop', 'prod').group}"
            log.platform(
                self.staff.utc(day, 11 + chance.random() * 4),
                f"Microsoft.Insights/AutoscaleSettings/Scale{chance.choice(('up', 'down'))}/Action",
                ids.resource_id(fleet, ids.AUTOSCALE, f"autoscale-vmss-{self.staff.company.short}-render"),
                "Autoscale",
                ("Succeeded",),
                "The autoscale engine scaled the resource",
                "Informational",
            )

    def _births(self) -> None:
        """The creation of everything that is younger than the log, except disks that a machine's creation made with it."""
        for document, maker in self.estate.births:
            actor = self.staff[maker]
            if (
                document["type"] == ids.DISK
                and document["properties"]["creationData"].get("createOption") == "FromImage"
            ):
                continue
            born(self.log, document, caller(actor, actor.addresses[0]))


def born(
    log: Log, document: Document, by: Caller, *, at: datetime | None = None, extra: dict[str, Any] | None = None
) -> str:
    """Write the creation of a resource, with its bodies; returns the correlation id."""
    request, response = creation_bodies(document)
    moment = at or datetime.fromisoformat(str(document["_created"])[:26] + "+00:00")
    return log.operation(
        moment,
        f"{document['type']}/write",
        document["id"],
        by,
        request=request | (extra or {}),
        response=response,
        sub_status="Created",
    )
