"""Answers of Graph: applications, service principals, their owners, what they were consented to, and trusts in other issuers."""

from __future__ import annotations

from typing import Any

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import audits, credentials, directory
from azure_simulator.services.graph.envelope import Collection, body_of, expands, is_beta, listed, one, selects
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphNotFoundError
from azure_simulator.services.graph.store import row, seen, table
from azure_simulator.services.graph.user_responses import ADVANCED, switch
from azure_simulator.world import Document, Principal, World, public

_TEXT = "eq ne not in startswith"
_CREDENTIALS = {f"{kind}/keyId": "eq" for kind in (credentials.PASSWORD, credentials.KEY)}
APPLICATIONS = Collection(
    "applications",
    {
        "id": "eq ne in",
        "appId": "eq ne in",
        "displayName": f"{_TEXT} ge le",
        "createdDateTime": "eq ne not ge le in",
        "signInAudience": "eq ne not",
        "publisherDomain": "eq ne ge le startswith",
        **_CREDENTIALS,
    },
    advanced=ADVANCED,
    order=("displayName", "createdDateTime"),
)
SERVICE_PRINCIPALS = Collection(
    "servicePrincipals",
    {
        "id": "eq ne in",
        "appId": "eq ne in",
        "displayName": f"{_TEXT} ge le",
        "accountEnabled": "eq ne not in",
        "servicePrincipalType": _TEXT,
        "appOwnerOrganizationId": "eq",
        "servicePrincipalNames": "eq startswith",
        "tags": "eq startswith",
        **_CREDENTIALS,
    },
    advanced=ADVANCED,
    order=("displayName",),
)
GRANTS = Collection(
    "oauth2PermissionGrants", {"clientId": "eq", "consentType": "eq", "principalId": "eq", "resourceId": "eq"}
)
ASSIGNED = Collection("appRoleAssignments", {"resourceId": "eq", "principalId": "eq", "appRoleId": "eq"})
OWNERS = Collection("directoryObjects")
TRUSTS = Collection("federatedIdentityCredentials", {"name": "eq", "issuer": "eq", "subject": "eq"})
_BY_APP_ID = "(appid='"


def list_applications(world: World, request: Request) -> Response:
    """GET /applications, with `$expand=owners`."""
    owners = "owners" in expands(request, ("owners",))
    found = [_application(world, each, owners=owners) for each in seen(world, request, "applications")]
    return listed(world, request, found, APPLICATIONS)


def get_application(world: World, request: Request) -> Response:
    return one(world, request, _application(world, _found_application(world, request)), "applications")


def _application(world: World, document: Document, *, owners: bool = False) -> Document:
    found = public(document) | credentials.shown(world, document["id"])
    return found | ({"owners": _owners(world, document)} if owners else {})


def _found_application(world: World, request: Request) -> Document:
    name = request.params["id"].lower()
    if name.startswith(_BY_APP_ID):
        wanted = name[len(_BY_APP_ID) :].rstrip("')")
        for document in seen(world, request, "applications"):
            if document["appId"].lower() == wanted:
                return document
    return row(world, request, "applications", name)


def application_owners(world: World, request: Request) -> Response:
    return listed(world, request, _owners(world, _found_application(world, request)), OWNERS)


def list_trusts(world: World, request: Request) -> Response:
    """GET /applications/{id}/federatedIdentityCredentials."""
    application = _found_application(world, request)
    found = [
        public(each)
        for each in seen(world, request, "federatedIdentityCredentials")
        if each["_application"] == application["id"]
    ]
    return listed(world, request, found, TRUSTS)


def list_service_principals(world: World, request: Request) -> Response:
    found = [directory.shown(world, p) for p in directory.principals(world, request, "ServicePrincipal")]
    return listed(world, request, found, SERVICE_PRINCIPALS)


def _service_principal(world: World, request: Request) -> Principal:
    name = request.params["id"]
    if name.lower().startswith(_BY_APP_ID):
        wanted = name[len(_BY_APP_ID) :].rstrip("')").lower()
        for found in directory.principals(world, request, "ServicePrincipal"):
            if found.app_id.lower() == wanted:
                return found
        raise GraphNotFoundError(name)
    return directory.find(world, request, "ServicePrincipal", name)


def get_service_principal(world: World, request: Request) -> Response:
    return one(world, request, directory.shown(world, _service_principal(world, request)), "servicePrincipals")


def service_principal_owners(world: World, request: Request) -> Response:
    principal = _service_principal(world, request)
    profile = table(world, "servicePrincipals").get(principal.object_id) or {}
    return listed(world, request, _owners(world, profile), OWNERS)


def _owners(world: World, document: Document) -> list[Document]:
    ids = document.get("_owners", ())
    return [directory.typed(world, world.principals[each]) for each in ids if each in world.principals]


def app_role_assignments(world: World, request: Request) -> Response:
    """GET /servicePrincipals/{id}/appRoleAssignments: the app roles that it was given."""
    return _assigned(world, request, "principalId", _service_principal(world, request).object_id)


def app_role_assigned_to(world: World, request: Request) -> Response:
    """GET /servicePrincipals/{id}/appRoleAssignedTo: who was given app roles of it."""
    return _assigned(world, request, "resourceId", _service_principal(world, request).object_id)


