"""Who may use an account's blobs: the holder of an account key, or a principal with a data role at or above the account."""

from __future__ import annotations

from azure_simulator.arm import covers
from azure_simulator.http import ArmError, Request
from azure_simulator.services.authorization.models import definition, identities
from azure_simulator.services.signin.models import read_token
from azure_simulator.services.storage import models, shared_key
from azure_simulator.services.storage.exceptions import BlobError
from azure_simulator.world import Document, World

_READS = ("GET", "HEAD")
# Azure's built-in data roles, for worlds that hold an assignment of one but not its definition.
_DATA_ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
}


def check(world: World, request: Request, account: Document) -> None:
    """Let the request pass or refuse it.

    Raises:
        BlobError: 400 MissingRequiredHeader, 401 NoAuthenticationInformation, 403 AuthenticationFailed,
            AuthorizationPermissionMismatch or KeyBasedAuthenticationNotPermitted.
    """
    if not request.headers.get("x-ms-version"):
        raise BlobError(
            400, "MissingRequiredHeader", "An HTTP header that's mandatory for this request is not specified."
        )
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        _check_principal(world, request, account)
    elif scheme == "SharedKey":
        _check_signature(world, request, account, credential)
    else:
        raise BlobError(
            401,
            "NoAuthenticationInformation",
            "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.",
        )


def _check_principal(world: World, request: Request, account: Document) -> None:
    if request.principal is None:
        try:
            request.principal, request.claims = read_token(world, request.headers["authorization"])
        except ArmError as refused:
            raise _not_authenticated() from refused
    who = identities(world, request.principal.object_id)
    for assignment in world.role_assignments.values():
        properties = assignment["properties"]
        if str(properties["principalId"]).lower() not in who or not covers(properties["scope"], account["id"]):
            continue
        role = definition(world, properties["roleDefinitionId"])
        guid = str(properties["roleDefinitionId"]).rsplit("/", 1)[-1].lower()
        name = str(role["properties"]["roleName"]) if role else _DATA_ROLES.get(guid, "")
        if name == "Owner" or (
            name.startswith("Storage Blob Data") and (request.method in _READS or "Reader" not in name)
        ):
            return
    raise BlobError(
        403,
        "AuthorizationPermissionMismatch",
        "This request is not authorized to perform this operation using this permission.",
    )


def _check_signature(world: World, request: Request, account: Document, credential: str) -> None:
    if account["properties"].get("allowSharedKeyAccess") is False:
        raise BlobError(
            403,
            "KeyBasedAuthenticationNotPermitted",
            "Key based authentication is not permitted on this storage account.",
        )
    name, _, signature = credential.partition(":")
    signed = name.lower() == str(account["name"]).lower() and shared_key.is_signed(
        models.keys(world, account), name, request.method, request.target or request.path, request.headers, signature
    )
    if not signed or not (request.headers.get("x-ms-date") or request.headers.get("date")):
        raise _not_authenticated()


def _not_authenticated() -> BlobError:
    return BlobError(
        403,
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the "
        "signature.",
    )
