"""Vaults over HTTP: the management side."""

from __future__ import annotations

from azure_simulator.http import ArmError, Request, Response, accepted, page
from azure_simulator.services.compute.documents import (
    body_of,
    create,
    existing_for_put,
    listed,
    patch,
    remove,
    resource_id,
    stored,
)
from azure_simulator.services.key_vault import models
from azure_simulator.services.key_vault.exceptions import (
    BadVaultRequestError,
    DeletedVaultNotFoundError,
    VaultNameInvalidError,
    VaultNameTakenError,
)
from azure_simulator.services.key_vault.models import POLICIES, VAULT
from azure_simulator.world import Document, World, public


def list_vaults(world: World, request: Request) -> Response:
    """All vaults of the subscription or group."""
    return page(world, request, listed(world, request, VAULT), wrap=lambda v: models.shown(world, v))


def get_vault(world: World, request: Request) -> Response:
    """One vault."""
    return Response(200, models.shown(world, stored(world, request, VAULT)))


def put_vault(world: World, request: Request) -> Response:
    """Create a vault (201), update one (200), or bring a deleted one back with `createMode: recover`."""
    body, name = body_of(request), request.params["name"]
    if not models.NAME.fullmatch(name):
        raise VaultNameInvalidError(name)
    found = existing_for_put(world, request, VAULT, body)
    if found is not None:
        found["properties"] = dict(body.get("properties") or {})
        patch(found, {key: value for key, value in body.items() if key != "properties"})
        models.complete(world, found)
        return Response(200, models.shown(world, found))
    grave = models.buried(world, name)
    if grave is not None and (body.get("properties") or {}).get("createMode") == "recover":
        vault: Document = grave["_vault"]
        world.resources[vault["id"]] = vault
        del models.deleted_table(world)[grave["id"]]
        return Response(201, models.shown(world, vault))
    if grave is not None or models.find_vault(world, name) is not None:
        raise VaultNameTakenError(name, deleted=grave is not None)
    made = create(world, request, VAULT, body)
    try:
        models.complete(world, made)
    except ArmError:
        remove(world, made["id"])
        raise
    return Response(201, models.shown(world, made))


def patch_vault(world: World, request: Request) -> Response:
    """Change a vault, for instance its network rules."""
    vault = stored(world, request, VAULT)
    patch(vault, body_of(request))
    models.complete(world, vault)
    return Response(200, models.shown(world, vault))


def delete_vault(world: World, request: Request) -> Response:
    """Delete a vault: 200, or 204 when it is absent. It can be recovered until it is purged."""
    vault = world.resources.get(resource_id(request, VAULT))
    if vault is None:
        return Response(204)
    models.bury(world, vault)
    remove(world, vault["id"])
    return Response(200)


def put_policies(world: World, request: Request) -> Response:
    """Add, replace or remove access policies; answers all that the vault then has."""
    vault, kind = stored(world, request, VAULT), request.params["kind"].lower()
    if kind not in ("add", "replace", "remove"):
        raise BadVaultRequestError(f"The access policy operation '{request.params['kind']}' is not known.")
    given = models.check_policies((body_of(request).get("properties") or {}).get("accessPolicies"))
    models.change_policies(vault, kind, given)
    answer = {
        "id": f"{vault['id']}/accessPolicies/",
        "type": POLICIES,
        "properties": {"accessPolicies": vault["properties"]["accessPolicies"]},
    }
    return Response(200, answer)


def list_deleted(world: World, request: Request) -> Response:
    """The subscription's deleted vaults that were not purged."""
    base = f"/subscriptions/{request.params['s']}/".lower()
    rows = [row for row in models.deleted_table(world).values() if row["id"].lower().startswith(base)]
    return page(world, request, rows, wrap=public)


def _deleted(world: World, request: Request) -> Document:
    params = request.params
    found = models.deleted_table(world).get(
        f"/subscriptions/{params['s']}/providers/Microsoft.KeyVault/locations/{params['l']}/deletedVaults/{params['name']}"
    )
    if found is None:
        raise DeletedVaultNotFoundError(params["name"])
    return found


def get_deleted(world: World, request: Request) -> Response:
    """One deleted vault."""
    return Response(200, public(_deleted(world, request)))


def purge(world: World, request: Request) -> Response:
    """Remove a deleted vault for good (202)."""
    row = _deleted(world, request)
    if row["properties"]["purgeProtectionEnabled"]:
        raise ArmError(400, "BadRequest", 'The operation "purge" is not allowed: purge protection is enabled.')
    params = request.params

    def finish() -> None:
        models.deleted_table(world).pop(row["id"], None)

    path = f"/subscriptions/{params['s']}/providers/Microsoft.KeyVault/locations/{params['l']}/operationResults"
    return accepted(world, request, finish, operations_path=path, async_header=False)
