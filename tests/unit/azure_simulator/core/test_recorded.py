"""A world made of recorded answers: documents where they belong, machines in the power state they had, what cannot be held is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from azure_simulator import AsgiApp, call_as, recorded
from azure_simulator.control import answer as control
from azure_simulator.control import state
from azure_simulator.http import Request, Response
from azure_simulator.world import World

SUB = "33333333-3333-4333-8333-333333333333"
ME, THIEF = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
RG = f"/subscriptions/{SUB}/resourceGroups/rg"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines/vm1"
NIC = f"{RG}/providers/Microsoft.Network/networkInterfaces/nic1"
SET = f"{RG}/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
OWNER = f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{recorded.OWNER}"
BASE = "https://management.azure.com"


def power(name: str) -> dict[str, Any]:
    return {"instanceView": {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": f"PowerState/{name}"}]}}


def role(name: str, who: str) -> dict[str, Any]:
    key = f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleAssignments/{name}"
    properties = {
        "scope": f"/subscriptions/{SUB}",
        "roleDefinitionId": OWNER,
        "principalId": who,
        "principalType": "User",
    }
    return {"id": key, "name": name, "type": "Microsoft.Authorization/roleAssignments", "properties": properties}


def answers() -> list[dict[str, Any]]:
    machine = {
        "networkProfile": {"networkInterfaces": [{"id": NIC}]},
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "vmId": "v",
    }
    listed = [
        {"id": NIC, "name": "nic1", "type": "Microsoft.Network/networkInterfaces", "location": "eastus"},
        {
            "id": VM,
            "name": "vm1",
            "type": "Microsoft.Compute/virtualMachines",
            "location": "eastus",
            "tags": {"a": "b"},
        },
    ]
    group = {
        "id": RG,
        "name": "rg",
        "type": "Microsoft.Resources/resourceGroups",
        "location": "eastus",
        "properties": {},
    }
    pool = {"id": SET, "name": "pool", "type": "Microsoft.Compute/virtualMachineScaleSets", "location": "eastus"}
    compute = f"{BASE}/subscriptions/{SUB}/providers/Microsoft.Compute"
    told: list[tuple[str, Any]] = [
        (f"{BASE}/subscriptions/{SUB}/resourcegroups?x", {"value": [group]}),
        (f"{BASE}/subscriptions/{SUB}/resources?x", {"value": listed}),
        (f"{compute}/virtualMachines?x", {"value": [{**listed[1], "properties": machine}]}),
        (f"{compute}/virtualMachines?statusOnly=true", {"value": [{**listed[1], "properties": power("stopped")}]}),
        (
            f"{BASE}{SET}/virtualMachines?x",
            {
                "value": [
                    {
                        "id": f"{SET}/virtualMachines/3",
                        "type": "Microsoft.Compute/virtualMachineScaleSets/virtualMachines",
                        "instanceId": "3",
                        "name": "pool_3",
                        "properties": {"vmId": "w", **power("deallocated")},
                    }
                ]
            },
        ),
        (
            f"{compute}/virtualMachineScaleSets?x",
            {"value": [{**pool, "properties": {}, "sku": {"name": "x", "capacity": 1}}]},
        ),
        (
            f"{BASE}/subscriptions/{SUB}/providers/Microsoft.Authorization/roleAssignments",
            {"value": [role("r1", THIEF)]},
        ),
        (f"{BASE}/subscriptions/{SUB}/providers/Microsoft.Insights/eventtypes/management/values", {"value": []}),
        ("https://graph.microsoft.com/v1.0/users/x", {"id": "x"}),
        ("https://a.blob.core.windows.net/vhds", None),
    ]
    return [{"url": url, "body": body} for url, body in told]


def loaded(folder: Path, given: list[Any] | None = None) -> tuple[World, recorded.Held]:
    record = {
        "now": "2026-03-03T04:30:00Z",
        "tenant_id": "t",
        "subscription_id": SUB,
        "identity": ME,
        "answers": given or answers(),
    }
    (folder / "record.json").write_text(json.dumps(record))
    return recorded.load(folder / "record.json", real_time=False)


def test_documents_are_where_they_belong_and_tied_together(tmp_path: Path) -> None:
    world, held = loaded(tmp_path)
    assert world.resources[VM]["tags"] == {"a": "b"}
    assert world.resources[VM]["properties"]["vmId"] == "v"
    assert world.resources[NIC]["properties"]["virtualMachine"] == {"id": VM}
    shown = state(world)
    assert [one["powerState"] for one in shown["machines"]] == ["stopped"]
    assert [(one["instanceId"], one["powerState"]) for one in shown["scale_sets"][0]["instances"]] == [
        ("3", "deallocated")
    ]
    told = held.document()
    assert told["by_name"] == {"Microsoft.Network/networkInterfaces": 1}
    assert set(told["not_held"]) == {"the rest of the directory (Graph: logs, risk)", "storage and other data planes"}


def test_the_responder_is_let_in_only_when_the_record_does_not_show_its_role(tmp_path: Path) -> None:
    world, held = loaded(tmp_path)
    assert held.own_role_added
    assert call_as(world, ME, "GET", VM).status == 200
    more = [*answers(), {"url": BASE, "body": {"value": [role("r2", ME)]}}]
    more[-1]["url"] = f"{BASE}/subscriptions/{SUB}/providers/Microsoft.Authorization/roleAssignments?own"
    assert not loaded(tmp_path, more)[1].own_role_added


def test_people_of_the_record_act_with_the_roles_they_had(tmp_path: Path) -> None:
    world, _ = loaded(tmp_path)
    assert call_as(world, THIEF, "POST", f"{VM}/deallocate").status == 202
    del world.role_assignments[role("r1", THIEF)["id"]]
    assert call_as(world, THIEF, "POST", f"{VM}/start").status == 403


@pytest.mark.parametrize(
    "row",
    [
        {
            "id": "/subscriptions/99999999-9999-4999-8999-999999999999/resourceGroups/rg",
            "type": "Microsoft.Resources/resourceGroups",
        },
        {"id": 7, "type": "Microsoft.Compute/disks"},
        {"id": f"{RG}/providers/x/y/z", "type": None},
        {"id": VM, "type": "Microsoft.Compute/virtualMachines", "_power": "running", "properties": 7},
        "nonsense",
    ],
)
def test_nonsense_and_what_is_another_subscriptions_is_passed_over(tmp_path: Path, row: Any) -> None:
    place = f"{BASE}/subscriptions/{SUB}/resources?x"
    world, _ = loaded(tmp_path, [*answers(), {"url": place, "body": {"value": [row]}}])
    assert all(key.startswith(f"/subscriptions/{SUB}") for key in (*world.resources, *world.groups))
    assert world.resources[VM]["_power"] == "stopped"


APP, PIPELINE, ADMIN = (f"{letter * 8}-0000-4000-8000-00000000000{letter}" for letter in "cde")
GLOBAL = "62e90394-69f5-4237-9190-012177145e10"
GRAPH = "https://graph.microsoft.com/v1.0"


def directory() -> list[Any]:
    """What Graph told: an administrator, a thief who holds the same role, an application with a secret and a trust, a consent, two methods."""
    secret = {"keyId": "k1", "displayName": "ci", "secretText": None, "_secret": "open sesame"}
    service = {"id": PIPELINE, "appId": APP, "displayName": "ci", "passwordCredentials": []}
    who = {
        "@odata.type": "#microsoft.graph.user",
        "id": ADMIN,
        "displayName": "Ada",
        "userPrincipalName": "ada@x.example",
    }
    held = [
        {"id": "a1", "principalId": ADMIN, "roleDefinitionId": GLOBAL, "directoryScopeId": "/", "principal": who},
        {"id": "a2", "principalId": THIEF, "roleDefinitionId": GLOBAL, "directoryScopeId": "/", "principal": None},
    ]
    since = {"assignmentType": "Activated", "startDateTime": "2026-03-03T01:00:00Z", "endDateTime": None}
    role = {"id": GLOBAL, "displayName": "Global Administrator", "isBuiltIn": True}
    phone = {"@odata.type": "#microsoft.graph.phoneAuthenticationMethod", "id": "m1", "phoneNumber": "+31 6"}
    told = {
        "roleManagement/directory/roleDefinitions": [role],
        "roleManagement/directory/roleAssignmentScheduleInstances": [{**held[1], **since}],
        "roleManagement/directory/roleAssignments?$expand=principal": held,
        f"users/{THIEF}/authentication/methods": [phone],
        f"users/{ADMIN}/authentication/methods": [phone],
        "applications?$top=999": [{"id": APP, "appId": APP, "displayName": "ci", "passwordCredentials": [secret]}],
        "servicePrincipals?$top=999": [service],
        f"applications/{APP}/federatedIdentityCredentials": [{"id": "t1", "issuer": "https://x.example"}],
        "oauth2PermissionGrants?$top=999": [{"id": "g1", "clientId": PIPELINE, "resourceId": APP, "scope": "x"}],
        f"servicePrincipals/{PIPELINE}/appRoleAssignedTo": [{"id": "r1", "principalId": APP, "resourceId": PIPELINE}],
        "identity/conditionalAccess/policies": [{"id": "p1", "displayName": "MFA", "state": "enabled"}],
    }
    single = {"id": "s", "isEnabled": False}
    return [
        *({"url": f"{GRAPH}/{place}", "body": {"value": rows}} for place, rows in told.items()),
        {"url": f"{GRAPH}/users/{THIEF}?$select=id", "body": {"id": THIEF, "displayName": "Eve"}},
        {"url": f"{GRAPH}/policies/identitySecurityDefaultsEnforcementPolicy", "body": single},
    ]


def as_me(world: World, method: str, place: str, body: Any = None) -> Response:
    return call_as(world, ME, method, f"/graph/v1.0/{place}", body)


def rows_of(world: World, place: str) -> list[Any]:
    answer = as_me(world, "GET", place)
    assert answer.status == 200
    assert isinstance(answer.body, dict)
    return list(answer.body["value"])


def test_the_directory_of_the_record_answers_as_it_did(tmp_path: Path) -> None:
    world, held = loaded(tmp_path, [*answers(), *directory()])
    roles = rows_of(world, "roleManagement/directory/roleAssignments?$expand=principal")
    assert {(row["principalId"], (row["principal"] or {}).get("displayName")) for row in roles} == {
        (ADMIN, "Ada"),
        (THIEF, "Eve"),
    }
    instances = rows_of(world, "roleManagement/directory/roleAssignmentScheduleInstances")
    assert {row["principalId"]: row["assignmentType"] for row in instances} == {ADMIN: "Assigned", THIEF: "Activated"}
    (application,) = rows_of(world, "applications")
    assert [row["keyId"] for row in application["passwordCredentials"]] == ["k1"]
    assert "open sesame" not in json.dumps(application)
    for place in (
        f"applications/{APP}/federatedIdentityCredentials",
        f"servicePrincipals/{PIPELINE}/oauth2PermissionGrants",
        f"servicePrincipals/{PIPELINE}/appRoleAssignedTo",
        f"users/{THIEF}/authentication/methods",
        "identity/conditionalAccess/policies",
    ):
        assert len(rows_of(world, place)) == 1, place
    assert held.document()["whole"]["directory roles that are held"] == 3


def test_an_account_of_the_record_can_be_closed_and_then_its_session_is_refused(tmp_path: Path) -> None:
    world, _ = loaded(tmp_path, [*answers(), *directory()])
    act = {"principal": THIEF, "method": "POST", "url": f"{VM}/deallocate", "session_started": "2026-03-03T02:00:00Z"}

    def tried(**more: Any) -> int:
        request = Request("POST", "/_simulator/act", {}, {}, json.dumps({**act, **more}).encode())
        answer = control(world, request)
        assert isinstance(answer.body, dict)
        return int(answer.body["status"])

    assert as_me(world, "POST", f"users/{THIEF}/revokeSignInSessions").status == 200
    assert tried() == 401
    assert tried(session_started="2026-03-03T05:00:00Z") == 202
    assert as_me(world, "PATCH", f"users/{THIEF}", {"accountEnabled": False}).status == 204
    assert tried(session_started="2026-03-03T05:00:00Z") == 401
    assert tried(token_lives=True) == 409  # let in; the first one is still under way
    request = Request("POST", "/_simulator/act", {}, {}, json.dumps({**act, "session_started": "soon"}).encode())
    assert control(world, request).status == 400


@pytest.mark.parametrize("row", [None, 7, {}, {"id": 7}, {"id": "x", "principalId": [], "principal": "x"}])
def test_nonsense_of_the_directory_is_passed_over(tmp_path: Path, row: Any) -> None:
    more = [{**one, "body": {"value": [row, *one["body"].get("value", [])]}} for one in directory()]
    world, _ = loaded(tmp_path, [*answers(), *more])
    assert rows_of(world, "roleManagement/directory/roleAssignments?$expand=principal")
    assert rows_of(world, "applications")


def test_what_is_no_record_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text("{}")
    with pytest.raises(ValueError, match="no recorded world"):
        recorded.load(tmp_path / "record.json")


def test_the_log_and_the_people_of_the_record_are_there_once_and_nonsense_is_not(tmp_path: Path) -> None:
    log = f"{BASE}/subscriptions/{SUB}/providers/Microsoft.Insights/eventtypes/management/values?x"
    event = {
        "eventDataId": "e1",
        "eventTimestamp": "2026-03-03T01:00:00Z",
        "correlationId": "c",
        "resourceId": VM,
        "subscriptionId": SUB,
    }
    odd = [
        7,
        {"eventDataId": "e2"},
        {**event, "eventDataId": "e3", "subscriptionId": ME},
        {**event, "eventDataId": "e4", "claims": 7},
    ]
    person = {
        "id": THIEF,
        "displayName": "T",
        "userPrincipalName": "t@x.example",
        "accountEnabled": False,
        "_tenant": "z",
    }
    more = [
        {"url": log, "body": {"value": [event, event, *odd]}},
        {"url": f"https://graph.microsoft.com/v1.0/users/{THIEF}", "body": person},
        {"url": "https://graph.microsoft.com/v1.0/servicePrincipals?x", "body": {"value": [{"id": "x"}, 7]}},
    ]
    world, held = loaded(tmp_path, [*answers(), *more])
    assert [row["eventDataId"] for row in world.events] == ["e1"]
    thief = world.principals[THIEF]
    assert (thief.kind, thief.name, thief.upn, thief.enabled) == ("User", "T", "t@x.example", False)
    assert held.document()["whole"]["users of the directory"] == 1
    # Whoever is disabled in the record cannot act.
    assert call_as(world, THIEF, "POST", f"{VM}/deallocate").status == 401


async def test_acting_and_forgetting_go_through_the_worlds_own_routes(tmp_path: Path) -> None:
    import httpx

    world, _ = loaded(tmp_path)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(AsgiApp(world)), base_url=BASE) as client:
        act = {"principal": THIEF, "method": "DELETE", "url": VM}
        assert (await client.post("/_simulator/act", json=act)).json()["status"] in (200, 202)
        stranger = {**act, "principal": ME[:-1] + "0"}
        assert (await client.post("/_simulator/act", json=stranger)).json()["status"] == 403
        assert (await client.post("/_simulator/act", json={"principal": THIEF})).status_code == 400
        assert (await client.post("/_simulator/forget", json={"ids": [NIC]})).json() == {"forgotten": [NIC]}
        assert (await client.get("/_simulator/truth")).status_code == 404
    assert NIC not in world.resources


async def test_a_sealed_world_tells_nothing_of_itself_without_its_key(tmp_path: Path) -> None:
    import httpx

    world, _ = loaded(tmp_path)
    world.sealed_with = "open sesame"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(AsgiApp(world)), base_url=BASE) as client:
        for route in ("truth", "state", "requests", "health", "clock", "faults", "settings", "webhooks", "STATE"):
            answer = await client.get(f"/_simulator/{route}", headers={"X-Simulator-Key": "open"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Sealed")
        assert (await client.post("/_simulator/act", json={})).status_code == 403
        opened = await client.get("/_simulator/health", headers={"X-Simulator-Key": "open sesame"})
        assert opened.json()["scenario"] == "recorded"
