"""The secrets in a vault, under `/vault/{vault}`: https://learn.microsoft.com/rest/api/keyvault/secrets (7.4 and later).

PUT /vault/kv/secrets/name {"value": ...}    a new version      GET /vault/kv/secrets/name[/version]
GET /vault/kv/secrets/name/versions          without values     DELETE /vault/kv/secrets/name

A first request without a token is answered 401 with where to get one, as Microsoft's libraries expect.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from azure_simulator.arm import covers
from azure_simulator.http import ArmError, Handler, Request, Response
from azure_simulator.services.authorization.models import definition, identities
from azure_simulator.services.key_vault import models
from azure_simulator.services.key_vault.exceptions import SecretError
from azure_simulator.services.signin.models import read_token
from azure_simulator.world import Document, World

SecretHandler = Callable[[World, Request, Document], Response]
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_AUDIENCE = "https://vault.azure.net"
# Built-in data roles: https://learn.microsoft.com/azure/key-vault/general/rbac-guide
_OFFICERS = {"00482a5a-887f-4fb3-b363-3b7fe8e74483", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"}
_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def served(permission: str, handler: SecretHandler) -> Handler:
    """A handler behind the vault's own sign-in and rights, whose refusals have the vault's shape."""

    def handle(world: World, request: Request) -> Response:
        try:
            vault = models.find_vault(world, request.params["vault"])
            if vault is None:
                raise SecretError(404, "VaultNotFound", "The vault does not exist.")
            _check(world, request, vault, permission)
            if not request.q("api-version"):
                raise SecretError(400, "BadParameter", "Missing query parameter 'api-version'.")
            return handler(world, request, vault)
        except SecretError as refused:
            return _refusal(world, refused)

    return handle


def _refusal(world: World, refused: SecretError) -> Response:
    error: Document = {"code": refused.code, "message": refused.message}
    if refused.inner:
        error["innererror"] = {"code": refused.inner}
    headers = {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = (
            f'Bearer authorization="{world.base_url}/{world.tenant_id}", resource="{_AUDIENCE}"'
        )
    return Response(refused.status, {"error": error}, headers)


def _check(world: World, request: Request, vault: Document, permission: str) -> None:
    given = request.headers.get("authorization", "")
    if not given:
        raise SecretError(401, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.")
    try:
        request.principal, request.claims = read_token(world, given)
    except ArmError as refused:
        raise SecretError(401, "Unauthorized", f"AKV10022: Invalid token. {refused.message}") from refused
    if str(request.claims.get("aud", "")).rstrip("/") not in (_AUDIENCE, "https://management.azure.com"):
        raise SecretError(401, "Unauthorized", "AKV10022: Invalid audience.")
    who = identities(world, request.principal.object_id)
    if vault["properties"].get("enableRbacAuthorization"):
        allowed = _by_role(world, vault, who, permission)
    else:
        allowed = any(
            str(policy["objectId"]).lower() in who
            and {permission, "all"} & {str(one).lower() for one in policy["permissions"].get("secrets") or ()}
            for policy in vault["properties"].get("accessPolicies") or ()
        )
    if not allowed:
        caller = f"appid={request.principal.app_id};oid={request.principal.object_id};iss=https://sts.windows.net/{world.tenant_id}/"
        raise SecretError(
            403,
            "Forbidden",
            f"The user, group or application '{caller}' does not have secrets {permission} permission on key vault "
            f"'{vault['name']};location={vault.get('location', '')}'.",
            "ForbiddenByRbac" if vault["properties"].get("enableRbacAuthorization") else "AccessDenied",
        )


def _by_role(world: World, vault: Document, who: set[str], permission: str) -> bool:
    for assignment in world.role_assignments.values():
        properties = assignment["properties"]
        if str(properties["principalId"]).lower() not in who or not covers(properties["scope"], vault["id"]):
            continue
        role = definition(world, properties["roleDefinitionId"])
        guid = str(role["name"] if role else properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower()
        if guid in _OFFICERS or (guid == _USER and permission == "get"):
            return True
    return False


def _versions(vault: Document, name: str) -> list[Document]:
    kept: dict[str, list[Document]] = vault.setdefault("_secrets", {})
    return kept.setdefault(name.lower(), [])


def _name_of(request: Request) -> str:
    name = request.params["name"]
    if not _NAME.fullmatch(name):
        raise SecretError(400, "BadParameter", f"The request URI contains an invalid name: {name}")
    return name


def put_secret(world: World, request: Request, vault: Document) -> Response:
    """A new version of a secret."""
    name = _name_of(request)
    try:
        body: Any = request.json()
    except ArmError as refused:
        raise SecretError(400, "BadParameter", "The request body is no JSON.") from refused
    value = body.get("value") if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise SecretError(400, "BadParameter", "Property value has invalid value.")
    now = int(world.clock.now().timestamp())
    given = body.get("attributes") if isinstance(body.get("attributes"), dict) else {}
    version: Document = {
        "_version": f"{world.chance.getrandbits(128):032x}",
        "name": name,
        "value": value,
        "attributes": {
            "enabled": given.get("enabled", True) is not False,
            **{key: given[key] for key in ("nbf", "exp") if isinstance(given.get(key), int)},
            "created": now,
            "updated": now,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": int(vault["properties"].get("softDeleteRetentionInDays") or 90),
        },
    }
    version |= {key: body[key] for key in ("contentType", "tags") if body.get(key)}
    _versions(vault, name).append(version)
    return Response(200, _bundle(world, vault, version))


def get_secret(world: World, request: Request, vault: Document) -> Response:
    """The newest version, or the named one."""
    found, wanted = _versions(vault, _name_of(request)), request.params.get("version", "")
    chosen = [one for one in found if not wanted or one["_version"] == wanted.lower()]
    if not chosen:
        raise _absent(request)
    if not chosen[-1]["attributes"]["enabled"]:
        raise SecretError(403, "Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
    return Response(200, _bundle(world, vault, chosen[-1]))


def list_versions(world: World, request: Request, vault: Document) -> Response:
    """Every version, without its value."""
    rows = [_bundle(world, vault, one, with_value=False) for one in _versions(vault, _name_of(request))]
    return Response(200, {"value": rows, "nextLink": None})


def delete_secret(world: World, request: Request, vault: Document) -> Response:
    """Delete every version; it can be recovered for a while."""
    name = _name_of(request)
    found = _versions(vault, name)
    if not found:
        raise _absent(request)
    answer = _bundle(world, vault, found[-1], with_value=False)
    now = int(world.clock.now().timestamp())
    answer |= {
        "recoveryId": f"{models.uri(world, vault)}deletedsecrets/{name}",
        "deletedDate": now,
        "scheduledPurgeDate": now + 86_400 * int(vault["properties"].get("softDeleteRetentionInDays") or 90),
    }
    vault["_secrets"].pop(name.lower())
    return Response(200, answer)


def _absent(request: Request) -> SecretError:
    name = request.params["name"]
    return SecretError(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it.",
    )


def _bundle(world: World, vault: Document, version: Document, *, with_value: bool = True) -> Document:
    told = {key: value for key, value in version.items() if key in ("contentType", "attributes", "tags")}
    told["id"] = f"{models.uri(world, vault)}secrets/{version['name']}/{version['_version']}"
    return ({"value": version["value"]} if with_value else {}) | told
