"""Legitimate work on the day of the alert that looks like an attack to a hasty reader, and the ordinary day of the victim."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from azure_simulator.events import PORTAL_APP
from azure_simulator.scenarios import compute_parts, ids
from azure_simulator.scenarios.attack import Attack, Step
from azure_simulator.scenarios.commerce import put_quota
from azure_simulator.scenarios.estate import Place
from azure_simulator.scenarios.log import AT_ONCE, Caller, caller
from azure_simulator.scenarios.routines import born
from azure_simulator.services.compute.sizes import SIZES
from azure_simulator.world import Document


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
    return caller(actor, actor.addresses[0], app_id=PORTAL_APP)


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


STEPS: dict[str, Step] = {
    "deployment": deployment,
    "gpu_machine": gpu_machine,
    "fleet": fleet,
    "quota": quota,
    "day_of_work": day_of_work,
}
