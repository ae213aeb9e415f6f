"""Routes of Microsoft.KeyVault and of the vaults themselves."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.compute.documents import paths
from azure_simulator.services.key_vault import responses, secrets
from azure_simulator.services.key_vault.models import DELETED, POLICIES, VAULT

_ALL, _IN_GROUP, _ONE = paths(VAULT)
_LOCATION = "/subscriptions/{s}/providers/Microsoft.KeyVault/locations/{l}/deletedVaults"
_SECRET = "/vault/{vault}/secrets/{name}"

ROUTES: list[Route] = [
    route("GET", _ALL, responses.list_vaults, f"{VAULT}/read"),
    route("GET", _IN_GROUP, responses.list_vaults, f"{VAULT}/read"),
    route("GET", _ONE, responses.get_vault, f"{VAULT}/read"),
    route("PUT", _ONE, responses.put_vault, f"{VAULT}/write"),
    route("PATCH", _ONE, responses.patch_vault, f"{VAULT}/write"),
    route("DELETE", _ONE, responses.delete_vault, f"{VAULT}/delete"),
    route("PUT", f"{_ONE}/accessPolicies/{{kind}}", responses.put_policies, f"{POLICIES}/write"),
    route(
        "GET",
        "/subscriptions/{s}/providers/Microsoft.KeyVault/deletedVaults",
        responses.list_deleted,
        f"{DELETED}/read",
    ),
    route("GET", f"{_LOCATION}/{{name}}", responses.get_deleted, "Microsoft.KeyVault/locations/deletedVaults/read"),
    route(
        "POST",
        f"{_LOCATION}/{{name}}/purge",
        responses.purge,
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    ),
    route("PUT", _SECRET, secrets.served("set", secrets.put_secret), kind="vault"),
    route("GET", _SECRET, secrets.served("get", secrets.get_secret), kind="vault"),
    route("GET", f"{_SECRET}/versions", secrets.served("list", secrets.list_versions), kind="vault"),
    route("GET", f"{_SECRET}/{{version}}", secrets.served("get", secrets.get_secret), kind="vault"),
    route("DELETE", _SECRET, secrets.served("delete", secrets.delete_secret), kind="vault"),
]
