"""Answers of Graph: users, groups, what somebody is a member of, and directory objects of any kind."""

from __future__ import annotations

from dataclasses import replace

from azure_simulator.http import Request, Response
from azure_simulator.services.graph import audits, directory, passwords, roles, sign_ins
from azure_simulator.services.graph.envelope import (
    Collection,
    body_of,
    context,
    is_beta,
    listed,
    one,
    selects,
    tenant_of,
)
from azure_simulator.services.graph.exceptions import GraphBadRequestError
from azure_simulator.services.graph.permissions import READ_ACTIVITY, groups_of
from azure_simulator.services.graph.store import put, table
from azure_simulator.world import Document, Principal, World

CONTACT = ("otherMails", "mobilePhone", "businessPhones")
LARGEST_BATCH = 1000
ADVANCED = frozenset({"ne", "not", "endswith"})
_TEXT = "eq ne not in startswith"
# Without $select, v1.0 answers these alone: https://learn.microsoft.com/graph/api/user-list
DEFAULT = (
    "id",
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
)
USERS = Collection(
    "users",
    {
        "id": "eq ne in",
        "userPrincipalName": f"{_TEXT} endswith ge le",
        "displayName": f"{_TEXT} ge le",
        "givenName": _TEXT,
        "surname": _TEXT,
        "mail": f"{_TEXT} endswith ge le",
        "jobTitle": _TEXT,
        "department": _TEXT,
        "accountEnabled": "eq ne not in",
        "userType": "eq ne not in",
        "creationType": "eq ne not in",
        "externalUserState": "eq ne not in",
        "createdDateTime": "eq ne not ge le in",
        "onPremisesSyncEnabled": "eq ne not in",
        "usageLocation": _TEXT,
        "mobilePhone": _TEXT,
        "otherMails": "eq startswith endswith",
        "signInActivity/lastSignInDateTime": "eq ge le",
    },
    advanced=ADVANCED,
    order=("displayName", "userPrincipalName"),
    default=DEFAULT,
)
GROUPS = Collection(
    "groups",
    {
        "id": "eq ne in",
        "displayName": _TEXT,
        "mail": _TEXT,
        "securityEnabled": "eq ne not in",
        "mailEnabled": "eq ne not in",
        "isAssignableToRole": "eq ne not",
        "createdDateTime": "eq ne not ge le in",
        "onPremisesSyncEnabled": "eq ne not in",
        "groupTypes": "eq",
    },
    advanced=ADVANCED,
    order=("displayName",),
)
MEMBERS = Collection("directoryObjects", {"id": "", "displayName": ""}, advanced=ADVANCED)
# With the sign-in activity a page is smaller: https://learn.microsoft.com/graph/api/user-list
ACTIVE_PAGE = 120


def list_users(world: World, request: Request) -> Response:
    """GET /users; `signInActivity` only where it is selected or compared."""
    collection = _collection(request)
    active = selects(request, "signInActivity") or "signinactivity" in request.q("$filter").lower()
    if active:
        collection = replace(collection, largest=ACTIVE_PAGE, cut=True)
        READ_ACTIVITY.check(world, request)
    found = [_shown(world, request, p, active=active) for p in directory.principals(world, request, "User")]
    return listed(world, request, found, collection)


def get_user(world: World, request: Request) -> Response:
    return _user(world, request, directory.find(world, request, "User", request.params["id"]))


def me(world: World, request: Request) -> Response:
    """GET /me: the user of the token; an app has no "me"."""
    if request.principal is None or request.principal.kind != "User":
        raise GraphBadRequestError("/me request is only valid with delegated authentication flow.")
    return _user(world, request, request.principal)


def _user(world: World, request: Request, principal: Principal) -> Response:
    active = selects(request, "signInActivity")
    if active:
        READ_ACTIVITY.check(world, request)
    shown = _shown(world, request, principal, active=active)
    return one(world, request, shown, "users", _collection(request).default)


def _shown(world: World, request: Request, principal: Principal, *, active: bool) -> Document:
    found = directory.shown(world, principal)
    if active:
        found["signInActivity"] = sign_ins.last_activity(world, principal, tenant_of(world, request))
    if selects(request, "passwordProfile"):
        found["passwordProfile"] = passwords.shown(world, principal)
    return found


def _collection(request: Request) -> Collection:
    """Beta answers nearly everything without `$select`."""
    return replace(USERS, default=()) if is_beta(request) else USERS


