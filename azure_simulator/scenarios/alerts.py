"""The one active alert of a scenario, in the shape of the partner security alerts of Microsoft Graph."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.attack import Attack
from azure_simulator.world import Document

DETECTED_BEFORE = timedelta(minutes=90)


def raise_alert(attack: Attack) -> Document:
    """Put the alert into the world. It names only a few of the resources, as real ones do."""
    row = attack.script["alert"]
    compute = attack.rogue_compute or [each for each in attack.lookalikes if "/virtualmachine" in each.lower()]
    named = attack.chance.sample(compute or attack.rogue, min(row["names"], len(compute or attack.rogue)))
    details = dict(row["details"])
    if row["type"] == "CryptoMining":
        details["VM_IP"] = json.dumps([_public_address(attack, each) for each in named])
        details["MiningPool_IP"] = json.dumps([f"203.0.113.{attack.chance.randrange(2, 250)}"])
    elif compute:
        details["VmCount"] = str(len(compute))
        details["RegionCount"] = str(len({attack.world.resources[each]["location"] for each in compute}))
    detected = attack.now - DETECTED_BEFORE - timedelta(seconds=attack.chance.randrange(240))
    document: Document = {
        "id": f"{ids.SUBSCRIPTION_GUID}-{attack.chance.guid()}",
        "displayName": row["title"],
        "description": row["description"],
        "alertType": row["type"],
        "status": "active",
        "severity": row["severity"],
        "confidenceLevel": row["confidence"],
        "customerTenantId": ids.CUSTOMER_TENANT,
        "subscriptionId": ids.SUBSCRIPTION_GUID,
        "valueAddedResellerTenantId": None,
        "catalogOfferId": "MS-AZR-0017G",
        "detectedDateTime": stamp(detected),
        "firstObservedDateTime": stamp(_first_seen(attack, named) + timedelta(minutes=20)),
        "lastObservedDateTime": stamp(detected - timedelta(minutes=11)),
        "resolvedReason": None,
        "resolvedOnDateTime": None,
        "resolvedBy": None,
        "isTest": False,
        "affectedResources": [{"resourceId": each, "resourceType": "AzureResource"} for each in named],
        "activityLogs": [],
        "additionalDetails": details,
    }
    attack.world.alerts[document["id"]] = document
    return document


def _public_address(attack: Attack, machine_id: str) -> str:
    address = attack.world.resources.get(
        ids.resource_id(ids.group_of(machine_id), ids.PUBLIC_ADDRESS, f"{machine_id.rsplit('/', 1)[1]}-ip")
    )
    return str(address["properties"]["ipAddress"]) if address else "198.51.100.251"


def _first_seen(attack: Attack, named: list[str]) -> datetime:
    made = [str(attack.world.resources[each]["_created"]) for each in named]
    if not made:  # nothing was built
        return attack.start
    return datetime.fromisoformat(min(made)[:26] + "+00:00")
