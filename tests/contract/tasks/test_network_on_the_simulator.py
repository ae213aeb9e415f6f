"""What leads to machines on the simulated Azure: read as the lists tell it, said in the plan that stops them, and named when it could not be read."""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.world import Principal
from firebreak.model.facts import Attribution, Class, Judgement, Reason
from firebreak.model.mode import Mode
from firebreak.model.network import Network
from firebreak.model.plan import Plan
from tasks.registry import load_steps
from tests.contract.tasks.estate import HERE, Estate, empty_estate, later
from tests.support.inprocess import responder, simulated

STOPS = ("contain.block_creation", "contain.deallocate_machines", "contain.deallocate_scale_sets")
NETWORK = "Microsoft.Network"


def _estate() -> Estate:
    """The colleague's load balancer before the colleague's machine, and a machine that the thief put behind it."""
    found = empty_estate(("Compute", "Network"))
    group = found.ids["group"]
    provider = f"{group}/providers/{NETWORK}"
    found.make(
        found.colleague,
        "front",
        f"{provider}/publicIPAddresses/shop-ip",
        HERE | {"properties": {"publicIPAllocationMethod": "Static", "ipAddress": "198.51.100.40"}},
    )
    parts = {
        "frontendIPConfigurations": [
            {"name": "front", "properties": {"publicIPAddress": {"id": found.ids["front"]}}},
        ],
        "backendAddressPools": [{"name": "web"}],
    }
    balancer = found.make(
        found.colleague, "balancer", f"{provider}/loadBalancers/shop-lb", HERE | {"properties": parts}
    )
    pool = {"loadBalancerBackendAddressPools": [{"id": f"{balancer}/backendAddressPools/web"}]}
    _machine(found, "web", found.colleague, pool)
    later(found, timedelta(hours=1))
    address = found.make(
        found.thief,
        "address",
        f"{provider}/publicIPAddresses/xmr-ip",
        HERE | {"properties": {"publicIPAllocationMethod": "Static", "ipAddress": "203.0.113.66"}},
    )
    _machine(found, "xmr", found.thief, {**pool, "publicIPAddress": {"id": address}})
    later(found, timedelta(0))
    return found


def _machine(found: Estate, name: str, by: Principal, configuration: dict[str, object]) -> None:
    group = found.ids["group"]
    body = HERE | {"properties": {"ipConfigurations": [{"name": "ipconfig1", "properties": configuration}]}}
    nic = found.make(by, f"{name}-nic", f"{group}/providers/{NETWORK}/networkInterfaces/{name}-nic", body)
    properties = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"osDisk": {"createOption": "FromImage"}},
        "networkProfile": {"networkInterfaces": [{"id": nic}]},
    }
    place = f"{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    found.make(by, name, place, HERE | {"properties": properties})


async def _looked(found: Estate) -> tuple[Network, Plan, list[str]]:
    async with simulated(found.world, mode=Mode.DRY_RUN) as connection:
        case = await found.case(connection, ("investigate.network",), STOPS)
    judged = Attribution(
        resources=(
            Judgement(
                id=found.ids["xmr"], cls=Class.ATTACKER, score=90, reasons=(Reason(90, "Made by the thief.", ()),)
            ),
            Judgement(id=found.ids["web"], cls=Class.LEGITIMATE, score=-90),
        ),
        verdict="fraud",
    )
    case = case.with_facts(judged)
    assess = load_steps()["investigate.network"].assess
    assert assess is not None
    return case[Network], found.plan(case), [one.id for one in assess(case[Network], case)]


async def test_the_plan_says_what_leads_to_the_machine_that_it_stops() -> None:
    found = _estate()
    network, plan, findings = await _looked(found)
    assert {one.machine for one in network.interfaces} == {found.ids["web"], found.ids["xmr"]}
    (balancer,) = network.balancers
    assert set(balancer.behind) == {found.ids["web-nic"], found.ids["xmr-nic"]}
    assert {one.address: one.of for one in network.addresses} == {
        "198.51.100.40": found.ids["balancer"],
        "203.0.113.66": found.ids["xmr-nic"],
    }
    (stop,) = (action for action in plan.actions if action.kind == "machine.deallocate")
    assert stop.target == found.ids["xmr"]
    assert stop.reasons == (
        "Made by the thief.",
        "Behind the load balancer: shop-lb (198.51.100.40).",
        "Public address: 203.0.113.66.",
    )
    assert findings == ["attackers-addresses", "attacker-behind-balancer"]


async def test_who_may_not_read_the_network_is_told_so_and_the_machine_is_stopped_all_the_same() -> None:
    found = _estate()
    world = found.world
    base = next(iter(world.subscriptions))
    role = f"{base}/providers/Microsoft.Authorization/roleDefinitions/{world.chance.guid()}"
    permissions = [{"actions": ["*"], "notActions": [f"{NETWORK}/*"]}]
    told = {"roleName": "No network", "type": "CustomRole", "assignableScopes": [base], "permissions": permissions}
    found.make(found.colleague, "role", role, {"properties": told})
    acting = responder(world).object_id
    (own,) = (row for row in world.role_assignments.values() if row["properties"]["principalId"] == acting)
    own["properties"]["roleDefinitionId"] = role
    network, plan, findings = await _looked(found)
    assert [note.what for note in network.not_looked_at] == ["load balancers", "network interfaces", "public addresses"]
    assert all("AuthorizationFailed" in note.why or "403" in note.why for note in network.not_looked_at)
    assert findings == []
    (stop,) = (action for action in plan.actions if action.kind == "machine.deallocate")
    assert stop.reasons == ("Made by the thief.",)
    assert plan.complete
