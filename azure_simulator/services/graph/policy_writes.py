"""Answers of Graph to new conditional access policies, deleted ones, and security defaults switched on or off.

Security defaults and conditional access exclude each other: one is refused while the other is on. A policy needs Entra ID P1, one that asks for
the risk of a sign-in or a person P2. https://learn.microsoft.com/graph/api/conditionalaccessroot-post-policies
"""

from __future__ import annotations

from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.graph import audits, licences, store
from azure_simulator.services.graph.envelope import body_of, one, tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphNotFoundError
from azure_simulator.services.graph.policy_responses import POLICIES
from azure_simulator.world import Document, World

DEFAULTS = "identitySecurityDefaultsEnforcementPolicy"
STATES = ("enabled", "disabled", "enabledForReportingButNotEnforced")
_KNOWN = ("displayName", "state", "conditions", "grantControls", "sessionControls", "templateId", "@odata.type")
_RISKS = ("hidden", "high", "low", "medium", "none", "unknownFutureValue")
_USERS = tuple(f"{side}{name}" for side in ("include", "exclude") for name in ("Users", "Groups", "Roles"))
_CONDITIONS: Document = {
    "userRiskLevels": [],
    "signInRiskLevels": [],
    "clientAppTypes": ["all"],
    "servicePrincipalRiskLevels": [],
    "platforms": None,
    "locations": None,
    "devices": None,
    "clientApplications": None,
}


class PolicyLicenceError(ArmError):
    """403: the tenant has not bought what the policy needs."""

    def __init__(self, wanted: str) -> None:
        super().__init__(403, "AccessDenied", f"Your tenant is not licensed for this feature. It needs {wanted}.")


def create_policy(world: World, request: Request) -> Response:
    """POST /identity/conditionalAccess/policies: 201 with the policy as it is kept."""
    tenant, body = tenant_of(world, request), body_of(request)
    document = _checked(body)
    needs_risk = any(document["conditions"][name] for name in ("userRiskLevels", "signInRiskLevels"))
    if not licences.has(world, tenant, "protection" if needs_risk else "reports"):
        raise PolicyLicenceError("Microsoft Entra ID P2" if needs_risk else "Microsoft Entra ID P1")
    if _defaults_on(world, tenant):
        raise GraphBadRequestError(
            "Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy."
        )
    guid, now = world.chance.guid(), stamp(world.clock.now())
    document |= {"id": guid, "templateId": body.get("templateId"), "createdDateTime": now, "modifiedDateTime": None}
    kept = store.put(world, "conditionalAccessPolicies", guid, document, tenant=tenant)
    _note(world, request, "Add conditional access policy", kept, operation="Add")
    return Response(201, one(world, request, kept, POLICIES.path).body)


def delete_policy(world: World, request: Request) -> Response:
    """DELETE /identity/conditionalAccess/policies/{id}: 204."""
    row = store.row(world, request, "conditionalAccessPolicies", request.params["id"])
    del store.table(world, "conditionalAccessPolicies")[row["id"]]
    _note(world, request, "Delete conditional access policy", row, operation="Delete")
    return Response(204)


def patch_defaults(world: World, request: Request) -> Response:
    """PATCH /policies/identitySecurityDefaultsEnforcementPolicy with `isEnabled`: 204."""
    tenant, body = tenant_of(world, request), body_of(request)
    if not isinstance(body.get("isEnabled"), bool) or set(body) - {"isEnabled"}:
        raise GraphBadRequestError("The body must have 'isEnabled', true or false, and nothing else.")
    row = next((each for each in store.rows(world, "policies", tenant) if each["_name"] == DEFAULTS), None)
    if row is None:
        raise GraphNotFoundError(DEFAULTS)
    policies = store.rows(world, "conditionalAccessPolicies", tenant)
    if body["isEnabled"] and any(each["state"] != "disabled" for each in policies):
        raise GraphBadRequestError(
            "Conditional Access policies are enabled in the tenant. You must disable them before enabling Security Defaults."
        )
    change = audits.Change("isEnabled", row["isEnabled"], body["isEnabled"])
    row["isEnabled"] = body["isEnabled"]
    target = audits.other(row["id"], row["displayName"], "Policy")
    audits.note(world, request, "Update security defaults", "Policy", target, changes=(change,))
    return Response(204)


def _checked(body: Document) -> Document:
    if unknown := [key for key in body if key not in _KNOWN]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' is not known.")
    name, state = body.get("displayName"), body.get("state")
    if not isinstance(name, str) or not name.strip() or len(name) > 256:
        raise GraphBadRequestError("1032: 'displayName' must have 1 to 256 characters.")
    if state not in STATES:
        raise GraphBadRequestError(f"Invalid state '{state}': it must be one of {', '.join(STATES)}.")
    grant, session = body.get("grantControls") or {}, body.get("sessionControls")
    if not grant and not session:
        raise GraphBadRequestError("1011: grantControls or sessionControls must be given.")
    if not isinstance(grant, dict) or (grant and grant.get("operator") not in ("AND", "OR")):
        raise GraphBadRequestError("1012: grantControls needs an operator, AND or OR.")
    controls = grant.get("builtInControls") or []
    if "passwordChange" in controls and (set(controls) != {"mfa", "passwordChange"} or grant["operator"] != "AND"):
        raise GraphBadRequestError("1013: passwordChange must be used with mfa and the operator AND.")
    conditions = _conditions(body.get("conditions"))
    if "passwordChange" in controls and not conditions["userRiskLevels"]:
        raise GraphBadRequestError("1014: passwordChange needs a condition on the risk of the user.")
    defaults: Document = {"customAuthenticationFactors": [], "termsOfUse": [], "authenticationStrength": None}
    return {
        "displayName": name,
        "state": state,
        "conditions": conditions,
        "grantControls": defaults | grant if grant else None,
        "sessionControls": session,
    }


def _conditions(given: Any) -> Document:
    users = given.get("users") if isinstance(given, dict) else None
    applications = given.get("applications") if isinstance(given, dict) else None
    if not isinstance(users, dict) or not any(users.get(name) for name in _USERS[:3]):
        raise GraphBadRequestError("1007: conditions.users must include users, groups or roles.")
    if not isinstance(applications, dict) or not applications.get("includeApplications"):
        raise GraphBadRequestError("1008: conditions.applications must include applications.")
    for name in ("userRiskLevels", "signInRiskLevels"):
        if wrong := [level for level in given.get(name) or [] if level not in _RISKS]:
            raise GraphBadRequestError(f"1009: '{wrong[0]}' is no level of risk.")
    people: Document = {name: users.get(name) or [] for name in _USERS}
    people |= {
        f"{side}GuestsOrExternalUsers": users.get(f"{side}GuestsOrExternalUsers") for side in ("include", "exclude")
    }
    apps: Document = {
        "excludeApplications": [],
        "includeUserActions": [],
        "includeAuthenticationContextClassReferences": [],
    }
    return {
        **_CONDITIONS,
        **given,
        "users": people,
        "applications": {**apps, "applicationFilter": None, **applications},
    }


def _defaults_on(world: World, tenant: str) -> bool:
    return any(each["_name"] == DEFAULTS and each["isEnabled"] for each in store.rows(world, "policies", tenant))


def _note(world: World, request: Request, activity: str, row: Document, *, operation: str) -> None:
    target = audits.other(row["id"], row["displayName"], "Policy")
    audits.note(world, request, activity, "Policy", target, operation=operation)
