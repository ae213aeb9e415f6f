"""Key vaults of the embedded Azure: access policies, deletion in two steps, and the secrets inside."""

from __future__ import annotations

import json

import pytest

from azure_simulator.app import assign, dispatch
from azure_simulator.http import Request
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal

VAULT = "Microsoft.KeyVault/vaults/kv-contoso"
OFFICER = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"
SOMEBODY = "00000000-0000-4000-8000-0000000000aa"


def policy(cloud, who=SOMEBODY, **permissions):
    return {"tenantId": cloud.world.tenant_id, "objectId": who, "permissions": permissions}


def make(cloud, **properties):
    properties = {"tenantId": cloud.world.tenant_id, "sku": {"family": "A", "name": "standard"}, **properties}
    return cloud.json("PUT", VAULT, {"location": "westeurope", "properties": properties})


def change(cloud, kind, *policies):
    return cloud.json("PUT", f"{VAULT}/accessPolicies/{kind}", {"properties": {"accessPolicies": list(policies)}})


def deleted(cloud):
    return f"{cloud.group.partition('/resourceGroups/')[0]}/providers/Microsoft.KeyVault/deletedVaults"


def test_a_vault_is_answered_with_what_azure_fills_in(cloud):
    made = make(cloud, accessPolicies=[policy(cloud, secrets=["get"])])
    assert made["properties"]["vaultUri"].endswith("/vault/kv-contoso/")
    assert (made["properties"]["enableSoftDelete"], made["properties"]["softDeleteRetentionInDays"]) == (True, 90)
    assert cloud.json("GET", VAULT) == made
    assert cloud.error("PUT", "Microsoft.KeyVault/vaults/1x", {"location": "westeurope"}) == (400, "VaultNameNotValid")
    assert cloud.error("PUT", "Microsoft.KeyVault/vaults/kv-x1", {"location": "westeurope"}) == (400, "BadRequest")
    assert not cloud.world.resources.get(f"{cloud.group}/providers/Microsoft.KeyVault/vaults/kv-x1")


def test_policies_are_added_replaced_and_removed_by_identity(cloud):
    make(cloud)
    change(cloud, "add", policy(cloud, secrets=["get"]), policy(cloud, "b", keys=["get"]))
    told = change(cloud, "add", policy(cloud, secrets=["list", "GET"], keys=["sign"]))
    held = {each["objectId"]: each["permissions"] for each in told["properties"]["accessPolicies"]}
    assert held == {SOMEBODY: {"keys": ["sign"], "secrets": ["get", "list"]}, "b": {"keys": ["get"]}}
    assert told["type"] == "Microsoft.KeyVault/vaults/accessPolicies"
    change(cloud, "replace", policy(cloud, secrets=["list"]))
    change(cloud, "remove", policy(cloud, "b", keys=["get"]))
    assert cloud.stored(VAULT)["properties"]["accessPolicies"] == [policy(cloud, secrets=["list"])]
    assert cloud.error("PUT", f"{VAULT}/accessPolicies/merge", {"properties": {"accessPolicies": []}})[0] == 400


def test_a_deleted_vault_keeps_its_name_until_it_is_recovered_or_purged(cloud):
    make(cloud, accessPolicies=[policy(cloud, secrets=["get"])])
    assert cloud.call("DELETE", VAULT).status == 200
    assert cloud.call("DELETE", VAULT).status == 204
    (row,) = cloud.json("GET", deleted(cloud))["value"]
    assert row["properties"]["vaultId"].endswith("/vaults/kv-contoso")
    again = {"location": "westeurope", "properties": {"tenantId": cloud.world.tenant_id, "sku": {"name": "standard"}}}
    assert cloud.error("PUT", VAULT, again) == (409, "ConflictError")
    again["properties"]["createMode"] = "recover"
    back = cloud.json("PUT", VAULT, again)
    assert back["properties"]["accessPolicies"] == [policy(cloud, secrets=["get"])]
    cloud.call("DELETE", VAULT)
    assert cloud.call("POST", f"{row['id']}/purge").status == 202
    cloud.wait(60)
    assert cloud.json("GET", deleted(cloud))["value"] == []
    assert cloud.error("GET", row["id"]) == (404, "DeletedVaultNotFound")


def ask(cloud, who, method, path, body=None, version="7.4"):
    headers = {}
    if who is not None:
        token = issue(cloud.world, who, audience="https://vault.azure.net")
        headers["authorization"] = f"Bearer {token}"
    content = b"" if body is None else json.dumps(body).encode()
    target = f"/vault/kv-contoso{path}"
    query = {"api-version": version} if version else {}
    return dispatch(cloud.world, Request(method, target, query, headers, content, target=target))


@pytest.fixture
def keeper(cloud):
    found = Principal(SOMEBODY, "ServicePrincipal", "keeper", app_id="k", tenant_id=cloud.world.tenant_id)
    cloud.world.principals[found.object_id] = found
    return found


def test_a_secret_is_written_as_versions_by_whom_a_policy_lets(cloud, keeper):
    make(cloud, accessPolicies=[policy(cloud, secrets=["set", "get", "list"])])
    first = ask(cloud, keeper, "PUT", "/secrets/db", {"value": "one", "tags": {"for": "app"}})
    second = ask(cloud, keeper, "PUT", "/secrets/db", {"value": "two"})
    assert (first.status, first.body["value"], first.body["tags"]) == (200, "one", {"for": "app"})
    assert ask(cloud, keeper, "GET", "/secrets/db").body == second.body
    assert ask(cloud, keeper, "GET", f"/secrets/db/{first.body['id'].rsplit('/', 1)[-1]}").body["value"] == "one"
    rows = ask(cloud, keeper, "GET", "/secrets/db/versions").body["value"]
    assert [("value" in row, row["id"]) for row in rows] == [(False, first.body["id"]), (False, second.body["id"])]
    refused = ask(cloud, keeper, "DELETE", "/secrets/db")
    assert (refused.status, refused.body["error"]["innererror"]["code"]) == (403, "AccessDenied")
    assert ask(cloud, keeper, "GET", "/secrets/none").body["error"]["code"] == "SecretNotFound"
    assert ask(cloud, keeper, "PUT", "/secrets/a_b", {"value": "x"}).status == 400
    assert ask(cloud, keeper, "GET", "/secrets/db", version="").status == 400


def test_roles_count_instead_where_the_vault_says_so(cloud, keeper):
    make(cloud, enableRbacAuthorization=True, accessPolicies=[policy(cloud, secrets=["set"])])
    refused = ask(cloud, keeper, "PUT", "/secrets/db", {"value": "one"})
    assert (refused.status, refused.body["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")
    assign(cloud.world, keeper, OFFICER, f"{cloud.group}/providers/{VAULT}")
    assert ask(cloud, keeper, "PUT", "/secrets/db", {"value": "one"}).status == 200


def test_without_a_token_it_says_where_to_get_one_and_the_log_keeps_no_value(cloud, keeper):
    make(cloud, accessPolicies=[policy(cloud, secrets=["set"])])
    refused = ask(cloud, None, "PUT", "/secrets/db")
    assert refused.status == 401
    assert 'resource="https://vault.azure.net"' in refused.headers["WWW-Authenticate"]
    ask(cloud, keeper, "PUT", "/secrets/db", {"value": "very secret"})
    assert "very secret" not in str(cloud.world.requests)
