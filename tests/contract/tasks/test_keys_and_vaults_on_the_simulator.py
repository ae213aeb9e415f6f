"""Keys that an intruder was told and vaults they opened, on the simulated Azure: found by deed, made anew once, closed and given back."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from azure_simulator.services.key_vault import models as vaults
from azure_simulator.services.storage import models as storage
from firebreak.clients import Connection
from firebreak.execution.looking import why_stale
from firebreak.model.case import Case
from firebreak.model.keys import ListedKeys, Vaults
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action
from firebreak.model.step import Effect
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import HERE, Estate, empty_estate, later
from tests.support.inprocess import sent, simulated

NAMESPACES = ("Storage", "KeyVault", "DocumentDB", "ContainerRegistry", "Web")
READING, CHANGING = (
    ("investigate.listed_keys", "investigate.vaults"),
    ("eradicate.regenerate_keys", "eradicate.close_vaults"),
)
COLLEAGUES = "00000000-0000-4000-8000-00000000c011"
ALL = {"keys": ["get", "list"], "secrets": ["get", "list", "set"], "certificates": ["get"]}


@pytest.fixture
def estate() -> Estate:
    found = empty_estate(NAMESPACES)
    by, subscription = found.colleague, next(iter(found.world.subscriptions))
    base = f"{subscription}/resourceGroups/rg-shop/providers"
    account = {**HERE, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    for name in ("shopstore", "shoplogs", "shopold"):
        found.make(by, name, f"{base}/Microsoft.Storage/storageAccounts/{name}", account)
    for kind, name in (
        ("Microsoft.DocumentDB/databaseAccounts", "shopdb"),
        ("Microsoft.ContainerRegistry/registries", "shopimages"),
    ):
        found.make(by, name, f"{base}/{kind}/{name}", {**HERE, "properties": {}})
    policy = {"tenantId": found.world.tenant_id, "objectId": COLLEAGUES, "permissions": {"secrets": ["get"]}}
    body = {"tenantId": found.world.tenant_id, "sku": {"family": "A", "name": "standard"}, "accessPolicies": [policy]}
    for name in ("kv-shop", "kv-lost", "kv-quiet"):
        found.make(by, name, f"{base}/Microsoft.KeyVault/vaults/{name}", {**HERE, "properties": body})
    found.make(by, "used", f"{found.ids['shopstore']}/listKeys", {}, "POST")
    later(found, timedelta(minutes=40))
    thief = found.thief
    found.make(thief, "told", f"{found.ids['shopstore']}/listKeys", {}, "POST")
    link = {
        "signedServices": "b",
        "signedResourceTypes": "sco",
        "signedPermission": "rwdl",
        "signedExpiry": "2027-01-01T00:00:00Z",
    }
    found.make(thief, "link", f"{found.ids['shoplogs']}/ListAccountSas", link, "POST")
    # No service of their own answers these here; the log tells them as Azure's does.
    for name, operation in (
        ("shopdb", "Microsoft.DocumentDB/databaseAccounts/listKeys/action"),
        ("shopimages", "Microsoft.ContainerRegistry/registries/listCredentials/action"),
    ):
        _logged(found, operation, found.ids[name])
    given = {"tenantId": found.world.tenant_id, "objectId": thief.object_id, "permissions": ALL}
    found.make(
        thief, "given", f"{found.ids['kv-shop']}/accessPolicies/add", {"properties": {"accessPolicies": [given]}}
    )
    found.make(
        thief, "opened", found.ids["kv-quiet"], {"properties": {"networkAcls": {"defaultAction": "Allow"}}}, "PATCH"
    )
    found.make(thief, "deleted", found.ids["kv-lost"], {}, "DELETE")
    for name, path in (
        ("given", "kv-shop"),
        ("opened", "kv-quiet"),
        ("deleted", "kv-lost"),
        ("told", "shopstore"),
        ("link", "shoplogs"),
    ):
        found.ids[name] = found.ids[path]
    later(found, timedelta(0))
    found.world.requests.clear()
    return found


def _logged(found: Estate, operation: str, target: str) -> None:
    like = next(
        e for e in reversed(found.world.events) if e["operationName"]["value"].endswith("listAccountSas/action")
    )
    row = copy.deepcopy(like)
    row["operationName"] = {"value": operation, "localizedValue": operation}
    row["resourceId"], row["correlationId"] = target, found.world.chance.guid()
    row["eventDataId"] = found.world.chance.guid()
    row["status"] = {"value": "Succeeded", "localizedValue": "Succeeded"}
    found.world.events.append(row)


async def looked(estate: Estate, connection: Connection) -> Case:
    return await estate.case(connection, READING, CHANGING)


def keys_of(estate: Estate, name: str) -> list[str]:
    return list(storage.keys(estate.world, estate.world.resources[estate.ids[name]]))


async def test_every_key_that_was_told_is_found_with_its_proof_and_no_key_is_read(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
    found = {one.id.rsplit("/", 1)[-1]: one for one in case[ListedKeys].items}
    assert set(found) == {"shopstore", "shoplogs", "shopdb", "shopimages"}
    logged = {str(event["eventDataId"]) for event in estate.world.events}
    assert all(one.event_ids and set(one.event_ids) <= logged for one in found.values())
    assert found["shopstore"].users == (estate.colleague.upn,)
    assert found["shoplogs"].users == ()
    assert {row.method for row in estate.world.requests} == {"GET"}
    assert case[ListedKeys].not_looked_at == ()
    assess = load_steps()["investigate.listed_keys"].assess
    assert assess is not None
    (finding,) = assess(case[ListedKeys], case)
    assert len(finding.resources) == 4


async def test_both_keys_are_made_anew_once_and_whoever_needs_them_is_named(estate: Estate) -> None:
    old = {name: keys_of(estate, name) for name in ("shopstore", "shoplogs", "shopold")}
    async with simulated(estate.world) as connection:
        plan = estate.plan(await looked(estate, connection))
        keys = [action for action in plan.actions if action.kind == "storage_key.regenerate"]
        assert len(keys) == 4
        assert {action.effect for action in keys} == {Effect.IRREVERSIBLE}
        assert all("cannot come back" in action.irreversible_because for action in keys)
        assert any(estate.colleague.upn in reason for reason in keys[0].reasons + keys[2].reasons)
        done = await carry_out(plan, connection, estate.world)
        assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
        first = len(sent(estate.world, "POST"))
        again = await carry_out(plan, connection, estate.world)
        assert {o.state for o in again.outcomes.values()} == {ActionState.ALREADY_SO}
        assert [a for a in estate.plan(await looked(estate, connection)).actions if a.kind == keys[0].kind] == []
    assert first == len(sent(estate.world, "POST")) == 4
    for name in ("shopstore", "shoplogs"):
        assert not set(keys_of(estate, name)) & set(old[name])
    assert keys_of(estate, "shopold") == old["shopold"]
    shown = json.dumps([msgspec.to_builtins(plan), [str(o) for o in done.outcomes.values()]])
    assert all(key not in shown for name in old for key in (*old[name], *keys_of(estate, name)))


async def test_a_crash_after_the_key_was_made_does_not_make_it_twice(estate: Estate) -> None:
    """What a new process does with a request that it does not know the end of: it looks, and sees."""
    loaded = load_steps()["eradicate.regenerate_keys"]
    assert loaded.look is not None
    assert loaded.apply is not None
    async with simulated(estate.world) as connection:
        action = next(a for a in estate.plan(await looked(estate, connection)).actions if a.params.get("key") == "key1")
        before = (await loaded.look([action], connection.eyes))[action.id]
        await loaded.apply(action, connection.hands)  # and nobody hears the answer
        after = (await loaded.look([action], connection.eyes))[action.id]
    assert (before.already_so, after.already_so) == (False, True)


async def test_an_account_made_anew_under_the_same_name_is_stale(estate: Estate) -> None:
    loaded = load_steps()["eradicate.regenerate_keys"]
    assert loaded.look is not None
    async with simulated(estate.world) as connection:
        action = next(a for a in estate.plan(await looked(estate, connection)).actions if a.params.get("key") == "key1")
        account = estate.world.resources[action.target]["properties"]
        account["creationTime"] = "2026-11-15T03:00:00.0000000Z"
        assert why_stale(action, (await loaded.look([action], connection.eyes))[action.id])


async def test_keys_of_other_services_are_a_list_for_people(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        plan = estate.plan(await looked(estate, connection))
    told = {one.target.rsplit("/", 1)[-1]: one.reason for one in plan.no_ops}
    assert "To do by people: Regenerate the primary and the secondary key" in told["shopdb"]
    assert "Regenerate both passwords" in told["shopimages"]


async def test_access_that_the_attacker_gave_is_taken_and_can_be_given_back(estate: Estate) -> None:
    loaded, vault = load_steps()["eradicate.close_vaults"], estate.world.resources[estate.ids["kv-shop"]]
    before = copy.deepcopy(vault["properties"])
    assert loaded.undo is not None
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
        assert [door.principal_id for door in case[Vaults].doors] == [estate.thief.object_id]
        plan = estate.plan(case)
        plan = msgspec.structs.replace(plan, actions=tuple(a for a in plan.actions if a.kind == "vault_door.close"))
        (action,) = plan.actions
        done = await carry_out(plan, connection, estate.world)
        assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}
        assert [entry["objectId"] for entry in vault["properties"]["accessPolicies"]] == [COLLEAGUES]
        inverse = loaded.undo(action, done.before[action.id].prior)
        assert isinstance(inverse, Action)
        back = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, estate.world)
        assert {o.state for o in back.outcomes.values()} == {ActionState.DONE}
        assert vault["properties"] == before
        again = loaded.undo(inverse, back.before[inverse.id].prior)
        assert isinstance(again, Action)
        once = await carry_out(msgspec.structs.replace(plan, actions=(again,)), connection, estate.world)
        assert {o.state for o in once.outcomes.values()} == {ActionState.DONE}
    assert [entry["objectId"] for entry in vault["properties"]["accessPolicies"]] == [COLLEAGUES]


async def test_access_that_changed_since_the_plan_is_left(estate: Estate) -> None:
    loaded, vault = load_steps()["eradicate.close_vaults"], estate.world.resources[estate.ids["kv-shop"]]
    assert loaded.look is not None
    async with simulated(estate.world) as connection:
        action = next(a for a in estate.plan(await looked(estate, connection)).actions if a.kind == "vault_door.close")
        wider: dict[str, Any] = {"secrets": ["all"]}
        vaults.change_policies(vault, "replace", [{**action.params["policy"], "permissions": wider}])
        assert why_stale(action, (await loaded.look([action], connection.eyes))[action.id])


async def test_what_else_happened_to_vaults_and_what_was_read_is_told_to_people(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
        told: dict[str, str] = {}
        for one in estate.plan(case).no_ops:
            told.setdefault(one.target, "")
            told[one.target] += one.reason
    assert "can be recovered until" in told[estate.ids["kv-lost"]]
    assert "reached from every network" in told[estate.ids["kv-quiet"]]
    assert "make every secret" in told[estate.ids["kv-shop"]]
    (note,) = case[Vaults].not_looked_at
    assert "own log" in note.why


async def test_whose_access_the_attacker_took_away_is_told_and_loses_nothing_more(estate: Estate) -> None:
    wider = {"tenantId": estate.world.tenant_id, "objectId": COLLEAGUES, "permissions": {"secrets": ["get", "list"]}}
    vault = estate.world.resources[estate.ids["kv-quiet"]]
    vaults.change_policies(vault, "replace", [wider])
    less = {**wider, "permissions": {"secrets": ["list"]}}
    body = {"properties": {"accessPolicies": [less]}}
    estate.make(estate.thief, "taken", f"{estate.ids['kv-quiet']}/accessPolicies/remove", body)
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
        plan = estate.plan(case)
    assert COLLEAGUES not in {door.principal_id for door in case[Vaults].doors}
    assert not [action for action in plan.actions if COLLEAGUES in action.target]
    told = [one.reason for one in plan.no_ops if one.target == estate.ids["kv-quiet"]]
    assert any(COLLEAGUES in reason and "is not there now" in reason for reason in told)


async def test_two_entries_of_one_vault_are_two_things_and_each_comes_back(estate: Estate) -> None:
    """Undo takes changes of one target for one another's: each entry has an id of its own."""
    friend = "00000000-0000-4000-8000-00000000f00d"
    entry = {"tenantId": estate.world.tenant_id, "objectId": friend, "permissions": {"secrets": ["get"]}}
    estate.make(
        estate.thief,
        "second",
        f"{estate.ids['kv-shop']}/accessPolicies/add",
        {"properties": {"accessPolicies": [entry]}},
    )
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
        plan = estate.plan(case)
        closes = [action for action in plan.actions if action.kind == "vault_door.close"]
        assert len({action.target for action in closes}) == 2
        assert [action.after for action in closes] == [(), (closes[0].id,)]
        done = await carry_out(msgspec.structs.replace(plan, actions=tuple(closes)), connection, estate.world)
    assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}
    vault = estate.world.resources[estate.ids["kv-shop"]]
    assert [one["objectId"] for one in vault["properties"]["accessPolicies"]] == [COLLEAGUES]
