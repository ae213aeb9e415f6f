"""Operations that tell keys, links and passwords, by what they are asked of; what is lost by each, and what a person does about it.

The activity log names them `.../list...Keys/action` and the like. What stands in no table is told all the same: by its verb.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

STORAGE: Final = "microsoft.storage/storageaccounts"
STORAGE_VERSION: Final = "2026-09-01"
KEY_NAMES: Final = ("key1", "key2")

# https://learn.microsoft.com/azure/role-based-access-control/resource-provider-operations: actions that answer a secret.
_TELLS: Final = re.compile(
    r"/(list\w*(key|keys|secret|secrets|credential|credentials|connectionstring|connectionstrings|sas|callbackurl|token|tokens)"
    r"|sharedkeys|publishxml|getsastoken|generatecredentials|regenerate\w*(key|keys|password|credential|credentials))/action$"
)
_CONFIG: Final = "microsoft.web/sites/config/list/action"
# Of no use to who has no account, or told elsewhere.
_HARMLESS: Final = frozenset(
    {
        "microsoft.containerservice/managedclusters/listclusterusercredential/action",
        "microsoft.containerservice/managedclusters/listclustermonitoringusercredential/action",
    }
)


class Told(NamedTuple):
    """What a resource of one type tells, and what a person does when the attacker has it."""

    called: str
    todo: str


KINDS: Final[Mapping[str, Told]] = {
    STORAGE: Told("storage keys", "Regenerate both keys, one after the other."),
    "microsoft.documentdb/databaseaccounts": Told(
        "keys of a Cosmos DB account",
        "Regenerate the primary and the secondary key, and both read-only ones (az cosmosdb keys regenerate), when the applications use the other.",
    ),
    "microsoft.batch/batchaccounts": Told(
        "keys of a Batch account",
        "Regenerate both keys (az batch account keys renew); look for jobs that you do not know.",
    ),
    "microsoft.containerregistry/registries": Told(
        "passwords of a container registry",
        "Regenerate both passwords (az acr credential renew) or switch the admin user off; look for images pushed since.",
    ),
    "microsoft.automation/automationaccounts": Told(
        "registration keys of an automation account", "Regenerate both keys, and look for workers that you do not know."
    ),
    "microsoft.cache/redis": Told("keys of a Redis cache", "Regenerate both keys (az redis regenerate-keys)."),
    "microsoft.cache/redisenterprise": Told("keys of a Redis cache", "Regenerate both keys of the database."),
    "microsoft.servicebus/namespaces": Told(
        "keys of a Service Bus rule", "Regenerate both keys of the authorization rule."
    ),
    "microsoft.eventhub/namespaces": Told(
        "keys of an Event Hubs rule", "Regenerate both keys of the authorization rule."
    ),
    "microsoft.relay/namespaces": Told("keys of a Relay rule", "Regenerate both keys of the authorization rule."),
    "microsoft.notificationhubs/namespaces": Told(
        "keys of a Notification Hubs rule", "Regenerate both keys of the authorization rule."
    ),
    "microsoft.devices/iothubs": Told("keys of an IoT hub", "Regenerate both keys of each shared access policy."),
    "microsoft.eventgrid/topics": Told("keys of an Event Grid topic", "Regenerate both keys of the topic."),
    "microsoft.cognitiveservices/accounts": Told(
        "keys of an AI service", "Regenerate both keys: whoever holds one uses the service at the customer's cost."
    ),
    "microsoft.search/searchservices": Told("admin keys of a search service", "Regenerate both admin keys."),
    "microsoft.operationalinsights/workspaces": Told(
        "keys of a Log Analytics workspace", "Regenerate both: whoever holds one writes false records into the log."
    ),
    "microsoft.containerservice/managedclusters": Told(
        "administrator's credential of a cluster",
        "Rotate the cluster's certificates (az aks rotate-certs) and look for new service accounts in it.",
    ),
    "microsoft.web/sites": Told(
        "publishing password or settings of an app",
        "Reset the publishing profile, and make every secret that stands in the app's settings anew.",
    ),
    "microsoft.logic/workflows": Told(
        "address of a logic app's trigger",
        "Regenerate the access key of the logic app: whoever knows the address starts it.",
    ),
    "microsoft.apimanagement/service": Told(
        "keys of API Management", "Regenerate both keys of each subscription named."
    ),
    "microsoft.signalrservice/signalr": Told("keys of a SignalR service", "Regenerate both keys."),
    "microsoft.maps/accounts": Told("keys of a Maps account", "Regenerate both keys."),
}
_ELSE: Final = Told("keys or secrets", "Make every key, link and password of it anew.")


def tells_a_secret(operation: str) -> bool:
    """Whether an operation answers keys, links or passwords. `operation` is its name in lower case."""
    return operation == _CONFIG or (operation not in _HARMLESS and _TELLS.search(operation) is not None)


def told_of(kind: str) -> Told:
    """What a resource of a type, in lower case, tells; nested types as the one that holds them."""
    while kind:
        if kind in KINDS:
            return KINDS[kind]
        kind = kind.rpartition("/")[0]
    return _ELSE


def holder_of(resource_id: str) -> str:
    """The resource itself of an id that may go on to what is below it: keys of a rule are told of its namespace's."""
    parts = resource_id.rstrip("/").split("/")
    low = [part.lower() for part in parts]
    return "/".join(parts[:9]) if len(parts) > 9 and low[3] == "resourcegroups" else resource_id.rstrip("/")
