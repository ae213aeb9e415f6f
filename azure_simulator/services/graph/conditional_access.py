"""What conditional access made of a sign-in: each policy of the tenant, as it stood then, and how it came out.

A policy that was changed keeps what it was before as `_before`: {"until": when it was changed, "document": the policy then}.
"""

from __future__ import annotations

from typing import Any

from azure_simulator.services.graph.permissions import groups_of
from azure_simulator.services.graph.store import rows
from azure_simulator.world import Document, Principal, World

_LEGACY = ("Authenticated SMTP", "IMAP4", "POP3", "Exchange ActiveSync", "Other clients")


def applied(
    world: World, tenant: str, user: Principal, resource: str, client: str, at: str, *, mfa: bool, risk: str = "none"
) -> tuple[str, list[Document]]:
    """The status of a successful sign-in (success or notApplied) and the policies behind it. `at` is a stamp."""
    memberships = _memberships(world, tenant, user, at)
    found = []
    for current in rows(world, "conditionalAccessPolicies", tenant):
        if current["createdDateTime"] > at:
            continue
        before: Document = current.get("_before") or {}
        policy: Document = before["document"] if before and at < before["until"] else current
        found.append(_outcome(policy, memberships, resource, client, mfa=mfa, risk=risk))
    enforced = any(row["result"] == "success" for row in found)
    return ("success" if enforced else "notApplied"), found


def _memberships(world: World, tenant: str, user: Principal, at: str) -> set[str]:
    """The user, the groups, the directory roles at that time and the word "guest", as a policy may name them."""
    cache: dict[str, tuple[set[str], list[Document]]] = world.memory.setdefault("graph.memberships", {})
    if user.object_id not in cache:
        holders = {user.object_id, *groups_of(world, user.object_id)}
        if "#ext#" in user.upn.lower():
            holders.add("guest")
        given = [row for row in rows(world, "roleAssignments", tenant) if row["principalId"] in holders]
        cache[user.object_id] = (holders, given)
    holders, given = cache[user.object_id]
    return holders | {
        row["roleDefinitionId"]
        for row in given
        if str(row.get("_start") or "") <= at and (not row.get("_end") or at < row["_end"])
    }


def _outcome(policy: Document, memberships: set[str], resource: str, client: str, *, mfa: bool, risk: str) -> Document:
    reported = policy["state"] == "enabledForReportingButNotEnforced"
    controls: list[str] = policy["grantControls"]["builtInControls"]
    missing = _missing(policy["conditions"], memberships, resource, client, risk)
    if policy["state"] == "disabled":
        result = "notEnabled"
    elif missing:
        result = "reportOnlyNotApplied" if reported else "notApplied"
    else:
        met = mfa and "mfa" in controls
        result = (
            ("reportOnlySuccess" if met else "reportOnlyFailure") if reported else ("success" if met else "failure")
        )
    return {
        "id": policy["id"],
        "displayName": policy["displayName"],
        "enforcedGrantControls": [control.capitalize() for control in controls],
        "enforcedSessionControls": [],
        "result": result,
        "conditionsSatisfied": "none" if missing else "application,users",
        "conditionsNotSatisfied": ",".join(missing) or "none",
    }


def _missing(conditions: dict[str, Any], memberships: set[str], resource: str, client: str, risk: str) -> list[str]:
    """The conditions that a sign-in does not meet."""
    users, found = conditions["users"], []
    included = {*users["includeUsers"], *users["includeGroups"], *users["includeRoles"]}
    excluded = {*users["excludeUsers"], *users["excludeGroups"], *users["excludeRoles"]}
    if users["excludeGuestsOrExternalUsers"]:
        excluded.add("guest")
    if not ("All" in included or included & memberships) or excluded & memberships:
        found.append("users")
    applications = conditions["applications"]["includeApplications"]
    if "All" not in applications and resource not in applications:
        found.append("application")
    if "all" not in conditions["clientAppTypes"] and client not in _LEGACY:
        found.append("clientType")
    if conditions["signInRiskLevels"] and risk not in conditions["signInRiskLevels"]:
        found.append("signInRisk")
    return found
