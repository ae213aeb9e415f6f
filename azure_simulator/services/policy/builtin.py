"""The built-in policy definitions that stop resources from being created or deleted, with their real ids and rules."""

from __future__ import annotations

from azure_simulator.world import Document, World

NOT_ALLOWED_TYPES = "6c112d4e-5bc7-47ae-a041-ea2d9dccd749"
ALLOWED_LOCATIONS = "e56962a6-4747-49cd-b67b-bf8b01975c4c"
ALLOWED_VM_SKUS = "cccc23c7-8427-4f53-ad12-b6a63eb452b3"
NO_DELETION_OF_TYPES = "78460a36-508a-49a4-b2b2-2f5ec564f4bb"

_EFFECT: Document = {"type": "String", "allowedValues": ["Audit", "Deny", "Disabled"], "defaultValue": "Deny"}
_DEFINITIONS: dict[str, Document] = {
    NOT_ALLOWED_TYPES: {
        "displayName": "Not allowed resource types",
        "description": "Restrict which resource types can be deployed in your environment.",
        "mode": "All",
        "metadata": {"category": "General", "version": "2.0.0"},
        "parameters": {"listOfResourceTypesNotAllowed": {"type": "Array"}, "effect": _EFFECT},
        "policyRule": {
            "if": {"field": "type", "in": "[parameters('listOfResourceTypesNotAllowed')]"},
            "then": {"effect": "[parameters('effect')]"},
        },
    },
    ALLOWED_LOCATIONS: {
        "displayName": "Allowed locations",
        "description": "Restrict the locations your organization can specify when deploying resources.",
        "metadata": {"category": "General", "version": "1.0.0"},
        "parameters": {"listOfAllowedLocations": {"type": "Array"}},
        "policyRule": {
            "if": {
                "allOf": [
                    {"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"},
                    {"field": "location", "notEquals": "global"},
                    {"field": "type", "notEquals": "Microsoft.AzureActiveDirectory/b2cDirectories"},
                ]
            },
            "then": {"effect": "deny"},
        },
    },
    ALLOWED_VM_SKUS: {
        "displayName": "Allowed virtual machine size SKUs",
        "description": "Specify a set of virtual machine size SKUs that your organization can deploy.",
        "metadata": {"category": "Compute", "version": "1.0.1"},
        "parameters": {"listOfAllowedSKUs": {"type": "Array"}},
        "policyRule": {
            "if": {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.Compute/virtualMachines"},
                    {
                        "not": {
                            "field": "Microsoft.Compute/virtualMachines/sku.name",
                            "in": "[parameters('listOfAllowedSKUs')]",
                        }
                    },
                ]
            },
            "then": {"effect": "Deny"},
        },
    },
    NO_DELETION_OF_TYPES: {
        "displayName": "Do not allow deletion of resource types",
        "description": "Blocks delete calls on the resource types that are named, by the effect denyAction.",
        "metadata": {"category": "General", "version": "1.0.1"},
        "parameters": {
            "listOfResourceTypesDisallowedForDeletion": {"type": "Array"},
            "effect": {"type": "String", "allowedValues": ["DenyAction", "Disabled"], "defaultValue": "DenyAction"},
        },
        "policyRule": {
            "if": {"field": "type", "in": "[parameters('listOfResourceTypesDisallowedForDeletion')]"},
            "then": {
                "effect": "[parameters('effect')]",
                "details": {"actionNames": ["delete"], "cascadeBehaviors": {"resourceGroup": "deny"}},
            },
        },
    },
}


def definition_id(guid: str) -> str:
    return f"/providers/Microsoft.Authorization/policyDefinitions/{guid}"


def install(world: World) -> None:
    """Put the built-in definitions into a world that lacks them."""
    for guid, properties in _DEFINITIONS.items():
        key = definition_id(guid)
        if key not in world.policy_definitions:
            world.policy_definitions[key] = {
                "id": key,
                "name": guid,
                "type": "Microsoft.Authorization/policyDefinitions",
                "properties": {"policyType": "BuiltIn", "mode": "Indexed", **properties},
            }
