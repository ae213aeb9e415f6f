"""Answers of Graph to what takes away: methods, consents, app roles, roles, trusts; a policy that is changed, risks that are judged.

Each is 204, is seen at once by everybody who reads, and stands in the audit log.
"""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph import audits, directory, methods, store
from azure_simulator.services.graph.envelope import body_of, tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphNotFoundError
from azure_simulator.services.graph.roles import definitions
from azure_simulator.world import Document, Principal, World

_USERS, _APPS = "UserManagement", "ApplicationManagement"


def delete_method(collection: str) -> Handler:
    """DELETE /users/{id}/authentication/{collection}/{method}."""

    def answer(world: World, request: Request) -> Response:
        user = directory.find(world, request, "User", request.params["id"])
        key = methods.key(user.object_id, request.params["method"])
        row = store.table(world, "methods").get(key)
        if row is None or row["@odata.type"] != methods.KINDS[collection]:
            raise GraphNotFoundError(request.params["method"])
        if collection == methods.PASSWORD:
            raise GraphBadRequestError("A password cannot be deleted.")
        del store.table(world, "methods")[key]
        audits.note(world, request, "Admin deleted security info", _USERS, audits.target(user), operation="Delete")
        return Response(204)

    return answer


def delete_grant(world: World, request: Request) -> Response:
    """DELETE /oauth2PermissionGrants/{id}."""
    row = store.row(world, request, "oauth2PermissionGrants", request.params["id"])
    del store.table(world, "oauth2PermissionGrants")[row["id"]]
    audits.note(
        world,
        request,
        "Remove delegated permission grant",
        _APPS,
        *_principals(world, row, "clientId"),
        operation="Unassign",
    )
    return Response(204)


def delete_app_role(world: World, request: Request) -> Response:
    """DELETE /servicePrincipals/{id}/appRoleAssignments/{assignment} or .../appRoleAssignedTo/{assignment}."""
    row = store.row(world, request, "appRoleAssignments", request.params["assignment"])
    if request.params["id"].lower() not in (row["principalId"].lower(), row["resourceId"].lower()):
        raise GraphNotFoundError(request.params["assignment"])
    del store.table(world, "appRoleAssignments")[row["id"]]
    activity = "Remove app role assignment from service principal"
    audits.note(world, request, activity, _APPS, *_principals(world, row, "principalId"), operation="Unassign")
    return Response(204)


def delete_role_assignment(world: World, request: Request) -> Response:
    """DELETE /roleManagement/directory/roleAssignments/{id}; the last Global Administrator stays."""
    tenant = tenant_of(world, request)
    row = store.row(world, request, "roleAssignments", f"{tenant}/{request.params['id']}")
    role = definitions(world, tenant)[row["roleDefinitionId"]]
    same = [each for each in store.seen(world, request, "roleAssignments") if each["roleDefinitionId"] == role["id"]]
    if role["displayName"] == "Global Administrator" and len(same) == 1:
        raise GraphBadRequestError("The last Global Administrator of the tenant cannot be removed.")
    del store.table(world, "roleAssignments")[f"{tenant}/{row['id']}"]
    forget_memberships(world)
    target = audits.other(role["id"], role["displayName"], "Role")
    who = _principals(world, row, "principalId")
    audits.note(world, request, "Remove member from role", "RoleManagement", *who, target, operation="Unassign")
    return Response(204)


def drop_eligibility(world: World, request: Request, role: Document, who: Principal, scope: str) -> None:
    """Take away that somebody may take up a role.

    Raises:
        GraphNotFoundError: nothing of the kind.
    """
    wanted = (who.object_id, role["id"], scope)
    for row in store.seen(world, request, "roleEligibilities"):
        if (row["principalId"], row["roleDefinitionId"], row["directoryScopeId"]) == wanted:
            del store.table(world, "roleEligibilities")[row["id"]]
            target = audits.other(role["id"], role["displayName"], "Role")
            activity = "Remove eligible member from role in PIM completed (permanent)"
            audits.note(world, request, activity, "RoleManagement", audits.target(who), target, operation="Unassign")
            return
    raise GraphNotFoundError(who.object_id)


def forget_memberships(world: World) -> None:
    """Have who holds what worked out anew."""
    world.memory.pop("graph.memberships", None)


def delete_trust(world: World, request: Request) -> Response:
    """DELETE /applications/{id}/federatedIdentityCredentials/{trust}."""
    application = store.row(world, request, "applications", request.params["id"])
    row = store.row(world, request, "federatedIdentityCredentials", request.params["trust"])
    if row["_application"] != application["id"]:
        raise GraphNotFoundError(request.params["trust"])
    del store.table(world, "federatedIdentityCredentials")[row["id"]]
    target = audits.other(application["id"], application["displayName"], "Application")
    audits.note(world, request, "Update application", _APPS, target)
    return Response(204)


def patch_policy(world: World, request: Request) -> Response:
    """PATCH /identity/conditionalAccess/policies/{id}: `state`, `displayName`, `conditions`, `grantControls`."""
    row = store.row(world, request, "conditionalAccessPolicies", request.params["id"])
    body = body_of(request)
    known = ("state", "displayName", "conditions", "grantControls", "sessionControls")
    if unknown := [key for key in body if key not in known]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' cannot be updated.")
    states = ("enabled", "disabled", "enabledForReportingButNotEnforced")
    if body.get("state", "enabled") not in states:
        raise GraphBadRequestError(f"Invalid state '{body['state']}': it must be one of {', '.join(states)}.")
    before = {key: row[key] for key in body}
    for key, value in body.items():
        row[key] = {**row[key], **value} if isinstance(value, dict) and isinstance(row[key], dict) else value
    row["modifiedDateTime"] = stamp(world.clock.now())
    change = audits.Change("ConditionalAccessPolicy", before, body)
    target = audits.other(row["id"], row["displayName"], "Policy")
    audits.note(world, request, "Update conditional access policy", "Policy", target, changes=(change,))
    return Response(204)


def judge(collection: str, field: str, state: str) -> Handler:
    """POST riskyUsers/confirmCompromised or dismiss, and the same for service principals: 204, whoever was at risk or not."""

    def answer(world: World, request: Request) -> Response:
        ids = body_of(request).get(field)
        if not isinstance(ids, list) or not ids:
            raise GraphBadRequestError(f"'{field}' must be a list of ids.")
        subject = "User" if field == "userIds" else "ServicePrincipal"
        for each in ids:
            principal = directory.find(world, request, subject, str(each))
            row: Document = store.table(world, collection).get(principal.object_id) or {"id": principal.object_id}
            confirmed = state == "confirmedCompromised"
            detail = f"adminConfirmed{subject}Compromised" if confirmed else f"adminDismissedAllRiskFor{subject}"
            row |= {
                "riskLevel": "high" if confirmed else "none",
                "riskState": state,
                "riskDetail": detail,
                "riskLastUpdatedDateTime": stamp(world.clock.now()),
            }
            store.put(world, collection, principal.object_id, row, tenant=tenant_of(world, request))
        return Response(204)

    return answer


def _principals(world: World, row: Document, key: str) -> list[Document]:
    found = world.principals.get(row[key])
    return [audits.target(found)] if found else []
