"""Steps of an attack that cost nothing and stay: owners thrown out, own roles, automation, federated identities, alerting removed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.scenarios import access, documents, ids
from azure_simulator.scenarios.attack import Attack, Step
from azure_simulator.scenarios.attack_access import take_grant
from azure_simulator.scenarios.log import AT_ONCE, Caller
from azure_simulator.world import Document

_ASKED = ("roleName", "type", "description", "assignableScopes", "permissions")
AUTOMATION = "Microsoft.Automation/automationAccounts"
WORKFLOW = "Microsoft.Logic/workflows"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"


def _write(
    attack: Attack, at: datetime, by: Caller, document: Document, request: dict[str, Any] | None = None
) -> Document:
    """Take a resource into the world and its creation into the log."""
    attack.take(document)
    attack.world.registered_providers[ids.SUBSCRIPTION_GUID].add(str(document["type"]).split("/", 1)[0].lower())
    body = request or {"location": document.get("location", ""), "properties": document["properties"]}
    answer = body | {"id": document["id"], "name": document["name"], "type": document["type"]}
    attack.log.operation(
        at,
        f"{document['type']}/write",
        document["id"],
        by,
        steps=AT_ONCE,
        request=body,
        response=answer,
        sub_status="Created",
    )
    return document


def _group(attack: Attack, at: datetime, by: Caller) -> tuple[str, str]:
    """An own group in the first region, made on first use. No network: nothing is to run in it."""
    region = attack.regions[0]
    if region not in attack.groups:
        name = attack.chance.choice((f"rg-{attack.stem}-ops", f"{attack.stem}-shared", "rg-monitoring-core"))
        document = documents.group(name, region, at)
        attack.world.groups[document["id"]] = document
        attack.rogue_groups.append(document["id"])
        attack.log.operation(
            at,
            "Microsoft.Resources/subscriptions/resourceGroups/write",
            document["id"],
            by,
            steps=AT_ONCE,
            request={"location": region},
            sub_status="Created",
        )
        attack.groups[region] = name
    return attack.groups[region], region


def remove_owners(attack: Attack, row: dict[str, Any]) -> None:
    """Take the role of Owner away from the people named: nobody of theirs can interfere any more."""
    by = attack.intruders[row["by"]]
    people = {attack.staff[key].principal.object_id for key in row["of"]}
    if row.get("break_glass"):
        people.add(attack.staff.break_glass.object_id)
    owner = access.role_definition_id(attack.world, "Owner").lower()
    for index, (key, assignment) in enumerate(list(attack.world.role_assignments.items())):
        properties = assignment["properties"]
        if properties["principalId"] not in people or properties["roleDefinitionId"].lower() != owner:
            continue
        attack.removed.append(assignment)
        del attack.world.role_assignments[key]
        attack.log.operation(
            attack.at(row["after"] + index * 0.1),
            "Microsoft.Authorization/roleAssignments/delete",
            assignment["id"],
            by.caller(attack.chance, role=by.governing_role),
            steps=AT_ONCE,
            response=dict(assignment),
        )


def custom_role(attack: Attack, row: dict[str, Any]) -> None:
    """Define a role that may do everything under a name that nobody looks at twice, and give it to the accomplice."""
    giver, taker = attack.intruders[row["by"]], attack.intruders[row["to"]]
    guid, at = attack.chance.guid(), attack.at(row["after"])
    identity = f"{ids.SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{guid}"
    properties = {
        "roleName": row["name"],
        "type": "CustomRole",
        "description": "Reads metrics for the dashboards.",
        "assignableScopes": [ids.SUBSCRIPTION],
        "permissions": [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}],
        "createdOn": stamp(at),
        "updatedOn": stamp(at),
        "createdBy": giver.principal.object_id,
        "updatedBy": giver.principal.object_id,
    }
    attack.world.role_definitions[identity] = {
        "id": identity,
        "name": guid,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": properties,
    }
    attack.rogue_roles.append(identity)
    by = giver.caller(attack.chance, role=giver.governing_role)
    attack.log.operation(
        at,
        "Microsoft.Authorization/roleDefinitions/write",
        identity,
        by,
        steps=AT_ONCE,
        request={"properties": {key: properties[key] for key in _ASKED}},
        response={"id": identity, "properties": properties},
        sub_status="Created",
    )
    taker.role, taker.since = row["name"], attack.at(row["after"] + 2)
    document = documents.role_assignment(
        ids.SUBSCRIPTION,
        attack.chance.guid(),
        identity,
        (taker.principal.object_id, taker.principal.kind),
        taker.since,
        giver.principal.object_id,
    )
    attack.world.role_assignments[document["id"]] = document
    take_grant(attack, document, taker.since, by)


def automation(attack: Attack, row: dict[str, Any]) -> None:
    """An automation account with a runbook on a schedule that would give the way back in."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    at = attack.at(row["after"])
    group, region = _group(attack, at, by)
    name = f"aa-{attack.stem}"
    account = documents.resource(group, AUTOMATION, name, region, at, {"sku": {"name": "Basic"}, "state": "Ok"})
    _write(attack, at, by, account)
    for minutes, kind, child, properties in (
        (2, "runbooks", "Sync-Metrics", {"runbookType": "PowerShell", "state": "Published"}),
        (4, "schedules", "hourly", {"frequency": "Hour", "interval": 1, "isEnabled": True}),
    ):
        moment = attack.at(row["after"] + minutes)
        document = documents.resource(group, f"{AUTOMATION}/{kind}", f"{name}/{child}", region, moment, properties)
        _write(attack, moment, by, document)


