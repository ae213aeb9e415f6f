"""Legitimate work on the day of the alert that looks like an attack to a hasty reader, and the ordinary day of the victim."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.events import PORTAL_APP
from azure_simulator.scenarios import access, compute_parts, ids
from azure_simulator.scenarios.attack import Attack, Step
from azure_simulator.scenarios.commerce import put_quota
from azure_simulator.scenarios.estate import Place
from azure_simulator.scenarios.log import AT_ONCE, Caller, caller
from azure_simulator.scenarios.routines import born
from azure_simulator.services.compute.sizes import SIZES
from azure_simulator.world import Document, Principal


def _moment(attack: Attack, row: dict[str, Any]) -> datetime:
    """So many hours `before` now or, with `at`, the last time that hour struck in the office."""
    if "at" in row:
        moment = attack.staff.utc(attack.now, float(row["at"])) + timedelta(days=1)
        while moment > attack.now - timedelta(hours=3):
            moment -= timedelta(days=1)
        return moment + timedelta(minutes=attack.chance.randrange(30))
    return attack.now - timedelta(hours=float(row["before"]), minutes=attack.chance.randrange(30))


def _tags(attack: Attack, place: Place, row: dict[str, Any]) -> dict[str, str]:
    tags = dict(place.tags)
    if row.get("ticket"):
        tags |= {
            "change": f"CHG{attack.chance.randrange(10**6, 10**7):07}",
            "purpose": "load-test",
            "expires": f"{attack.now + timedelta(days=3):%Y-%m-%d}",
        }
    return tags


def _keep(attack: Attack, document: Document) -> None:
    attack.world.resources[document["id"]] = document
    attack.lookalikes.append(document["id"])


def _by(attack: Attack, row: dict[str, Any]) -> Caller:
    actor = attack.staff[row["by"]]
    address = attack.chance.choice(actor.addresses) if actor.hosted else ""
    return caller(actor, address, app_id=PORTAL_APP)


def deployment(attack: Attack, row: dict[str, Any]) -> None:
    """Several machines at once, by the pipeline or person who always does it, into a group of theirs."""
    place = attack.estate.place(*row["into"])
    by, moment, tags = _by(attack, row), _moment(attack, row), _tags(attack, place, row)
    attack.log.operation(
        moment - timedelta(seconds=30),
        "Microsoft.Resources/deployments/write",
        ids.resource_id(place.group, "Microsoft.Resources/deployments", f"{row['tier']}-{moment:%Y%m%d.%H%M}"),
        by,
        seconds=600,
    )
    for index in range(attack.chance.randint(*row["count"]) * attack.scale):
        parts = compute_parts.machine(
            attack.chance,
            place.group,
            f"{row['tier']}-{place.env}-{moment:%d%H}-{index + 1:02}",
            place.region,
            moment + timedelta(seconds=20 * index),
            size=row["size"],
            subnet=place.subnets[0],
            disk_sku="StandardSSD_LRS",
            private_address=f"10.90.{index // 200}.{10 + index % 200}",
            delete_option="Delete",
            admin="opsadmin",
            tags=tags,
        )
        for document in parts.all():
            _keep(attack, document)
        born(attack.log, parts.interface, by)
        born(attack.log, parts.machine, by)
        attack.estate.machines.append(parts.machine)


def gpu_machine(attack: Attack, row: dict[str, Any]) -> None:
    """One more GPU machine for the data scientist, from the office."""
    place = attack.estate.place(*row["into"])
    by, moment = _by(attack, row), _moment(attack, row)
    parts = compute_parts.machine(
        attack.chance,
        place.group,
        f"train-{place.env}-{attack.chance.randrange(20, 60)}",
        place.region,
        moment,
        size=row["size"],
        subnet=place.subnets[0],
        image="LinuxGpu",
        data_gb=(512,),
        disk_sku="StandardSSD_LRS",
        delete_option="Delete",
        tags=place.tags | {"project": "demand-forecast"},
    )
    for document in parts.all():
        _keep(attack, document)
    born(attack.log, parts.interface, by)
    born(attack.log, parts.machine, by)
    attack.log.operation(
        moment + timedelta(minutes=7),
        "Microsoft.Compute/virtualMachines/extensions/write",
        f"{parts.machine['id']}/extensions/NvidiaGpuDriverLinux",
        by,
        request={
            "location": place.region,
            "properties": {"publisher": "Microsoft.HpcCompute", "type": "NvidiaGpuDriverLinux", "settings": {}},
        },
        seconds=200,
    )


def fleet(attack: Attack, row: dict[str, Any]) -> None:
    """A scale set that belongs to a load test."""
    place = attack.estate.place(*row["into"])
    by, moment = _by(attack, row), _moment(attack, row)
    document = compute_parts.scale_set(
        attack.chance,
        place.group,
        f"vmss-loadgen-{moment:%d%H}",
        place.region,
        moment,
        size=row["size"],
        capacity=attack.chance.randint(*row["capacity"]) * attack.scale,
        subnet=place.subnets[0],
        tags=_tags(attack, place, row),
    )
    _keep(attack, document)
    born(attack.log, document, by)


def quota(attack: Attack, row: dict[str, Any]) -> None:
    """More vCPUs of one family at home, asked for the day before."""
    size = SIZES[row["size"]]
    region = attack.staff.company.regions[0]
    for family, title in ((size.family, size.title), ("cores", "Total Regional vCPUs")):
        put_quota(
            attack.world, region, family, title, (row["limit"] + (500 if family == "cores" else 0)) * attack.scale
        )
    target = f"{ids.SUBSCRIPTION}/providers/Microsoft.Compute/locations/{region}/providers/Microsoft.Quota/quotas/{size.family}"
    body = {
        "properties": {
            "limit": {"limitObjectType": "LimitValue", "value": row["limit"]},
            "name": {"value": size.family},
        }
    }
    attack.log.operation(
        _moment(attack, row), "Microsoft.Quota/quotas/write", target, _by(attack, row), request=body, seconds=30
    )


def day_of_work(attack: Attack, row: dict[str, Any]) -> None:
    """Ordinary operations of the person, with the second factor, from the usual address, around the time of the attack."""
    by, moment = _by(attack, row), _moment(attack, row)
    for index in range(row["count"]):
        machine = attack.chance.choice(attack.estate.machines)
        at = moment + timedelta(minutes=37 * index)
        if index % 2:
            attack.log.operation(at, "Microsoft.Compute/virtualMachines/restart/action", machine["id"], by)
        else:
            attack.log.operation(
                at,
                "Microsoft.Resources/tags/write",
                f"{machine['id']}/providers/Microsoft.Resources/tags/default",
                by,
                steps=AT_ONCE,
                request={"operation": "Merge", "properties": {"tags": {"reviewed": f"{at:%Y-%m}"}}},
                method="PATCH",
            )


def newcomer(attack: Attack, row: dict[str, Any]) -> None:
    """A colleague's first days: an Owner gives them a role from the office, and they make a machine there."""
    chance, staff = attack.chance.child("newcomer"), attack.staff
    giver = staff[row["by"]]
    first, last = chance.choice(("Ada", "Ben", "Cleo", "Dirk")), chance.choice(("Nowak", "Olsen", "Pires", "Rossi"))
    principal = Principal(
        object_id=chance.guid(),
        kind="User",
        name=f"{first} {last}",
        upn=f"{first}.{last}@{staff.company.domain}".lower(),
        tenant_id=ids.CUSTOMER_TENANT,
    )
    attack.world.principals[principal.object_id] = principal
    place = attack.estate.place(*row["into"])
    moment = _moment(attack, row)
    assignment = access.grant(
        attack.world,
        chance,
        "Contributor",
        ids.group_id(place.group),
        (principal.object_id, "User"),
        moment,
        giver.principal.object_id,
    )
    properties = assignment["properties"]
    body = {"properties": {key: properties[key] for key in ("roleDefinitionId", "principalId", "principalType")}}
    attack.log.operation(
        moment,
        "Microsoft.Authorization/roleAssignments/write",
        assignment["id"],
        caller(giver, giver.addresses[0], app_id=PORTAL_APP, role=giver.also or giver.role),
        steps=AT_ONCE,
        request=body,
        response=body | {"id": assignment["id"]},
        sub_status="Created",
    )
    by = Caller(principal, staff.company.office, "Contributor", PORTAL_APP, mfa=staff.company.second_factor)
    _machine(
        attack, place, by, moment + timedelta(hours=1.5), f"try-{place.env}-{chance.randrange(10, 99)}", row["size"]
    )


