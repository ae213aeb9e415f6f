"""Answers of Graph to what gives: methods, consents, app roles, directory roles now and eligible, trusts. The other half of `write_responses`.

Each is seen at once by everybody who reads, and stands in the audit log.
"""

from __future__ import annotations

import base64
import re
from uuid import UUID

from azure_simulator.clock import stamp
from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph import audits, directory, methods, roles, store
from azure_simulator.services.graph.envelope import body_of, context, tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphConflictError, GraphNotFoundError
from azure_simulator.services.graph.write_responses import drop_eligibility, forget_memberships
from azure_simulator.world import Document, Principal, World, public

_USERS, _APPS, _ROLES = "UserManagement", "ApplicationManagement", "RoleManagement"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def add_method(collection: str) -> Handler:
    """POST /users/{id}/authentication/phoneMethods or emailMethods: 201; one of each type at most.

    https://learn.microsoft.com/graph/api/authentication-post-phonemethods
    """

    def answer(world: World, request: Request) -> Response:
        user, body = directory.find(world, request, "User", request.params["id"]), body_of(request)
        if collection == methods.PHONE:
            kind = str(body.get("phoneType") or "")
            if kind not in methods.PHONE_IDS or not re.fullmatch(r"\+\d{1,4} ?\d{4,14}", str(body.get("phoneNumber"))):
                raise GraphBadRequestError("A phone needs a phoneType and a phoneNumber such as '+1 5555551234'.")
            guid = methods.PHONE_IDS[kind]
            details: Document = {
                "phoneNumber": body["phoneNumber"],
                "phoneType": kind,
                "smsSignInState": "notAllowedByPolicy",
            }
        else:
            if "@" not in str(body.get("emailAddress") or ""):
                raise GraphBadRequestError("An e-mail method needs an emailAddress.")
            guid, details = methods.EMAIL_ID, {"emailAddress": body["emailAddress"]}
        key = methods.key(user.object_id, guid)
        if key in store.table(world, "methods"):
            raise GraphBadRequestError("The user already has a method of this type.")
        row: Document = {"@odata.type": methods.KINDS[collection], "id": guid, **details, "createdDateTime": None}
        row |= {"_user": user.object_id, "_created": stamp(world.clock.now())}
        store.put(world, "methods", key, row, tenant=tenant_of(world, request))
        audits.note(world, request, "Admin registered security info", _USERS, audits.target(user), operation="Add")
        return _created(world, request, f"users('{user.object_id}')/authentication/{collection}/$entity", public(row))

    return answer


def add_grant(world: World, request: Request) -> Response:
    """POST /oauth2PermissionGrants: 201; 409 for a second one between the same three."""
    body = body_of(request)
    kind, person = body.get("consentType"), body.get("principalId")
    if kind not in ("AllPrincipals", "Principal") or (kind == "Principal") != bool(person):
        raise GraphBadRequestError("A grant needs a consentType, and a principalId exactly when that is 'Principal'.")
    client, resource = (_principal(world, request, body, key) for key in ("clientId", "resourceId"))
    parts = [client.object_id, resource.object_id, *([str(person)] if person else [])]
    identity = _packed(*parts)
    if identity in store.table(world, "oauth2PermissionGrants"):
        raise GraphConflictError("Permission entry already exists.")
    row: Document = {
        "id": identity,
        "clientId": client.object_id,
        "consentType": kind,
        "principalId": person or None,
        "resourceId": resource.object_id,
        "scope": str(body.get("scope") or ""),
    }
    store.put(world, "oauth2PermissionGrants", identity, row, tenant=tenant_of(world, request))
    changes = (audits.Change("DelegatedPermissionGrant.Scope", None, row["scope"]),)
    targets = (audits.target(resource), audits.target(client))
    audits.note(world, request, "Add delegated permission grant", _APPS, *targets, changes=changes, operation="Assign")
    return _created(world, request, "oauth2PermissionGrants/$entity", public(row))


def add_app_role(world: World, request: Request) -> Response:
    """POST /servicePrincipals/{id}/appRoleAssignments: 201 with another id than before."""
    body = body_of(request)
    holder, resource = (_principal(world, request, body, key) for key in ("principalId", "resourceId"))
    if request.params["id"].lower() not in (holder.object_id.lower(), resource.object_id.lower()):
        raise GraphBadRequestError("The principal of the address is neither principalId nor resourceId.")
    role_id = str(body.get("appRoleId") or "")
    for row in store.seen(world, request, "appRoleAssignments"):
        if (row["principalId"], row["resourceId"], row["appRoleId"]) == (
            holder.object_id,
            resource.object_id,
            role_id,
        ):
            raise GraphBadRequestError("Permission being assigned already exists on the object.")
    row = {
        "id": _packed(holder.object_id, world.chance.guid()),
        "appRoleId": role_id,
        "createdDateTime": stamp(world.clock.now()),
        "deletedDateTime": None,
        "principalId": holder.object_id,
        "principalType": holder.kind,
        "resourceId": resource.object_id,
    }
    store.put(world, "appRoleAssignments", row["id"], row, tenant=tenant_of(world, request))
    targets = (audits.target(resource), audits.target(holder))
    activity = "Add app role assignment to service principal"
    audits.note(world, request, activity, _APPS, *targets, operation="Assign")
    return _created(world, request, "appRoleAssignments/$entity", public(row))