def user_app_role_assignments(world: World, request: Request) -> Response:
    user = directory.find(world, request, "User", request.params["id"])
    return _assigned(world, request, "principalId", user.object_id)


def _assigned(world: World, request: Request, key: str, identity: str) -> Response:
    found = [_named(world, each) for each in seen(world, request, "appRoleAssignments") if each[key] == identity]
    return listed(world, request, found, ASSIGNED)


def _named(world: World, document: Document) -> Document:
    """The assignment with the names that both sides have now."""
    principal, resource = (world.principals.get(document[key]) for key in ("principalId", "resourceId"))
    return public(document) | {
        "principalDisplayName": principal.name if principal else None,
        "resourceDisplayName": resource.name if resource else None,
    }


def list_grants(world: World, request: Request) -> Response:
    """GET /oauth2PermissionGrants; beta still answers the times that mean nothing any more."""
    return _grants(world, request, "", "")


def service_principal_grants(world: World, request: Request) -> Response:
    return _grants(world, request, "clientId", _service_principal(world, request).object_id)


def user_grants(world: World, request: Request) -> Response:
    user = directory.find(world, request, "User", request.params["id"])
    return _grants(world, request, "principalId", user.object_id)


def _grants(world: World, request: Request, key: str, identity: str) -> Response:
    times: dict[str, Any] = {"startTime": "0001-01-01T00:00:00Z", "expiryTime": "9999-12-31T23:59:59.9999999Z"}
    found = [
        public(each) | (times if is_beta(request) or selects(request, "startTime") else {})
        for each in seen(world, request, "oauth2PermissionGrants")
        if not key or each[key] == identity
    ]
    return listed(world, request, found, GRANTS)


def patch_service_principal(world: World, request: Request) -> Response:
    """PATCH `accountEnabled`, or `keyCredentials` with those that stay: 204."""
    principal, body = _service_principal(world, request), body_of(request)
    if "keyCredentials" in body:
        credentials.keep_keys(world, principal.object_id, body["keyCredentials"])
        activity = "Remove service principal credentials"
        audits.note(world, request, activity, "ApplicationManagement", audits.target(principal))
    return switch(world, request, principal, ("keyCredentials",))


def patch_application(world: World, request: Request) -> Response:
    """PATCH `keyCredentials` with those that stay, each by its `keyId`: 204; an added one needs its key, which nobody sends here."""
    application, body = _found_application(world, request), body_of(request)
    if unknown := [key for key in body if key != "keyCredentials"]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' cannot be updated here.")
    target = audits.other(application["id"], application["displayName"], "Application")
    credentials.keep_keys(world, application["id"], body.get("keyCredentials"))
    activity = "Update application – Certificates and secrets management"
    audits.note(world, request, activity, "ApplicationManagement", target)
    return Response(204)


def remove_application_password(world: World, request: Request) -> Response:
    """POST /applications/{id}/removePassword {"keyId"}: 204; the secret no longer signs in."""
    application = _found_application(world, request)
    wanted = str(body_of(request).get("keyId") or "")
    credentials.remove_password(world, application["id"], application["appId"], wanted)
    target = audits.other(application["id"], application["displayName"], "Application")
    activity = "Update application – Certificates and secrets management"
    audits.note(world, request, activity, "ApplicationManagement", target)
    return Response(204)


def remove_password(world: World, request: Request) -> Response:
    """POST /servicePrincipals/{id}/removePassword {"keyId"}: 204; the secret no longer signs in."""
    principal = _service_principal(world, request)
    wanted = str(body_of(request).get("keyId") or "")
    credentials.remove_password(world, principal.object_id, principal.app_id, wanted, principal)
    activity = "Remove service principal credentials"
    audits.note(world, request, activity, "ApplicationManagement", audits.target(principal))
    return Response(204)


def add_application_password(world: World, request: Request) -> Response:
    """POST /applications/{id}/addPassword {"passwordCredential"?}: 200 with the secret, told this once."""
    application = _found_application(world, request)
    given = body_of(request).get("passwordCredential")
    made = credentials.add_password(world, application["id"], application["appId"], given)
    target = audits.other(application["id"], application["displayName"], "Application")
    activity = "Update application – Certificates and secrets management"
    audits.note(world, request, activity, "ApplicationManagement", target)
    return Response(
        200, {"@odata.context": f"{world.base_url}/graph/v1.0/$metadata#microsoft.graph.passwordCredential"} | made
    )


def add_password(world: World, request: Request) -> Response:
    """POST /servicePrincipals/{id}/addPassword {"passwordCredential"?}: 200 with the secret, told this once."""
    principal = _service_principal(world, request)
    made = credentials.add_password(
        world, principal.object_id, principal.app_id, body_of(request).get("passwordCredential")
    )
    activity = "Add service principal credentials"
    audits.note(world, request, activity, "ApplicationManagement", audits.target(principal))
    return Response(
        200, {"@odata.context": f"{world.base_url}/graph/v1.0/$metadata#microsoft.graph.passwordCredential"} | made
    )
