"""Answers of Graph: alerts, users, service principals, groups, the organization."""

from __future__ import annotations

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import directory, models
from azure_simulator.services.graph.envelope import body_of, context, listed, selected, tenant_of
from azure_simulator.services.graph.exceptions import GraphBadRequestError, GraphNotFoundError
from azure_simulator.world import Document, Principal, World, public

ALERTS = "security/partner/securityAlerts"
USERS = {"id", "userPrincipalName", "displayName", "mail", "accountEnabled", "userType"}
APPS = {"id", "appId", "displayName", "accountEnabled", "servicePrincipalType"}
LARGEST_BATCH = 1000


def list_alerts(world: World, request: Request) -> Response:
    found = [public(alert) for alert in models.alerts(world, request)]
    return listed(world, request, found, path=ALERTS, filterable=models.FILTERABLE)


def get_alert(world: World, request: Request) -> Response:
    return _alert(world, request, models.alert(world, request, request.params["id"]))


def patch_alert(world: World, request: Request) -> Response:
    """PATCH: 200 with the alert."""
    found = models.alert(world, request, request.params["id"])
    models.update(world, request, found, body_of(request))
    return _alert(world, request, found)


def _alert(world: World, request: Request, found: Document) -> Response:
    tag = models.etag(found)
    body = {"@odata.context": context(world, request, f"{ALERTS}/$entity"), "@odata.etag": tag}
    return Response(200, body | selected(request, public(found)), {"ETag": tag})


def get_by_ids(world: World, request: Request) -> Response:
    """POST /directoryObjects/getByIds: ids unknown in the token's tenant are left out, delegated access's too."""
    body = body_of(request)
    ids, types = body.get("ids"), [str(t).lower() for t in body.get("types") or []]
    if not isinstance(ids, list) or len(ids) > LARGEST_BATCH:
        raise GraphBadRequestError(f"'ids' must be a list of at most {LARGEST_BATCH} ids.")
    wanted = {str(i).lower() for i in ids}
    found = []
    for principal in directory.principals(world, request):
        short = directory.TYPES[principal.kind].rsplit(".", 1)[1].lower()
        if principal.object_id.lower() in wanted and (not types or short in types or "directoryobject" in types):
            found.append(directory.typed(world, principal))
    return Response(200, {"@odata.context": context(world, request, "directoryObjects"), "value": found})


def get_directory_object(world: World, request: Request) -> Response:
    """GET /directoryObjects/{id}: a user, group or service principal of the token's tenant."""
    found = directory.typed(world, directory.find(world, request, "", request.params["id"]))
    return Response(200, {"@odata.context": context(world, request, "directoryObjects/$entity"), **found})


def list_users(world: World, request: Request) -> Response:
    found = [directory.shown(world, p) for p in directory.principals(world, request, "User")]
    return listed(world, request, found, path="users", filterable=USERS)


def get_user(world: World, request: Request) -> Response:
    return _one(world, request, directory.find(world, request, "User", request.params["id"]), "users")


def me(world: World, request: Request) -> Response:
    """GET /me: the user of the token; an app has no "me"."""
    if request.principal is None or request.principal.kind != "User":
        raise GraphBadRequestError("/me request is only valid with delegated authentication flow.")
    return _one(world, request, request.principal, "users")


def _one(world: World, request: Request, principal: Principal, path: str) -> Response:
    body = {"@odata.context": context(world, request, f"{path}/$entity")}
    return Response(200, body | selected(request, directory.shown(world, principal)))


def patch_user(world: World, request: Request) -> Response:
    """PATCH `accountEnabled` (a disabled user's tokens die) or `passwordProfile`: 204."""
    return _switch(request, directory.find(world, request, "User", request.params["id"]), ("passwordProfile",))


def revoke_sessions(world: World, request: Request) -> Response:
    """POST /users/{id}/revokeSignInSessions: every token issued until now is refused."""
    user = directory.find(world, request, "User", request.params["id"])
    user.sessions_revoked_at = world.clock.now()
    return Response(200, {"@odata.context": context(world, request, "Edm.Boolean"), "value": True})


def list_service_principals(world: World, request: Request) -> Response:
    found = [directory.shown(world, p) for p in directory.principals(world, request, "ServicePrincipal")]
    return listed(world, request, found, path="servicePrincipals", filterable=APPS)


def _service_principal(world: World, request: Request) -> Principal:
    return directory.find(world, request, "ServicePrincipal", request.params["id"])


def get_service_principal(world: World, request: Request) -> Response:
    return _one(world, request, _service_principal(world, request), "servicePrincipals")


def patch_service_principal(world: World, request: Request) -> Response:
    return _switch(request, _service_principal(world, request), ())


def remove_password(world: World, request: Request) -> Response:
    """POST .../removePassword {"keyId"}: 204; the secret no longer signs in."""
    principal = _service_principal(world, request)
    wanted = str(body_of(request).get("keyId") or "").lower()
    for number in range(len(principal.secrets)):
        if directory.key_id(world, principal, number) == wanted:
            del principal.secrets[number]
            return Response(204)
    raise GraphBadRequestError(f"No password credential found with keyId '{wanted}'.")


def _switch(request: Request, principal: Principal, also: tuple[str, ...]) -> Response:
    body = body_of(request)
    if unknown := [key for key in body if key != "accountEnabled" and key not in also]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' cannot be updated here.")
    if "accountEnabled" in body:
        if not isinstance(body["accountEnabled"], bool):
            raise GraphBadRequestError("'accountEnabled' must be true or false.")
        principal.enabled = body["accountEnabled"]
    return Response(204)


def list_members(world: World, request: Request) -> Response:
    """Members of a group, whatever they are."""
    group = next((g for g in directory.principals(world, request) if _is_group(g, request.params["id"])), None)
    if group is None:
        raise GraphNotFoundError(request.params["id"])
    found = [directory.typed(world, world.principals[i]) for i in group.members if i in world.principals]
    return listed(world, request, found, path="directoryObjects", filterable={"id", "displayName"})


def _is_group(principal: Principal, name: str) -> bool:
    return principal.kind in ("Group", "ForeignGroup") and principal.object_id.lower() == name.lower()


def organization(world: World, request: Request) -> Response:
    """The tenant of the token."""
    tenant = tenant_of(world, request)
    given: Document = world.partner.get("organization") or {}
    name = str(given.get("companyName") or "Partner")
    if not world.partner_tenant_id or tenant != world.partner_tenant_id.lower():
        customers: dict[str, Document] = world.partner.get("customers") or {}
        row: Document = next((r for t, r in customers.items() if t.lower() == tenant), {})
        profile: Document = row.get("profile") or {}
        name = str(profile.get("companyName") or (profile.get("companyProfile") or {}).get("companyName") or "Customer")
    found = [{"id": tenant, "displayName": name, "tenantType": "AAD", "verifiedDomains": [], "assignedPlans": []}]
    return listed(world, request, found, path="organization", filterable={"id"})