def traveller(attack: Attack, row: dict[str, Any]) -> None:
    """Somebody works from where they never were, with the second factor, within what they always do."""
    chance, actor = attack.chance.child("traveller"), attack.staff[row["by"]]
    place, moment = attack.estate.place(*row["into"]), _moment(attack, row)
    address = chance.choice((f"203.0.113.{chance.randrange(200, 250)}", f"2001:db8:77::{chance.getrandbits(16):x}"))
    by = caller(actor, address, app_id=PORTAL_APP)
    machine = chance.choice(attack.estate.machines)
    attack.log.operation(moment, "Microsoft.Compute/virtualMachines/restart/action", machine["id"], by)
    name = f"fix-{place.env}-{chance.randrange(10, 99)}"
    _machine(attack, place, by, moment + timedelta(minutes=20), name, row["size"])


def new_runner(attack: Attack, row: dict[str, Any]) -> None:
    """A pipeline's runner was replaced: the same work from another address, beside the old one or at a hosting company."""
    chance, actor = attack.chance.child("new runner"), attack.staff[row["by"]]
    place, moment = attack.estate.place(*row["into"]), _moment(attack, row)
    beside = f"198.51.100.{chance.randrange(2, 250)}"
    by = caller(actor, chance.choice((beside, f"192.0.2.{chance.randrange(2, 250)}")))
    for index, account in enumerate(attack.estate.storage[:3]):
        attack.log.operation(
            moment + timedelta(minutes=index), f"{account['type']}/write", account["id"], by, steps=AT_ONCE
        )
    name = f"run-{place.env}-{chance.randrange(10, 99)}"
    _machine(attack, place, by, moment + timedelta(minutes=9), name, row["size"])


def _machine(attack: Attack, place: Place, by: Caller, moment: datetime, name: str, size: str) -> None:
    """One machine in a place of the tenant's, made by somebody who may."""
    parts = compute_parts.machine(
        attack.chance.child(name),
        place.group,
        name,
        place.region,
        moment,
        size=size,
        subnet=place.subnets[0],
        disk_sku="StandardSSD_LRS",
        delete_option="Delete",
        tags=place.tags,
    )
    for document in parts.all():
        attack.world.resources[document["id"]] = document
    born(attack.log, parts.interface, by)
    born(attack.log, parts.machine, by)


STEPS: dict[str, Step] = {
    "newcomer": newcomer,
    "traveller": traveller,
    "new_runner": new_runner,
    "deployment": deployment,
    "gpu_machine": gpu_machine,
    "fleet": fleet,
    "quota": quota,
    "day_of_work": day_of_work,
}
