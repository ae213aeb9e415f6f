"""RBAC: what roles allow at which scope, through groups, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest

from azure_simulator.app import assign
from azure_simulator.services.authorization import builtin
from azure_simulator.services.authorization.models import matches
from azure_simulator.world import Principal, World


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", "Microsoft.Compute/virtualMachines/write", True),
        ("*/read", "Microsoft.Compute/virtualMachines/read", True),
        ("*/read", "Microsoft.Compute/virtualMachines/write", False),
        ("Microsoft.Authorization/*/Write", "microsoft.authorization/roleAssignments/write", True),
        ("Microsoft.Compute/disks/read", "Microsoft.Compute/disks/readers", False),
        ("Microsoft.Compute/*", "Microsoft.ComputeX/disks/read", False),
    ],
)
def test_wildcards(pattern: str, action: str, covered: bool) -> None:
    assert matches(pattern, action) is covered


def test_a_reader_reads_and_is_told_what_it_may_not_do(
    world: World, make_user: Any, send: Any, subscription: str
) -> None:
    reader = make_user("rita", builtin.READER, subscription)
    assert send("GET", f"{subscription}/resourcegroups", who=reader).status == 200
    answer = send("PUT", f"{subscription}/resourcegroups/rg1", {"location": "westus"}, who=reader)
    assert answer.status == 403
    assert answer.body["error"] == {
        "code": "AuthorizationFailed",
        "message": (
            f"The client 'rita@contoso.example' with object id '{reader.object_id}' does not have authorization to perform action "
            f"'Microsoft.Resources/subscriptions/resourceGroups/write' over scope '{subscription}/resourcegroups/rg1' or the scope "
            "is invalid. If access was recently granted, please refresh your credentials."
        ),
    }
    assert len(world.groups) == 0


def test_a_contributor_cannot_assign_roles(world: World, make_user: Any, send: Any, subscription: str) -> None:
    contributor = make_user("carl", builtin.CONTRIBUTOR, subscription)
    assert send("PUT", f"{subscription}/resourcegroups/rg1", {"location": "westus"}, who=contributor).status == 201
    path = f"{subscription}/providers/Microsoft.Authorization/roleAssignments/{world.chance.guid()}"
    body = {"properties": {"roleDefinitionId": builtin.role_id(builtin.OWNER), "principalId": contributor.object_id}}
    assert send("PUT", path, body, who=contributor).status == 403


def test_a_role_on_a_group_reaches_only_that_group(
    make_user: Any, make_resource: Any, send: Any, subscription: str
) -> None:
    inside, outside = make_resource("Microsoft.Web/sites", "a", "rg1"), make_resource("Microsoft.Web/sites", "b", "rg2")
    user = make_user("greta", builtin.CONTRIBUTOR, f"{subscription}/resourceGroups/RG1")
    assert send("DELETE", inside["id"], who=user).status == 200
    assert send("DELETE", outside["id"], who=user).status == 403
    assert [row["name"] for row in send("GET", f"{subscription}/resourcegroups", who=user).body["value"]] == ["rg1"]
    assert [row["subscriptionId"] for row in send("GET", "/subscriptions", who=user).body["value"]]


@pytest.mark.parametrize("kind", ["Group", "ForeignGroup"])
def test_membership_counts_also_through_a_group_in_a_group(
    world: World, make_user: Any, send: Any, subscription: str, kind: str
) -> None:
    member = make_user("mia")
    assert send("GET", f"{subscription}/resources", who=member).status == 403
    inner, outer = make_user("inner", kind="Group"), make_user("outer", builtin.READER, subscription, kind=kind)
    inner.members.append(member.object_id)
    outer.members.append(inner.object_id)
    assert send("GET", f"{subscription}/resources", who=member).status == 200


def test_a_removed_assignment_takes_the_access_away(world: World, make_user: Any, send: Any, subscription: str) -> None:
    user = make_user("eve")
    identifier = assign(world, user, builtin.READER, subscription)
    assert send("GET", f"{subscription}/resources", who=user).status == 200
    removed = send("DELETE", identifier)
    assert removed.body["properties"]["principalId"] == user.object_id
    assert send("GET", f"{subscription}/resources", who=user).status == 403
    assert send("DELETE", identifier).status == 204


def test_assignments_are_made_once(world: World, make_user: Any, send: Any, subscription: str) -> None:
    user = make_user("nina")
    base = f"{subscription}/providers/Microsoft.Authorization/roleAssignments"
    name = world.chance.guid()
    body = {"properties": {"roleDefinitionId": builtin.role_id(builtin.READER), "principalId": user.object_id}}
    made = send("PUT", f"{base}/{name}", body)
    assert (made.status, made.body["properties"]["principalType"], made.body["properties"]["scope"]) == (
        201,
        "User",
        subscription,
    )
    assert send("PUT", f"{base}/{name}", body).status == 200
    again = send("PUT", f"{base}/{world.chance.guid()}", body)
    assert (again.status, again.body["error"]["code"]) == (409, "RoleAssignmentExists")
    body["properties"]["principalId"] = world.chance.guid()
    missing = send("PUT", f"{base}/{world.chance.guid()}", body)
    assert (missing.status, missing.body["error"]["code"]) == (400, "PrincipalNotFound")


def test_lists_filter_by_scope_and_principal(
    world: World, make_user: Any, make_resource: Any, send: Any, subscription: str
) -> None:
    make_resource("Microsoft.Web/sites", "a", "rg1")
    user = make_user("greta", builtin.READER, f"{subscription}/resourceGroups/rg1")
    team = make_user("team", builtin.READER, subscription, kind="Group")
    team.members.append(user.object_id)

    def held(query: str) -> list[str]:
        path = f"{subscription}/providers/Microsoft.Authorization/roleAssignments?$filter={query}"
        return [row["properties"]["principalId"] for row in send("GET", path).body["value"]]

    assert held(f"principalId eq '{user.object_id}'") == [user.object_id]
    assert sorted(held(f"assignedTo('{user.object_id}')")) == sorted([user.object_id, team.object_id])
    assert user.object_id not in held("atScope()")
    assert team.object_id in held("atScope()")


def test_roles_and_own_permissions_are_answered(make_user: Any, send: Any, subscription: str) -> None:
    path = f"{subscription}/providers/Microsoft.Authorization"
    found = send("GET", f"{path}/roleDefinitions?$filter=roleName eq 'Owner'").body["value"]
    assert [row["id"] for row in found] == [f"{path}/roleDefinitions/{builtin.OWNER}"]
    assert send("GET", f"{path}/roleDefinitions/{builtin.READER}").body["properties"]["roleName"] == "Reader"
    reader = make_user("rita", builtin.READER, subscription)
    assert send("GET", f"{path}/permissions", who=reader).body["value"][0]["actions"] == ["*/read"]
    assert send("GET", f"{path}/denyAssignments").body == {"value": []}
    assert send("GET", f"{path}/classicAdministrators", version="2015-06-01").body == {"value": []}


def test_a_custom_role_allows_its_actions_only(
    world: World, make_user: Any, send: Any, subscription: str, make_resource: Any
) -> None:
    name = world.chance.guid()
    body = {
        "properties": {
            "roleName": "Site cleaner",
            "assignableScopes": [subscription],
            "permissions": [{"actions": ["Microsoft.Web/sites/*"], "notActions": ["Microsoft.Web/sites/write"]}],
        }
    }
    assert send("PUT", f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{name}", body).status == 201
    cleaner = make_user("cleo", name, subscription)
    site = make_resource("Microsoft.Web/sites", "a")
    assert send("PUT", site["id"], {"location": "westus"}, who=cleaner).status == 403
    assert send("DELETE", site["id"], who=cleaner).status == 200


def test_access_to_a_foreign_subscription_is_a_404(send: Any) -> None:
    answer = send("GET", "/subscriptions/99999999-0000-0000-0000-000000000000/resources")
    assert (answer.status, answer.body["error"]["code"]) == (404, "SubscriptionNotFound")


def test_elevation_is_for_global_administrators_and_leaves_a_trace(world: World, owner: Principal, send: Any) -> None:
    path = "/providers/Microsoft.Authorization/elevateAccess"
    assert send("POST", path, who=owner, version="2016-07-01").status == 403
    world.table("global_administrators")[owner.object_id] = {}
    assert send("POST", path, who=owner, version="2016-07-01").status == 200
    assert [row["properties"]["scope"] for row in world.role_assignments.values()][-1] == "/"
    log = send(
        "GET", "/providers/Microsoft.Insights/eventtypes/management/values?$filter=eventTimestamp ge '2026-11-19'"
    )
    assert {row["operationName"]["value"] for row in log.body["value"]} == {
        "Microsoft.Authorization/elevateAccess/action"
    }
