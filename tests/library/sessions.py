"""Worlds of the library that are told by sessions: one token in several hands and places, and a subscription whose log hardly knows anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from azure_simulator import call_as
from azure_simulator.chance import Chance
from azure_simulator.events import AZURE_CLI_APP, event, token_id
from azure_simulator.scenarios import compute_parts
from azure_simulator.services.graph import sign_in_rows, sign_ins
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.services.graph.store import table
from azure_simulator.world import Principal, World
from tests.library.worlds import NOW, thinned

_NIGHT = timedelta(hours=4)  # before the alert is answered, when what the scenario does not have begins
_RECONNAISSANCE = timedelta(hours=6)  # before the attack
_METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
_STRANGE = {"operatingSystem": "Windows 10", "browser": "Chrome 142.0.0"}
_HOP, _EARLY, _HOTEL = "198.18.7.201", "198.18.40.44", "198.18.91.145"  # RFC 2544: nobody's


def many_hands(seed: int) -> World:
    """A stolen token that goes through several hands and places, two colleagues drawn in from the thief's own address, and one who looks into it."""
    world = thinned("crypto-mining", seed=seed, now=NOW - _NIGHT)
    thief = world.truth["attackers"][0]
    victim, desk = world.principals[thief["principal_id"]], thief["addresses"][0]
    worn, cheated, honest = _colleagues(world, but=victim)
    _earlier_look(world, victim, Chance(seed).child("earlier"))
    _from_another_hop(world, victim, thief["addresses"])
    _second_factor_worn_out(world, worn, desk)
    _one_factor(world, cheated, desk)
    _into_the_thiefs_group(world, honest)
    _disks_of_instances(world, Chance(seed).child("disks"))
    world.truth["attackers"] += [{**thief, "principal_id": one.object_id, "caller": one.upn} for one in (worn, cheated)]
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.settle()
    for row in world.events:
        if row["caller"] == cheated.upn and row["claims"]["ipaddr"] == desk:
            row["claims"].pop(_METHODS, None)
    return world


def young_tenant(seed: int) -> World:
    """The same theft where the log says nearly nothing of the time before: what is new to it proves little, what was done has to."""
    world = thinned("crypto-mining", seed=seed)
    start = world.truth["attack_start"][:19]
    theirs = {row["caller"] for row in world.truth["attackers"]}
    days = sorted({str(row["eventTimestamp"])[:10] for row in world.events if str(row["eventTimestamp"])[:19] < start})
    kept = set(days[-8:])
    world.events[:] = [
        row
        for row in world.events
        if str(row["eventTimestamp"])[:19] >= start
        or (str(row["eventTimestamp"])[:10] in kept and row["caller"] not in theirs)
    ]
    return world


def _colleagues(world: World, *, but: Principal) -> list[Principal]:
    """Three who deploy in groups of their own, none of them on Windows, so that the thief's browser is another."""
    devices = {name: (row or {}).get("_device") or {} for name, row in table(world, "users").items()}
    deploying = {
        str(row["properties"]["principalId"])
        for row in world.role_assignments.values()
        if "/resourceGroups/" in str(row["properties"]["scope"])
    }
    found = [
        one
        for name, one in sorted(world.principals.items())
        if name in deploying and one is not but and devices.get(name, {}).get("operatingSystem") in ("Linux", "MacOs")
    ]
    return found[:3]


def _earlier_look(world: World, victim: Principal, chance: Chance) -> None:
    """A day before, from a place where nothing of the rest happens: one storage account's keys."""
    account = next(
        str(row["id"])
        for row in world.resources.values()
        if str(row["type"]).lower() == "microsoft.storage/storageaccounts"
    )
    at = datetime.fromisoformat(world.truth["attack_start"][:19] + "+00:00") - _RECONNAISSANCE
    world.events.append(
        event(
            chance,
            at=at,
            operation="Microsoft.Storage/storageAccounts/listKeys/action",
            resource_id=account,
            principal=victim,
            address=_EARLY,
            status="Succeeded",
            correlation_id=chance.guid(),
            subscription_id=account.split("/")[2],
            tenant_id=world.tenant_id,
            method="POST",
            mfa=False,
        )
    )
    world.events.sort(key=lambda row: str(row["eventTimestamp"]))


def _from_another_hop(world: World, victim: Principal, addresses: list[str]) -> None:
    """The token of one of the thief's sessions, used once more from elsewhere."""
    theirs = [row for row in world.events if row["caller"] == victim.upn and row["claims"]["ipaddr"] in addresses]
    account = next(
        str(row["id"])
        for row in world.resources.values()
        if str(row["type"]).lower() == "microsoft.storage/storageaccounts"
    )
    _call(world, victim, "POST", f"{account}/listKeys", address=_HOP, token=str(theirs[-1]["claims"]["uti"]))