def patch_user(world: World, request: Request) -> Response:
    """PATCH `accountEnabled` (a disabled user's tokens die), `passwordProfile` or contact data: 204."""
    user, body = directory.find(world, request, "User", request.params["id"]), body_of(request)
    if "passwordProfile" in body:
        passwords.check(user, body["passwordProfile"])
    answer = switch(world, request, user, ("passwordProfile", *CONTACT))
    if "passwordProfile" in body:
        passwords.reset(world, request, user, body["passwordProfile"])
    _change_contact(world, request, user, {key: body[key] for key in CONTACT if key in body})
    return answer


def _change_contact(world: World, request: Request, user: Principal, wanted: Document) -> None:
    if not wanted:
        return
    if any(not isinstance(wanted[key], list) for key in ("otherMails", "businessPhones") if key in wanted):
        raise GraphBadRequestError("'otherMails' and 'businessPhones' are lists.")
    row = table(world, "users").get(user.object_id)
    if row is None:
        row = put(world, "users", user.object_id, {}, tenant=tenant_of(world, request))
    names = {"otherMails": "OtherMail", "mobilePhone": "Mobile", "businessPhones": "TelephoneNumber"}
    changes = tuple(audits.Change(names[key], row.get(key), value) for key, value in wanted.items())
    row |= wanted
    audits.note(world, request, "Update user", "UserManagement", audits.target(user), changes=changes)


def revoke_sessions(world: World, request: Request) -> Response:
    """POST /users/{id}/revokeSignInSessions: every token issued until now is refused."""
    user = directory.find(world, request, "User", request.params["id"])
    user.sessions_revoked_at = world.clock.now()
    audits.note(world, request, "Update StsRefreshTokenValidFrom Timestamp", "UserManagement", audits.target(user))
    return Response(200, {"@odata.context": context(world, request, "Edm.Boolean"), "value": True})


def switch(world: World, request: Request, principal: Principal, also: tuple[str, ...]) -> Response:
    """Carry out a PATCH of `accountEnabled`; properties in `also` are the caller's business.

    Raises:
        GraphBadRequestError: another property, or a value that is no truth value.
    """
    body = body_of(request)
    if unknown := [key for key in body if key != "accountEnabled" and key not in also]:
        raise GraphBadRequestError(f"The property '{unknown[0]}' cannot be updated here.")
    if "accountEnabled" in body:
        if not isinstance(body["accountEnabled"], bool):
            raise GraphBadRequestError("'accountEnabled' must be true or false.")
        change = audits.Change("AccountEnabled", [principal.enabled], [body["accountEnabled"]])
        principal.enabled = body["accountEnabled"]
        verb = "Enable" if principal.enabled else "Disable"
        activity = f"{verb} account" if principal.kind == "User" else "Update service principal"
        category = "UserManagement" if principal.kind == "User" else "ApplicationManagement"
        audits.note(world, request, activity, category, audits.target(principal), changes=(change,))
    return Response(204)


def member_of(world: World, request: Request) -> Response:
    """GET /users/{id}/memberOf: groups that list the user, and activated directory roles that the user holds directly."""
    principal = directory.find(world, request, "", request.params["id"])
    holding = [g.object_id for g in directory.groups(world, request) if principal.object_id in g.members]
    return _memberships(world, request, holding, {principal.object_id})


def transitive_member_of(world: World, request: Request) -> Response:
    """GET /users/{id}/transitiveMemberOf: by groups in groups too, and the roles that those hold."""
    principal = directory.find(world, request, "", request.params["id"])
    holding = groups_of(world, principal.object_id)
    return _memberships(world, request, holding, {principal.object_id, *holding})


def _memberships(world: World, request: Request, holding: list[str], holders: set[str]) -> Response:
    tenant = tenant_of(world, request)
    found: list[Document] = [
        directory.typed(world, group) for group in directory.groups(world, request) if group.object_id in holding
    ]
    for role in roles.activated(world, tenant):
        if any(member in holders for member in roles.members(world, tenant, role["roleTemplateId"])):
            found.append({"@odata.type": "#microsoft.graph.directoryRole", **role})
    return listed(world, request, found, MEMBERS)


def list_groups(world: World, request: Request) -> Response:
    return listed(world, request, [directory.shown(world, g) for g in directory.groups(world, request)], GROUPS)


def get_group(world: World, request: Request) -> Response:
    group = directory.find(world, request, "Group", request.params["id"])
    return one(world, request, directory.shown(world, group), "groups")


def list_members(world: World, request: Request) -> Response:
    """Members of a group, whatever they are."""
    group = directory.find(world, request, "Group", request.params["id"])
    found = [directory.typed(world, world.principals[i]) for i in group.members if i in world.principals]
    return listed(world, request, found, MEMBERS)


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
