"""Worlds made from public recordings: sample events of Stratus Red Team (DataDog) and recorded Resource Manager sessions of Cloud Custodian.

Both are Apache-2.0 and lie with their licences in `incidents/sources`. What a sample leaves open (placeholders, ids that its authors removed,
the claims of the token) is filled in with a person and the subscription of the embedded Azure; nothing of what it does say is changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.events import event
from azure_simulator.world import Document, Principal, World
from tests.library.worlds import NOW, thinned

SOURCES = Path(__file__).parent.parent.parent / "incidents" / "sources"
_COMPUTE = ("microsoft.compute/", "microsoft.containerservice/", "microsoft.insights/autoscale")
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def attack_techniques(seed: int) -> World:
    """A tenant at peace, and in its log of the last hours the sample events of eight attack techniques, by one stolen session."""
    world = _at_peace(seed)
    chance = Chance(seed).child("techniques")
    thief = next(row for row in world.principals.values() if row.kind == "User" and row.upn)
    moment = NOW - timedelta(hours=5)
    for file in sorted((SOURCES / "stratus-red-team").glob("azure.*.json")):
        moment += timedelta(minutes=11)
        world.events.append(_event(world, chance, json.loads(file.read_text(encoding="utf-8")), thief, moment))
    world.events.sort(key=lambda row: str(row["eventTimestamp"]))
    world.truth["attackers"] = [{"principal_id": thief.object_id}]
    world.truth["verdict"] = "fraud"
    machine = next(row["resourceId"] for row in world.events if "vm-4x3tj2hb" in row["resourceId"])
    _say(world, "ARM_SuspiciousOperations", "Action required: suspicious management operations", [machine])
    return world


def recorded_estate(seed: int) -> World:
    """A tenant whose compute, disks and role assignments are those of the recorded sessions, and an alert that is wrong about an old machine."""
    world = _at_peace(seed)
    subscription = next(iter(world.subscriptions))
    kept = [row for row in world.resources.values() if not str(row["type"]).lower().startswith(_COMPUTE)]
    gone = {key for key in world.resources if world.resources[key] not in kept}
    for key in gone:
        del world.resources[key]
    world.costs[:] = [row for row in world.costs if row.resource_id.lower() not in gone]
    machines = _bodies("VMTest.virtual_machine_instance.json", subscription)[1]
    found = [machines, *_listed("VMSSTest.test_find_by_name.json", subscription)]
    found += _listed("DiskTest.test_find_by_name.json", subscription)
    for document in found:
        _put(world, document)
    for document in _listed("AccessControlTest.test_find_assignments_by_resources.json", subscription):
        if str(document["properties"]["scope"]).lower() == subscription.lower():
            world.role_assignments[document["id"]] = document
    world.truth["verdict"] = "legitimate"
    _say(world, "CryptoMining", "Action required: a virtual machine talked to a mining pool", [machines["id"]])
    return world


def _at_peace(seed: int) -> World:
    """The false alarm without its burst of machines: what is left is weeks of ordinary work."""
    world = thinned("false-alarm", seed=seed)
    burst = {name.lower() for name in world.truth["lookalikes"]}
    for name in burst:
        world.resources.pop(name, None)
    world.events[:] = [row for row in world.events if str(row["resourceId"]).lower() not in burst]
    world.costs[:] = [row for row in world.costs if row.resource_id.lower() not in burst]
    return world


def _put(world: World, document: Document) -> None:
    """Put a recorded resource and its group into the world, as old as it is."""
    properties = document["properties"]
    born = str(properties.get("timeCreated") or "2019-05-01T21:50:23.5020492Z").replace("+00:00", "Z")
    group = "/".join(document["id"].split("/")[:5])
    if group not in world.groups:
        world.groups[group] = {
            "id": group,
            "name": group.rsplit("/", 1)[1],
            "type": "Microsoft.Resources/resourceGroups",
            "location": document["location"],
            "properties": {"provisioningState": "Succeeded"},
        }
    view = properties.pop("instanceView", {})
    codes = [str(row.get("code", "")) for row in view.get("statuses", ())]
    power = next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "")
    if power:
        properties["_power"] = power
    world.resources[document["id"]] = {**document, "_created": born, "_changed": born}


def _say(world: World, kind: str, title: str, resources: Iterable[str]) -> None:
    alert = next(iter(world.alerts.values()))
    alert.update(
        alertType=kind,
        displayName=title,
        severity="medium",
        affectedResources=[{"resourceId": name, "resourceType": "AzureResource"} for name in resources],
        additionalDetails={},
    )


def _bodies(name: str, subscription: str) -> list[Any]:
    """The answers of a recorded session, about another subscription."""
    text = (SOURCES / "cloud-custodian" / name).read_text(encoding="utf-8")
    theirs = re.search(rf"/subscriptions/({_GUID})/", text)
    assert theirs is not None, name
    document = json.loads(text.replace(theirs[1], subscription.rsplit("/", 1)[1]))
    return [row["response"]["body"]["data"] for row in document["interactions"]]


def _listed(name: str, subscription: str) -> list[Document]:
    return list(_bodies(name, subscription)[0]["value"])


def _event(world: World, chance: Chance, sample: Document, thief: Principal, at: datetime) -> Document:
    """The sample as an event of the activity log: what it says is kept, what it leaves out is filled in."""
    subscription = next(iter(world.subscriptions))
    told = sample.get("operationName", {}).get("value") or sample["properties"]["message"]
    place = str(sample.get("resourceId") or sample["properties"].get("entity") or "")
    outcome = sample.get("status", {}).get("value") or sample.get("evt", {}).get("outcome", "Succeeded")
    status = {"Success": "Succeeded", "Start": "Started"}.get(outcome, outcome)
    resource_id = _in(subscription, place, told)
    whole = event(
        chance,
        at=at,
        operation=told,
        resource_id=resource_id,
        principal=thief,
        address="203.0.113.77",
        status=status,
        correlation_id=chance.guid(),
        subscription_id=subscription.rsplit("/", 1)[1],
        tenant_id=world.tenant_id,
        role="Owner",
        method="POST" if told.lower().endswith("/action") else "PUT",
        mfa=False,
    )
    properties = {**sample.get("properties", {}), "entity": resource_id, "hierarchy": subscription.rsplit("/", 1)[1]}
    return {
        **whole,
        **{name: sample[name] for name in ("operationName", "status", "subStatus", "category") if name in sample},
        "properties": {**whole["properties"], **properties},
    }


def _in(subscription: str, place: str, operation: str) -> str:
    """The resource of a sample in our subscription; placeholders become names."""
    named = re.sub(r"<([a-z-]+)>", r"\1", place)
    tail = re.split(r"(?i)/resourcegroups/", named, maxsplit=1)[-1]
    if tail == named:  # a resource group right below the subscription's placeholder, or nothing at all
        tail = (
            named.split("/", 3)[-1] if named.count("/") > 2 else f"rg/providers/{operation.rsplit('/', 1)[0]}/unnamed"
        )
    return f"{subscription}/resourceGroups/{tail}"
