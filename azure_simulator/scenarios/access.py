"""Who may do what in the tenant: role definitions, assignments, locks and policies that were there before any incident."""

from __future__ import annotations

from datetime import datetime, timedelta

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.scenarios import documents, ids
from azure_simulator.scenarios.people import Staff
from azure_simulator.services.authorization import builtin
from azure_simulator.services.policy import builtin as policies
from azure_simulator.world import Document, World

# Built-in roles beyond those the authorization service installs: name -> (GUID, actions)
FURTHER_ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Monitoring Contributor": (
        "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
        (
            "*/read",
            "Microsoft.Insights/*",
            "Microsoft.OperationalInsights/*",
            "Microsoft.Storage/storageAccounts/listKeys/action",
        ),
    ),
    "Disk Backup Reader": (
        "3e5e47e6-65f7-47ef-90b5-e5dd4d455f24",
        ("Microsoft.Compute/disks/read", "Microsoft.Compute/disks/beginGetAccess/action"),
    ),
    "Disk Snapshot Contributor": (
        "7efff54f-a5b4-42b5-a1c5-5411624893ce",
        (
            "Microsoft.Compute/snapshots/*",
            "Microsoft.Compute/disks/beginGetAccess/action",
            "Microsoft.Compute/disks/endGetAccess/action",
            "Microsoft.Storage/storageAccounts/listKeys/action",
        ),
    ),
}

REQUIRE_TAG = "871b6d14-10aa-478d-b590-94f262ecfa99"


def define(world: World) -> None:
    """Fill the role and policy definitions that the world does not have yet."""
    builtin.install(world)
    for role, (guid, actions) in FURTHER_ROLES.items():
        identity = builtin.role_id(guid)
        permission = {"actions": list(actions), "notActions": [], "dataActions": [], "notDataActions": []}
        world.role_definitions.setdefault(
            identity,
            {
                "id": identity,
                "name": guid,
                "type": "Microsoft.Authorization/roleDefinitions",
                "properties": {
                    "roleName": role,
                    "type": "BuiltInRole",
                    "description": "",
                    "assignableScopes": ["/"],
                    "permissions": [permission],
                },
            },
        )
    policies.install(world)
    tag_rule = {
        "if": {"field": "[concat('tags[', parameters('tagName'), ']')]", "exists": "false"},
        "then": {"effect": "deny"},
    }
    identity = _policy_id(REQUIRE_TAG)
    world.policy_definitions.setdefault(
        identity,
        {
            "id": identity,
            "name": REQUIRE_TAG,
            "type": "Microsoft.Authorization/policyDefinitions",
            "properties": {
                "displayName": "Require a tag on resources",
                "policyType": "BuiltIn",
                "mode": "Indexed",
                "parameters": {"tagName": {"type": "String"}},
                "policyRule": tag_rule,
            },
        },
    )


def _policy_id(guid: str) -> str:
    return f"/providers/Microsoft.Authorization/policyDefinitions/{guid}"


def role_definition_id(world: World, role: str) -> str:
    """The id by which assignments in the subscription name a built-in role.

    Raises:
        LookupError: the world does not have that role.
    """
    for definition in world.role_definitions.values():
        if definition["properties"]["roleName"] == role:
            return builtin.role_id(definition["name"], ids.SUBSCRIPTION_GUID)
    raise LookupError(f"No role {role!r} among the definitions.")


def grant(
    world: World, chance: Chance, role: str, scope: str, principal: tuple[str, str], created: datetime, created_by: str
) -> Document:
    """Give a principal (object id, type) a built-in role at a scope."""
    document = documents.role_assignment(
        scope, chance.guid(), role_definition_id(world, role), principal, created, created_by
    )
    world.role_assignments[document["id"]] = document
    return document


def assign(world: World, chance: Chance, staff: Staff, groups_of: dict[str, list[str]], now: datetime) -> None:
    """Give everybody their roles, months ago. `groups_of` maps a workload to the names of its groups."""
    owner = staff["platform-lead"].principal.object_id
    for actor in staff.actors.values():
        scopes = (
            [ids.group_id(name) for workload in actor.covers for name in groups_of.get(workload, [])]
            if actor.covers
            else [ids.SUBSCRIPTION]
        )
        for scope in scopes:
            for role in filter(None, (actor.role, actor.also)):
                given = now - timedelta(days=100 + chance.randrange(500), minutes=chance.randrange(1440))
                grant(world, chance, role, scope, (actor.principal.object_id, actor.principal.kind), given, owner)
    long_ago = now - timedelta(days=820 + chance.randrange(200))
    for principal in (staff.partner_group, staff.break_glass):
        grant(world, chance, "Owner", ids.SUBSCRIPTION, (principal.object_id, principal.kind), long_ago, "")
    responder = (staff.responder.object_id, "ServicePrincipal")
    grant(world, chance, "Owner", ids.SUBSCRIPTION, responder, now - timedelta(days=240), owner)
    readers = staff.groups["readers"]
    grant(world, chance, "Reader", ids.SUBSCRIPTION, (readers.object_id, "Group"), long_ago, owner)
    platform = staff.groups["platform"]
    grant(
        world, chance, "Support Request Contributor", ids.SUBSCRIPTION, (platform.object_id, "Group"), long_ago, owner
    )


def protect(world: World, locked_groups: list[str], now: datetime) -> None:
    """Lock the production groups."""
    for name in locked_groups:
        document = documents.lock(
            ids.group_id(name),
            "do-not-delete",
            "CanNotDelete",
            "Production. Ask the platform team.",
            now - timedelta(days=400),
        )
        world.locks[document["id"]] = document


def govern(world: World, staff: Staff, regions: tuple[str, ...], now: datetime, *, deny: bool) -> None:
    """Assign the policies of the tenant: allowed locations (enforced when `deny`) and a required owner tag (not enforced)."""
    owner = staff["platform-lead"].principal.object_id
    rows: list[tuple[str, str, str, Document]] = [
        (
            "allowed-locations",
            "Allowed locations",
            _policy_id(policies.ALLOWED_LOCATIONS),
            {"listOfAllowedLocations": {"value": [*regions, "global"]}},
        ),
        (
            "require-owner-tag",
            "Every resource names its owner",
            _policy_id(REQUIRE_TAG),
            {"tagName": {"value": "owner"}},
        ),
    ]
    for name, title, definition, parameters in rows:
        identity = f"{ids.SUBSCRIPTION}/providers/Microsoft.Authorization/policyAssignments/{name}"
        world.policy_assignments[identity] = {
            "id": identity,
            "name": name,
            "type": "Microsoft.Authorization/policyAssignments",
            "properties": {
                "displayName": title,
                "policyDefinitionId": definition,
                "scope": ids.SUBSCRIPTION,
                "notScopes": [],
                "parameters": parameters,
                "enforcementMode": "Default" if deny and name == "allowed-locations" else "DoNotEnforce",
                "metadata": {"createdBy": owner, "createdOn": stamp(now - timedelta(days=500))},
            },
        }
