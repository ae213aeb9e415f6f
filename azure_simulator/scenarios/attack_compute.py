"""Steps of an attack that cost money: machines, scale sets, disks managed and unmanaged."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.scenarios import compute_parts, documents, ids
from azure_simulator.scenarios.attack import Attack, Step
from azure_simulator.scenarios.log import AT_ONCE, Caller, creation_bodies
from azure_simulator.scenarios.routines import born
from azure_simulator.world import Document


def _ground(attack: Attack, region: str, by: Caller, moment: datetime) -> tuple[str, str]:
    """The attacker's group and subnet in a region, made on first use; who hides takes a group of the tenant's for all but the first region."""
    if region not in attack.groups:
        chance = attack.chance
        if attack.script["hides"] and attack.groups:
            open_places = [place.group for place in attack.estate.places if place.tags and not place.locked]
            name = chance.choice([group for group in open_places if group not in attack.groups.values()])
        else:
            name = _own_group(attack, region, by, moment - timedelta(minutes=3))
        network = attack.take(
            documents.network(
                name, f"{attack.stem}-vnet", region, moment - timedelta(minutes=2), f"10.{chance.randrange(100, 250)}"
            )
        )
        rules = attack.take(
            documents.security_group(
                name, f"{attack.stem}-nsg", region, moment - timedelta(minutes=2), open_ports=("22",), source="*"
            )
        )
        for document in (network, rules):
            born(attack.log, document, by)
        attack.groups[region], attack.subnets[region] = name, documents.subnet_of(network)
    return attack.groups[region], attack.subnets[region]


def _own_group(attack: Attack, region: str, by: Caller, at: datetime) -> str:
    """A new group; its name resembles the tenant's."""
    chance = attack.chance
    styles = (f"rg-{attack.stem}-{region}", f"{region}-{attack.stem}-prod", f"rg-{chance.getrandbits(20):05x}")
    name = attack.called(chance.choice(styles))
    group = documents.group(name, region, at)
    attack.world.groups[group["id"]] = group
    attack.rogue_groups.append(group["id"])
    attack.log.operation(
        at,
        "Microsoft.Resources/subscriptions/resourceGroups/write",
        group["id"],
        by,
        steps=AT_ONCE,
        request={"location": region},
        sub_status="Created",
    )
    return name


def machines(attack: Attack, row: dict[str, Any]) -> None:
    """Create machines round robin over the regions, a few within each minute."""
    chance = attack.chance
    intruder = attack.intruders[row["by"]]
    by = intruder.caller(chance)
    for index in range(chance.randint(*row["count"]) * attack.scale):
        region = attack.regions[index % len(attack.regions)]
        moment = attack.at(row["after"] + 1.1 * index / attack.scale)
        group, subnet = _ground(attack, region, by, moment)
        public = index % 2 == 0
        parts = compute_parts.machine(
            chance,
            group,
            attack.next_name(),
            region,
            moment,
            size=row["sizes"][index % len(row["sizes"])],
            subnet=subnet,
            image="LinuxGpu" if row.get("drivers") and index % 3 else "Linux",
            public_address=f"192.0.2.{(7 * index) % 190 + 3}" if public else "",
            private_address=f"10.200.{index // 200}.{4 + index % 200}",
            delete_option="Delete" if index % 4 == 3 else "Detach",
            priority="Spot" if index % 5 == 4 else "Regular",
            data_gb=(512,) if index % 6 == 0 else (),
        )
        for document in parts.all():
            attack.take(document, compute=document is parts.machine)
        for document in filter(None, (parts.address, parts.interface)):
            born(attack.log, document, by)
        born(attack.log, parts.machine, by)
        if row.get("drivers") and index % 2:
            attack.log.operation(
                moment + timedelta(minutes=6),
                "Microsoft.Compute/virtualMachines/extensions/write",
                f"{parts.machine['id']}/extensions/NvidiaGpuDriverLinux",
                by,
                request={
                    "location": region,
                    "properties": {"publisher": "Microsoft.HpcCompute", "type": "NvidiaGpuDriverLinux", "settings": {}},
                },
                seconds=240,
            )