def _second_factor_worn_out(world: World, worn: Principal, address: str) -> None:
    """Four requests on a telephone, the fifth is given; then machines where the colleague has no role."""
    for number in range(4):
        world.clock.advance(300)
        _sign_in(world, worn, address, f"asked {number}", error=500121)
    world.clock.advance(240)
    token = _sign_in(world, worn, address, "given")
    group = next(iter(world.truth["rogue_groups"]))
    for number in range(9):
        machine = f"{group}/providers/Microsoft.Compute/virtualMachines/render-{number}"
        _call(
            world,
            worn,
            "PUT",
            machine,
            {"location": world.truth["regions"][0]},
            address=address,
            token=token,
            status=403,
        )


def _one_factor(world: World, cheated: Principal, address: str) -> None:
    """A password typed into a page that passed it on, at an application that asks for nothing else; its tokens do not tell how they were got."""
    world.clock.advance(900)
    token = _sign_in(world, cheated, address, "phished", mfa=False)
    disk = f"{_own_group(world, cheated)}/providers/Microsoft.Compute/disks/render-cache"
    body = {
        "location": world.truth["regions"][0],
        "sku": {"name": "Premium_LRS"},
        "properties": {"diskSizeGB": 1024, "creationData": {"createOption": "Empty"}},
    }
    _call(world, cheated, "PUT", disk, body, address=address, token=token)
    world.truth["rogue"].append(disk)


def _into_the_thiefs_group(world: World, honest: Principal) -> None:
    """A colleague in a hotel, who was told of it and makes a security group for a quarantine beside the machines."""
    world.clock.advance(900)
    group = next(iter(world.truth["rogue_groups"]))
    scope = f"{group}/providers/Microsoft.Authorization/roleAssignments/{Chance(world.seed).child('honest').guid()}"
    model = next(row for row in world.role_assignments.values() if row["properties"]["principalId"] == honest.object_id)
    world.role_assignments[scope] = {
        **model,
        "id": scope,
        "name": scope.rpartition("/")[2],
        "properties": {**model["properties"], "scope": group},
    }
    closed = f"{group}/providers/Microsoft.Network/networkSecurityGroups/nsg-quarantine"
    body = {"location": str(world.groups[group]["location"]), "properties": {"securityRules": []}}
    _call(world, honest, "PUT", closed, body, address=_HOTEL)


def _disks_of_instances(world: World, chance: Chance) -> None:
    """Each instance of the thief's scale sets has a disk of data."""
    names = [name for name in world.truth["rogue_compute"] if "/virtualmachinescalesets/" in name.lower()]
    for name in names:
        row = world.resources[name]
        group, leaf = name.split("/providers/")[0], name.rpartition("/")[2]
        born = datetime.fromisoformat(str(row["_created"])[:19] + "+00:00")
        for number in row["_instances"]:
            owner = f"{name}/virtualMachines/{number}"
            made = compute_parts.disk(
                chance,
                group.rpartition("/")[2],
                f"{leaf}_{number}_data",
                str(row["location"]),
                born,
                size_gb=512,
                owner=owner,
            )
            world.resources[made["id"]] = made
            world.truth["rogue"].append(made["id"])


def _own_group(world: World, one: Principal) -> str:
    return next(
        str(row["properties"]["scope"])
        for row in world.role_assignments.values()
        if row["properties"]["principalId"] == one.object_id and "/resourceGroups/" in str(row["properties"]["scope"])
    )


def _sign_in(world: World, one: Principal, address: str, what: str, *, mfa: bool = True, error: int = 0) -> str:
    """A sign-in in a strange browser; return the id of its token."""
    token = token_id("library", one.object_id, what)
    sign_ins.write(
        world,
        SignIn(
            one,
            world.clock.now(),
            address,
            AZURE_CLI_APP,
            token,
            client=sign_in_rows.BROWSER,
            mfa=mfa,
            error=error,
            device=_STRANGE,
        ),
    )
    return token


def _call(
    world: World,
    one: Principal,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    address: str,
    token: str = "",
    status: int = 0,
) -> None:
    world.clock.advance(40)
    answer = call_as(world, one.object_id, method, f"{path}?api-version=2024-07-01", body, address=address, token=token)
    if (status and answer.status != status) or (not status and answer.status >= 300):
        raise RuntimeError(f"{method} {path} was answered with {answer.status}: {answer.body!r}")