def logic_app(attack: Attack, row: dict[str, Any]) -> None:
    """A logic app that calls home on a recurrence."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    at = attack.at(row["after"])
    group, region = _group(attack, at, by)
    definition = {
        "triggers": {"Recurrence": {"type": "Recurrence", "recurrence": {"frequency": "Hour", "interval": 4}}},
        "actions": {"HTTP": {"type": "Http", "inputs": {"method": "POST", "uri": "https://hooks.example.net/in"}}},
    }
    properties = {"state": "Enabled", "definition": definition}
    _write(attack, at, by, documents.resource(group, WORKFLOW, f"la-{attack.stem}", region, at, properties))


def federated_identity(attack: Attack, row: dict[str, Any]) -> None:
    """A managed identity that a foreign workflow may sign in as, with a role in the subscription."""
    giver = attack.intruders[row["by"]]
    by = giver.caller(attack.chance, role=giver.governing_role)
    at = attack.at(row["after"])
    group, region = _group(attack, at, by)
    name, principal_id = f"id-{attack.stem}", attack.chance.guid()
    properties = {"principalId": principal_id, "clientId": attack.chance.guid(), "tenantId": ids.CUSTOMER_TENANT}
    _write(attack, at, by, documents.resource(group, IDENTITY, name, region, at, properties))
    moment = attack.at(row["after"] + 1)
    trust = {
        "issuer": "https://token.actions.example.net",
        "subject": "repo:octo/tools:ref:refs/heads/main",
        "audiences": ["api://AzureADTokenExchange"],
    }
    kind = f"{IDENTITY}/federatedIdentityCredentials"
    _write(attack, moment, by, documents.resource(group, kind, f"{name}/ci", region, moment, trust))
    given = attack.at(row["after"] + 3)
    document = access.grant(
        attack.world,
        attack.chance,
        "Contributor",
        ids.SUBSCRIPTION,
        (principal_id, "ServicePrincipal"),
        given,
        giver.principal.object_id,
    )
    take_grant(attack, document, given, by)


def delete_alerting(attack: Attack, row: dict[str, Any]) -> None:
    """Remove what would have told: the subscription's diagnostic setting and an alert rule on role changes."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    group = ids.group_of(attack.estate.storage[0]["id"])
    rule = ids.resource_id(group, "Microsoft.Insights/activityLogAlerts", "alert-role-changes")
    for index, (operation, target) in enumerate(
        (
            (
                "Microsoft.Insights/diagnosticSettings/delete",
                f"{ids.SUBSCRIPTION}/providers/Microsoft.Insights/diagnosticSettings/to-workspace",
            ),
            ("Microsoft.Insights/activityLogAlerts/delete", rule),
        )
    ):
        attack.log.operation(attack.at(row["after"] + index), operation, target, by, steps=AT_ONCE)


def export_disks(attack: Attack, row: dict[str, Any]) -> None:
    """Ask for download links of some of the tenant's disks: nothing changes, and the data is gone."""
    by = attack.intruders[row["by"]].caller(attack.chance)
    disks = [disk for disk in attack.world.resources.of_type(ids.DISK) if disk["id"] not in attack.rogue]
    for index, disk in enumerate(attack.chance.sample(disks, row["count"])):
        attack.log.operation(
            attack.at(row["after"] + index), "Microsoft.Compute/disks/beginGetAccess/action", disk["id"], by, seconds=4
        )


STEPS: dict[str, Step] = {
    "remove_owners": remove_owners,
    "custom_role": custom_role,
    "automation": automation,
    "logic_app": logic_app,
    "federated_identity": federated_identity,
    "delete_alerting": delete_alerting,
    "export_disks": export_disks,
}