def scale_set(attack: Attack, row: dict[str, Any]) -> None:
    """Create a scale set in the next region, perhaps with a setting that brings it back."""
    chance = attack.chance
    by = attack.intruders[row["by"]].caller(chance)
    made = sum("virtualmachinescalesets" in each.lower() for each in attack.rogue_compute)
    region = attack.regions[made % len(attack.regions)]
    moment = attack.at(row["after"])
    group, subnet = _ground(attack, region, by, moment)
    capacity = chance.randint(*row["capacity"]) * attack.scale
    document = attack.take(
        compute_parts.scale_set(
            chance,
            group,
            attack.next_name(f"{attack.stem}-pool"),
            region,
            moment,
            size=row["size"],
            capacity=capacity,
            subnet=subnet,
        ),
        compute=True,
    )
    born(attack.log, document, by)
    if row["autoscale"]:
        setting = attack.take(
            compute_parts.autoscale(
                group,
                f"{document['name']}-autoscale",
                document,
                moment + timedelta(minutes=4),
                capacity,
                capacity * 2,
                None,
            )
        )
        born(attack.log, setting, by)


def orphan_disks(attack: Attack, row: dict[str, Any]) -> None:
    """Leave unattached disks in a group of the tenant's: some made as such, some left by machines that are gone again."""
    chance = attack.chance
    by = attack.intruders[row["by"]].caller(chance)
    place = attack.estate.place(*row["into"])
    template = next(disk for disk in attack.estate.orphans if ids.group_of(disk["id"]) == place.group)
    stem = str(template["name"]).rsplit("_", 1)[0]
    for index in range(row["made"]):
        moment = attack.at(row["after"] + 2 * index)
        name = f"{stem}_DataDisk_{40 + index}" if index % 2 else f"disk-{chance.getrandbits(24):06x}"
        document = attack.take(
            compute_parts.disk(
                chance, place.group, attack.called(name), place.region, moment, size_gb=chance.choice((1024, 2048))
            )
        )
        born(attack.log, document, by)
    for index in range(row["left"]):
        moment = attack.at(row["after"] + 10 + 3 * index)
        parts = compute_parts.machine(
            chance,
            place.group,
            attack.next_name(),
            place.region,
            moment,
            size="Standard_D4s_v5",
            subnet=place.subnets[0] if place.subnets else next(iter(attack.subnets.values())),
        )
        born(attack.log, parts.interface, by)
        born(attack.log, parts.machine, by)
        gone = moment + timedelta(minutes=25)
        attack.log.operation(gone, "Microsoft.Compute/virtualMachines/delete", parts.machine["id"], by)
        _detach(attack, parts.os_disk, gone)
        parts.interface["properties"].pop("virtualMachine")
        attack.take(parts.interface)


def _detach(attack: Attack, disk: Document, moment: datetime) -> None:
    from azure_simulator.clock import stamp

    disk.pop("managedBy", None)
    disk["properties"]["diskState"] = "Unattached"
    disk["properties"]["LastOwnershipUpdateTime"] = stamp(moment)
    attack.take(disk)


def unmanaged_disks(attack: Attack, row: dict[str, Any]) -> None:
    """Put virtual disks as page blobs into a new storage account; nothing leases them."""
    chance = attack.chance
    by = attack.intruders[row["by"]].caller(chance)
    region = attack.regions[0]
    moment = attack.at(row["after"])
    group, _ = _ground(attack, region, by, moment)
    name = f"st{attack.stem.replace('-', '')}{chance.getrandbits(24):06x}"[:24]
    account = attack.take(documents.storage_account(chance, group, name, region, moment))
    request, response = creation_bodies(account)
    attack.log.operation(
        moment, f"{account['type']}/write", account["id"], by, request=request, response=response, sub_status="Created"
    )
    attack.log.operation(
        moment + timedelta(minutes=1),
        "Microsoft.Storage/storageAccounts/listKeys/action",
        account["id"],
        by,
        steps=AT_ONCE,
    )
    for index in range(chance.randint(*row["count"]) * attack.scale):
        blob = documents.page_blob(
            name,
            "vhds",
            f"{attack.stem}-{index + 1:02}{moment:%Y%m%d%H%M%S}.vhd",
            chance.choice((64, 128, 512)),
            moment + timedelta(minutes=3 + index),
            leased=False,
            etag=f"0x8D{chance.getrandbits(52):013X}",
        )
        key = f"{name}/vhds/{blob['name']}"
        attack.world.blobs[key] = blob
        attack.rogue_blobs.append(key)


STEPS: dict[str, Step] = {
    "machines": machines,
    "scale_set": scale_set,
    "orphan_disks": orphan_disks,
    "unmanaged_disks": unmanaged_disks,
}
