"""Things of the control plane that an intruder deletes to be alone and unseen, by type: what each is, and which parts of a document make it again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from firebreak.analysis import documents as doc
from tasks.arm import AUTHORIZATION, LOCKS, POLICY

ASSIGNMENTS: Final = "microsoft.authorization/roleassignments"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One type. `type` keeps Azure's spelling; `properties` are those that a request may carry (empty: all but what Azure writes itself)."""

    type: str
    version: str
    called: str
    means: str
    properties: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # members of the document beside its properties


_KEPT: Final = (
    Kept(
        type="Microsoft.Authorization/roleAssignments",
        version=AUTHORIZATION,
        called="role assignment",
        means="Without it somebody of the customer's is locked out.",
        properties=(
            *("roleDefinitionId", "principalId", "principalType", "condition", "conditionVersion"),
            *("delegatedManagedIdentityResourceId", "description"),
        ),
    ),
    Kept(
        type="Microsoft.Authorization/roleDefinitions",
        version=AUTHORIZATION,
        called="custom role",
        means="Without it nobody can be given these rights again.",
        properties=("roleName", "type", "description", "assignableScopes", "permissions"),
    ),
    Kept(
        type="Microsoft.Authorization/policyAssignments",
        version=POLICY,
        called="policy assignment",
        means="Without it what the policy denies is allowed.",
        properties=(
            *("displayName", "description", "policyDefinitionId", "definitionVersion", "parameters", "notScopes"),
            *("enforcementMode", "nonComplianceMessages", "resourceSelectors", "overrides", "metadata"),
        ),
        beside=("location", "identity"),
    ),
    Kept(
        type="Microsoft.Authorization/locks",
        version=LOCKS,
        called="lock",
        means="Without it what lies below can be deleted by a slip.",
        properties=("level", "notes", "owners"),
    ),
    Kept(
        type="Microsoft.Insights/diagnosticSettings",
        version="2021-05-01-preview",
        called="diagnostic setting",
        means="Without it the log is not kept where the customer looks for it.",
        properties=(
            *("workspaceId", "storageAccountId", "eventHubAuthorizationRuleId", "eventHubName", "serviceBusRuleId"),
            *("marketplacePartnerId", "logAnalyticsDestinationType", "logs", "metrics"),
        ),
    ),
    Kept(
        type="Microsoft.Insights/activityLogAlerts",
        version="2020-10-01",
        called="alert rule",
        means="Without it nobody is told of what it watched for.",
        beside=("location", "tags"),
    ),
    Kept(
        type="Microsoft.Insights/actionGroups",
        version="2023-01-01",
        called="action group",
        means="Without it alerts reach nobody.",
        beside=("location", "tags"),
    ),
)
KEPT: Final[Mapping[str, Kept]] = {one.type.lower(): one for one in _KEPT}
# What Azure writes itself, in any of the documents.
_NOT_ASKED: Final = frozenset({"provisioningstate", "createdon", "updatedon", "createdby", "updatedby", "scope"})


def body_of(kind: str, document: Any) -> dict[str, Any] | None:
    """The body that makes a thing again, from its document or from a request that made it; None when there is not enough."""
    kept, properties = KEPT[kind], doc.mapping(document, "properties")
    chosen = {
        key: value
        for key, value in properties.items()
        if value is not None
        and (key in kept.properties if kept.properties else key.lower() not in _NOT_ASKED and not key.startswith("_"))
    }
    if isinstance(chosen.get("metadata"), Mapping):
        chosen["metadata"] = {k: v for k, v in chosen["metadata"].items() if k.lower() not in _NOT_ASKED}
    if not chosen or not all(chosen.get(name) for name in _NEEDED.get(kind, ())):
        return None
    beside = {name: doc.field(document, name) for name in kept.beside}
    if isinstance(beside.get("identity"), Mapping):
        beside["identity"] = {"type": str(doc.field(beside["identity"], "type") or "None")}
    return {name: value for name, value in beside.items() if value} | {"properties": chosen}


_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    ASSIGNMENTS: ("roleDefinitionId", "principalId"),
    "microsoft.authorization/roledefinitions": ("roleName", "permissions"),
    "microsoft.authorization/policyassignments": ("policyDefinitionId",),
    "microsoft.authorization/locks": ("level",),
}


def last_known(
    kind: str, resource_id: str, events: Iterable[Any], deleted_at: str, theirs: Collection[str] = ()
) -> tuple[dict[str, Any] | None, str]:
    """What the log tells of a deleted thing: the deletion's own answer, else the newest write before it; and where that stands, for people.

    `events` are those of the thing, in any order; `deleted_at` is the deletion's time as the log writes it. `theirs` are the ids of the attacker's
    own writes of it: what they wrote is not what it was, so the newest write before of somebody else's counts, or nothing does.
    """
    rows = sorted(
        (row for row in events if doc.path(row, "resourceId").lower() == resource_id.lower()),
        key=lambda row: doc.text(row, "eventTimestamp"),
        reverse=True,
    )
    for row in rows:
        name, at = doc.text(row, "operationName").lower(), doc.text(row, "eventTimestamp")
        if (
            name == f"{kind}/delete"
            and not theirs
            and (body := body_of(kind, doc.mapping(row, "properties", "responseBody")))
        ):
            return body, f"the deletion's own record of {at[:16].replace('T', ' ')}Z"
    for row in rows:
        name, at = doc.text(row, "operationName").lower(), doc.text(row, "eventTimestamp")
        if name != f"{kind}/write" or at > deleted_at or doc.text(row, "status").lower() == "failed":
            continue
        if doc.text(row, "eventDataId") in theirs or doc.path(row, "id") in theirs:
            continue
        for where in ("responseBody", "requestbody"):
            if body := body_of(kind, doc.mapping(row, "properties", where)):
                return body, f"the record of {at[:16].replace('T', ' ')}Z, when it was last written"
    return None, ""
