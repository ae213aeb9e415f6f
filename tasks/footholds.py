"""The ways back that an intruder leaves in a subscription, by resource type: what each means, and whether it can be put back when it was removed.

Identities, roles and consents are apart. Api-versions without mark in the vendor's documents are assumptions; `api_versions` of
`investigate.footholds` overrules them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from firebreak.model.canonical import digest_of
from tasks.arm import AUTHORIZATION, COMPUTE, DISKS, NETWORK, Document, value_at

EXPORT: Final = "export"
FOOTHOLDS: Final = "eradicate.remove_footholds"  # the step that removes them
_AUTOMATION: Final = "2023-11-01"
_CONTENT_LOST: Final = "Its content is not told in full, so it must be made anew."


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One type. `type` keeps Azure's spelling; `lost` says what does not come back, "" when its document is enough to put it back."""

    type: str
    version: str
    called: str
    means: str
    lost: str = ""


WAYS: Final[Mapping[str, Way]] = {
    way.type.lower(): way
    for way in (
        Way(
            type="Microsoft.Automation/automationAccounts",
            version=_AUTOMATION,
            called="automation account",
            means="Its runbooks run with its own identity, on a schedule or when a web address is called.",
            lost="Its runbooks, modules and credentials are deleted with it.",
        ),
        Way(
            type="Microsoft.Automation/automationAccounts/jobSchedules",
            version=_AUTOMATION,
            called="link of runbook and schedule",
            means="It runs a runbook on a schedule.",
        ),
        Way(
            type="Microsoft.Automation/automationAccounts/runbooks",
            version=_AUTOMATION,
            called="runbook",
            means="It runs code with the identity of its automation account.",
            lost=_CONTENT_LOST,
        ),
        Way(
            type="Microsoft.Automation/automationAccounts/schedules",
            version=_AUTOMATION,
            called="schedule",
            means="It starts runbooks again and again.",
        ),
        Way(
            type="Microsoft.Automation/automationAccounts/webhooks",
            version=_AUTOMATION,
            called="webhook",
            means="Whoever knows its address starts a runbook, without signing in.",
            lost="Its address is told once, when it is made.",
        ),
        Way(
            type="Microsoft.Logic/workflows",
            version="2019-05-01",
            called="logic app",
            means="It works with its connections on a schedule or when its address is called.",
        ),
        Way(
            type="Microsoft.Web/sites/functions",
            version="2024-11-01",
            called="function",
            means="It runs code with the identity of its app.",
            lost=_CONTENT_LOST,
        ),
        Way(
            type="Microsoft.Resources/deploymentScripts",
            version="2023-08-01",
            called="deployment script",
            means="It ran code with a managed identity, and keeps its output.",
            lost=_CONTENT_LOST,
        ),
        Way(
            type="Microsoft.Compute/virtualMachines/extensions",
            version=COMPUTE,
            called="machine extension",
            means="It runs code on the machine as its administrator.",
            lost="Its protected settings are not told.",
        ),
        Way(
            type="Microsoft.Compute/virtualMachines/runCommands",
            version=COMPUTE,
            called="run command",
            means="It runs a script on the machine as its administrator.",
            lost="Its protected parameters are not told.",
        ),
        Way(
            type="Microsoft.Compute/virtualMachineScaleSets/extensions",
            version=COMPUTE,
            called="scale set extension",
            means="It runs code on each new instance as its administrator.",
            lost="Its protected settings are not told.",
        ),
        Way(
            type="Microsoft.Compute/snapshots",
            version=DISKS,
            called="snapshot",
            means="A copy of a disk that outlives it and can be downloaded.",
            lost="The copied data is deleted.",
        ),
        Way(
            type="Microsoft.Authorization/policyExemptions",
            version="2022-07-01-preview",
            called="policy exemption",
            means="It lets through what a policy denies.",
        ),
        Way(
            type="Microsoft.Authorization/roleDefinitions",
            version=AUTHORIZATION,
            called="custom role",
            means="It gives rights under a name that nobody knows; assignments of it are removed first.",
        ),
        Way(
            type="Microsoft.EventGrid/eventSubscriptions",
            version="2025-02-15",
            called="event subscription",
            means="It tells an address elsewhere what happens here, or starts code.",
            lost="The address that it called is not told in full.",
        ),
        Way(
            type="Microsoft.EventGrid/systemTopics/eventSubscriptions",
            version="2025-02-15",
            called="event subscription",
            means="It tells an address elsewhere what happens here, or starts code.",
            lost="The address that it called is not told in full.",
        ),
        Way(
            type="Microsoft.ManagedIdentity/userAssignedIdentities",
            version="2023-01-31",
            called="managed identity",
            means="Whatever it is attached to acts with its roles.",
            lost="A new one has another principal, without roles.",
        ),
        Way(
            type="Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
            version="2023-01-31",
            called="federated credential",
            means="A workflow elsewhere signs in as this identity, without a secret.",
        ),
        Way(
            type="Microsoft.ManagedServices/registrationAssignments",
            version="2022-10-01",
            called="delegation to another tenant",
            means="People of another tenant manage this subscription (Azure Lighthouse).",
        ),
        Way(
            type="Microsoft.ManagedServices/registrationDefinitions",
            version="2022-10-01",
            called="offer of a delegation",
            means="With it this subscription is delegated to people of another tenant (Azure Lighthouse).",
        ),
        Way(
            type="Microsoft.Storage/storageAccounts/localUsers",
            version="2024-01-01",
            called="local user of a storage account",
            means="It signs in to the account's files by SFTP with a password or key of its own, without an account in the directory.",
            lost="Its password and keys are told once, when they are made.",
        ),
        Way(
            type="Microsoft.ContainerRegistry/registries/tokens",
            version="2023-07-01",
            called="registry token",
            means="It signs in to the registry with a password of its own.",
            lost="Its passwords are told once, when they are made.",
        ),
        Way(
            type="Microsoft.Sql/servers/firewallRules",
            version="2021-11-01",
            called="database firewall rule",
            means="It lets an address elsewhere reach the databases.",
        ),
        Way(
            type="Microsoft.Network/networkSecurityGroups/securityRules",
            version=NETWORK,
            called="network rule",
            means="It opens a way to machines from outside.",
        ),
        Way(
            type="Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
            version=NETWORK,
            called="network peering",
            means="A network elsewhere reaches this one.",
        ),
    )
}
# What stays after the deed itself and no step takes back: told to people, with the event. Types of operations in lower case. Keys that were
# told and access to vaults have steps of their own.
LEFT_TO_PEOPLE: Final[Mapping[str, tuple[str, str, str]]] = {
    "microsoft.compute/virtualmachines/runcommand/action": (
        "run command",
        "Code ran on the machine as its administrator.",
        "Nobody can tell what it left there: rebuild the machine from a state before it.",
    ),
    "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action": (
        "run command",
        "Code ran on an instance as its administrator.",
        "Reimage the instance.",
    ),
    "microsoft.batch/batchaccounts/pools/write": (
        "Batch pool",
        "Its start task runs on every node as an administrator, and with the pool's identity.",
        "Compare its start task and identity with what they should be, reimage its nodes, and look for jobs in the account: those were not looked at.",
    ),
    "microsoft.network/networksecuritygroups/write": (
        "network security group",
        "All its rules were written at once: any of them may open a way.",
        "Compare its rules with what they should be.",
    ),
    "microsoft.network/virtualnetworks/write": (
        "network",
        "Its subnets and peerings were written at once.",
        "Compare its peerings, subnets and their security groups with what they should be.",
    ),
}
EXPORTS: Final[Mapping[str, str]] = {
    "microsoft.compute/disks/begingetaccess/action": "disk",
    "microsoft.compute/snapshots/begingetaccess/action": "snapshot",
}
# What Azure changes by itself or tells only when asked, and what no request may carry.
_NOT_CONTENT: Final = frozenset(
    {
        "accessendpoint",
        "changedtime",
        "createdtime",
        "creationtime",
        "etag",
        "lastexecutedtime",
        "lastmodifiedby",
        "lastmodifiedtime",
        "nextrun",
        "nextrunoffsetminutes",
        "provisioningstate",
        "resourceguid",
        "updatedon",
        "version",
    }
)
# What Azure sets anew when a thing is made, so that it tells apart the one that was there from the like of it.
_MADE: Final = frozenset({"createdby", "createdon", "updatedby"})
_SENT: Final = ("location", "tags", "sku", "kind", "identity", "plan")


