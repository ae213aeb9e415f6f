"""What people do on a working day: few operations, in their hours, from their addresses, within their roles."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from azure_simulator.events import AZURE_CLI_APP, PORTAL_APP
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.estate import Place
from azure_simulator.scenarios.log import AT_ONCE, FAILED, Caller, caller
from azure_simulator.scenarios.people import Actor
from azure_simulator.scenarios.routines import Shift
from azure_simulator.services.authorization import builtin

REFUSALS = (
    ("AuthorizationFailed", "The client does not have authorization to perform action over scope."),
    ("OperationNotAllowed", "Operation could not be completed as another operation is in progress on this resource."),
    ("ResourceNotFound", "The Resource was not found."),
    ("InvalidParameter", "The value of parameter is invalid."),
)
REFUSED = (
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.Storage/storageAccounts/write",
    "Microsoft.Compute/disks/delete",
)


def day(shift: Shift, actor: Actor, midnight: datetime, working: bool) -> None:
    """One person's day; on days off almost nothing."""
    chance = shift.chance
    expected = actor.activity if working else actor.activity * 0.05
    count = int(expected * (0.3 + chance.random()) * shift.scale + chance.random())
    if working and chance.random() < 0.08:
        return  # a holiday
    for _ in range(count):
        hour = min(max(chance.gauss(actor.starts + 4.2, 2.3), actor.starts - 0.5), actor.starts + 10.0)
        at = shift.staff.utc(midnight, hour)
        tool = PORTAL_APP if chance.random() < 0.7 else AZURE_CLI_APP
        by = caller(actor, _address(shift, actor), app_id=tool)
        _pick(shift, actor)(shift, by, shift.place(actor), at)


def _address(shift: Shift, actor: Actor) -> str:
    """Mostly the office, then the VPN, then home; now and then a hotel. People carry their second factor with them."""
    drawn = shift.chance.random()
    office, vpn, home = actor.addresses
    if drawn < 0.62:
        return office
    if drawn < 0.85:
        return vpn
    return home if drawn < 0.992 else f"203.0.113.{shift.chance.randrange(200, 250)}"


Task = Callable[[Shift, Caller, Place, datetime], None]


class Chore(NamedTuple):
    """A task, how often it comes, and who has it."""

    weight: int
    task: Task
    roles: tuple[str, ...]


def _pick(shift: Shift, actor: Actor) -> Task:
    fitting = [chore for chore in CHORES if actor.role in chore.roles]
    return shift.chance.choices([chore.task for chore in fitting], [chore.weight for chore in fitting])[0]