def add_role_assignment(world: World, request: Request) -> Response:
    """POST /roleManagement/directory/roleAssignments: 201, for ever and at once."""
    tenant, body = tenant_of(world, request), body_of(request)
    role, who = _role(world, request, body), _principal(world, request, body, "principalId")
    identity = f"{_packed(role['id'], who.object_id)}-1"
    if f"{tenant}/{identity}" in store.table(world, "roleAssignments"):
        raise GraphConflictError("A conflicting object with one or more of the specified property values is present.")
    row: Document = {
        "id": identity,
        "principalId": who.object_id,
        "roleDefinitionId": role["id"],
        "directoryScopeId": str(body.get("directoryScopeId") or "/"),
        "_start": stamp(world.clock.now()),
        "_end": None,
        "_type": "Assigned",
        "_from": "",
    }
    store.put(world, "roleAssignments", f"{tenant}/{identity}", row, tenant=tenant)
    forget_memberships(world)
    target = audits.other(role["id"], role["displayName"], "Role")
    audits.note(world, request, "Add member to role", _ROLES, audits.target(who), target, operation="Assign")
    return _created(world, request, "roleManagement/directory/roleAssignments/$entity", roles.assignment(row))


def request_eligibility(world: World, request: Request) -> Response:
    """POST /roleManagement/directory/roleEligibilityScheduleRequests with adminAssign or adminRemove: 201, carried out at once.

    https://learn.microsoft.com/graph/api/rbacapplication-post-roleeligibilityschedulerequests
    """
    body = body_of(request)
    action = body.get("action")
    if action not in ("adminAssign", "adminRemove"):
        raise GraphBadRequestError(f"The action '{action}' is not supported here.")
    role, who = _role(world, request, body), _principal(world, request, body, "principalId")
    scope, now = str(body.get("directoryScopeId") or "/"), stamp(world.clock.now())
    if action == "adminRemove":
        drop_eligibility(world, request, role, who, scope)
    else:
        row: Document = {
            "id": world.chance.guid(),
            "principalId": who.object_id,
            "roleDefinitionId": role["id"],
            "directoryScopeId": scope,
            "_start": now,
            "_end": ((body.get("scheduleInfo") or {}).get("expiration") or {}).get("endDateTime"),
        }
        store.put(world, "roleEligibilities", row["id"], row, tenant=tenant_of(world, request))
        activity = "Add eligible member to role in PIM completed (permanent)"
        target = audits.other(role["id"], role["displayName"], "Role")
        audits.note(world, request, activity, _ROLES, audits.target(who), target, operation="Assign")
    answer: Document = {
        "id": world.chance.guid(),
        "action": action,
        "principalId": who.object_id,
        "roleDefinitionId": role["id"],
        "directoryScopeId": scope,
        "justification": body.get("justification"),
        "status": "Revoked" if action == "adminRemove" else "Provisioned",
        "createdDateTime": now,
    }
    path = "roleManagement/directory/roleEligibilityScheduleRequests/$entity"
    return _created(world, request, path, answer)


def add_trust(world: World, request: Request) -> Response:
    """POST /applications/{id}/federatedIdentityCredentials: 201; issuer and subject together are unique."""
    application = store.row(world, request, "applications", request.params["id"])
    body = body_of(request)
    if missing := [key for key in ("name", "issuer", "subject", "audiences") if not body.get(key)]:
        raise GraphBadRequestError(f"The property '{missing[0]}' is required.")
    for row in store.seen(world, request, "federatedIdentityCredentials"):
        same = row["_application"] == application["id"]
        if same and (
            row["name"] == body["name"] or (row["issuer"], row["subject"]) == (body["issuer"], body["subject"])
        ):
            raise GraphConflictError("FederatedIdentityCredential with that name, or issuer and subject, exists.")
    made: Document = {
        "id": world.chance.guid(),
        **{key: body.get(key) for key in ("name", "issuer", "subject", "audiences", "description")},
        "_application": application["id"],
    }
    store.put(world, "federatedIdentityCredentials", made["id"], made, tenant=tenant_of(world, request))
    target = audits.other(application["id"], application["displayName"], "Application")
    audits.note(world, request, "Update application", _APPS, target)
    return _created(world, request, "federatedIdentityCredentials/$entity", public(made))


def _role(world: World, request: Request, body: Document) -> Document:
    found = roles.definitions(world, tenant_of(world, request)).get(str(body.get("roleDefinitionId") or "").lower())
    if found is None:
        raise GraphNotFoundError(str(body.get("roleDefinitionId")))
    return found


def _principal(world: World, request: Request, body: Document, key: str) -> Principal:
    name = str(body.get(key) or "")
    if not _GUID.fullmatch(name):
        raise GraphBadRequestError(f"The property '{key}' must be the id of an object.")
    return directory.find(world, request, "", name)


def _packed(*guids: str) -> str:
    raw = b"".join(UUID(guid).bytes_le for guid in guids)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _created(world: World, request: Request, path: str, body: Document) -> Response:
    return Response(201, {"@odata.context": context(world, request, path), **body})