def restorable(document: Document) -> Document:
    """What to send to have the like again: the document without what Azure adds."""
    body = _without(document, _NOT_CONTENT | _MADE)
    identity = body.get("identity")
    return body | {"identity": _identity_of(identity)} if isinstance(identity, Mapping) else body


def content_of(document: Document) -> str:
    """A digest of what a thing is, the same as long as nobody changes it or makes it anew."""
    return digest_of(_text(_without(document, _NOT_CONTENT)))


def _identity_of(told: Mapping[str, Any]) -> Document:
    """Which kind of identity and which managed ones; the ids of its principals are Azure's to give."""
    attached = told.get("userAssignedIdentities")
    kept: Document = {"type": told.get("type")}
    return kept | {"userAssignedIdentities": {name: {} for name in attached}} if attached else kept


def _without(document: Document, names: frozenset[str]) -> Document:
    properties = value_at(document, "properties")
    told = properties if isinstance(properties, Mapping) else {}
    kept = {key: value for key in _SENT if (value := value_at(document, key)) is not None}
    return kept | {"properties": {key: value for key, value in told.items() if key.lower() not in names}}


def _text(value: Any) -> Any:
    """Numbers with a fraction as text: digests take none."""
    if isinstance(value, Mapping):
        return {str(key): _text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_text(item) for item in value]
    return repr(value) if isinstance(value, float) else value