def _tag(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    machine = shift.machine(place, at)
    shift.log.operation(
        at,
        "Microsoft.Resources/tags/write",
        f"{machine['id']}/providers/Microsoft.Resources/tags/default",
        by,
        steps=AT_ONCE,
        request={"operation": "Merge", "properties": {"tags": {"reviewed": f"{at:%Y-%m}"}}},
        method="PATCH",
    )


def _restart(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    shift.log.operation(at, "Microsoft.Compute/virtualMachines/restart/action", shift.machine(place, at)["id"], by)


def _run_command(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    shift.log.operation(at, "Microsoft.Compute/virtualMachines/runCommand/action", shift.machine(place, at)["id"], by)


def _extend(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    machine = shift.machine(place, at)
    extension = shift.chance.choice(("AzureMonitorLinuxAgent", "CustomScript", "DependencyAgentLinux"))
    shift.log.operation(
        at,
        "Microsoft.Compute/virtualMachines/extensions/write",
        f"{machine['id']}/extensions/{extension}",
        by,
        request={"location": machine["location"], "properties": {"type": extension, "settings": {}}},
    )


def _open_port(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    port = shift.chance.choice((443, 8443, 22, 3389))
    name = f"nsg-{place.workload}-{place.env}/allow-{port}"
    shift.log.operation(
        at,
        "Microsoft.Network/networkSecurityGroups/securityRules/write",
        ids.resource_id(place.group, ids.SECURITY_GROUP + "/securityRules", name),
        by,
        steps=AT_ONCE,
        request={"properties": {"access": "Allow", "sourceAddressPrefix": "VirtualNetwork"}},
    )


def _tend_site(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    sites = [row for row in shift.settings(place) if row["type"] == "Microsoft.Web/sites"]
    if not sites:
        _tag(shift, by, place, at)
        return
    verb = shift.chance.choice(("restart/action", "config/write", "publishxml/action"))
    shift.log.operation(at, f"Microsoft.Web/sites/{verb}", shift.chance.choice(sites)["id"], by, steps=AT_ONCE)


def _list_keys(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    accounts = [row for row in shift.settings(place) if row["type"] == ids.STORAGE_ACCOUNT] or shift.estate.storage[:1]
    shift.log.operation(
        at,
        "Microsoft.Storage/storageAccounts/listKeys/action",
        shift.chance.choice(accounts)["id"],
        by,
        steps=AT_ONCE,
    )


def _validate(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    deployment = ids.resource_id(place.group, "Microsoft.Resources/deployments", f"portal-{at:%Y%m%d%H%M%S}")
    shift.log.operation(at, "Microsoft.Resources/deployments/validate/action", deployment, by, steps=AT_ONCE)


def _lend_access(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    """Let a colleague read a group for an afternoon."""
    guid = shift.chance.guid()
    assignment = f"{ids.group_id(place.group)}/providers/Microsoft.Authorization/roleAssignments/{guid}"
    body = {
        "properties": {
            "roleDefinitionId": builtin.role_id(builtin.READER, ids.SUBSCRIPTION_GUID),
            "principalId": shift.chance.choice(shift.staff.people()).principal.object_id,
            "principalType": "User",
        }
    }
    shift.log.operation(
        at, "Microsoft.Authorization/roleAssignments/write", assignment, by, steps=AT_ONCE, request=body
    )
    back = at + timedelta(hours=2)
    shift.log.operation(back, "Microsoft.Authorization/roleAssignments/delete", assignment, by, steps=AT_ONCE)


def _ask_support(shift: Shift, by: Caller, _place: Place, at: datetime) -> None:
    ticket = f"{ids.SUBSCRIPTION}/providers/Microsoft.Support/supportTickets/{at:%Y%m%d%H%M}"
    shift.log.operation(at, "Microsoft.Support/supportTickets/write", ticket, by)


def _be_refused(shift: Shift, by: Caller, place: Place, at: datetime) -> None:
    shift.log.operation(
        at,
        shift.chance.choice(REFUSED),
        shift.machine(place, at)["id"],
        by,
        steps=FAILED,
        failure=shift.chance.choice(REFUSALS),
    )


def _review_alert(shift: Shift, by: Caller, _place: Place, at: datetime) -> None:
    alert = f"{ids.SUBSCRIPTION}/providers/Microsoft.Security/locations/centralus/alerts/{shift.chance.guid()}"
    shift.log.operation(at, "Microsoft.Security/locations/alerts/dismiss/action", alert, by, steps=AT_ONCE)


def _set_contacts(shift: Shift, by: Caller, _place: Place, at: datetime) -> None:
    contacts = f"{ids.SUBSCRIPTION}/providers/Microsoft.Security/securityContacts/default"
    shift.log.operation(at, "Microsoft.Security/securityContacts/write", contacts, by, steps=AT_ONCE)


_OWNERS = ("Owner", "Contributor")
_MACHINES = (*_OWNERS, "Virtual Machine Contributor")
CHORES = (
    Chore(24, _tag, _OWNERS),
    Chore(16, _restart, _MACHINES),
    Chore(12, _open_port, _OWNERS),
    Chore(10, _tend_site, _OWNERS),
    Chore(8, _list_keys, _OWNERS),
    Chore(7, _extend, _MACHINES),
    Chore(7, _validate, _OWNERS),
    Chore(5, _run_command, _MACHINES),
    Chore(3, _lend_access, ("Owner",)),
    Chore(5, _be_refused, _MACHINES),
    Chore(3, _ask_support, _MACHINES),
    Chore(9, _review_alert, ("Security Admin",)),
    Chore(1, _set_contacts, ("Security Admin",)),
)
