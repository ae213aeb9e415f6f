"""Routes of Microsoft.Compute, each behind its throttling policy."""

from __future__ import annotations

from azure_simulator.http import Handler, Route, route
from azure_simulator.services.compute import catalog_responses as catalog
from azure_simulator.services.compute import disk_responses as disk_handlers
from azure_simulator.services.compute import responses as machines
from azure_simulator.services.compute import scale_set_responses as sets
from azure_simulator.services.compute import throttling as limits
from azure_simulator.services.compute.disks import DISK, SNAPSHOT
from azure_simulator.services.compute.documents import children, deleter, getter, lister, paths, putter, simple_routes
from azure_simulator.services.compute.models import EXTENSION
from azure_simulator.services.compute.quota import MACHINE, SCALE_SET
from azure_simulator.services.compute.throttling import Policy, throttled


def _route(method: str, pattern: str, handler: Handler, permission: str, policy: Policy) -> Route:
    return route(method, pattern, throttled(policy, handler), f"Microsoft.Compute/{permission}")


def _machine_routes() -> list[Route]:
    everywhere, in_group, one = paths(MACHINE)
    at_location = "/subscriptions/{s}/providers/Microsoft.Compute/locations/{l}/virtualMachines"
    routes = [
        _route("GET", everywhere, machines.list_machines, "virtualMachines/read", limits.HIGH_COST_GET),
        _route("GET", at_location, machines.list_machines_of_location, "virtualMachines/read", limits.HIGH_COST_GET),
        _route("GET", in_group, machines.list_machines, "virtualMachines/read", limits.HIGH_COST_GET),
        _route("GET", one, machines.get_machine, "virtualMachines/read", limits.LOW_COST_GET),
        _route(
            "GET",
            f"{one}/instanceView",
            machines.get_instance_view,
            "virtualMachines/instanceView/read",
            limits.LOW_COST_GET,
        ),
        _route(
            "GET", f"{one}/extensions", machines.list_extensions, "virtualMachines/extensions/read", limits.LOW_COST_GET
        ),
        _route(
            "GET",
            f"{one}/extensions/{{child}}",
            getter(EXTENSION),
            "virtualMachines/extensions/read",
            limits.LOW_COST_GET,
        ),
        _route(
            "PUT",
            f"{one}/extensions/{{child}}",
            putter(EXTENSION),
            "virtualMachines/extensions/write",
            limits.UPDATE_MACHINE,
        ),
        _route(
            "DELETE",
            f"{one}/extensions/{{child}}",
            deleter(EXTENSION),
            "virtualMachines/extensions/delete",
            limits.UPDATE_MACHINE,
        ),
        _route("PUT", one, machines.put_machine, "virtualMachines/write", limits.PUT_MACHINE),
        _route("PATCH", one, machines.patch_machine, "virtualMachines/write", limits.UPDATE_MACHINE),
        _route("DELETE", one, machines.delete_machine, "virtualMachines/delete", limits.DELETE_MACHINE),
        _route(
            "POST",
            f"{one}/runCommand",
            machines.run_command,
            "virtualMachines/runCommand/action",
            limits.UPDATE_MACHINE,
        ),
    ]
    for verb in ("start", "powerOff", "restart", "redeploy", "deallocate"):
        policy = limits.DELETE_MACHINE if verb == "deallocate" else limits.UPDATE_MACHINE
        routes.append(
            _route("POST", f"{one}/{verb}", machines.power_operation(verb), f"virtualMachines/{verb}/action", policy)
        )
    return routes


def _scale_set_routes() -> list[Route]:
    everywhere, in_group, one = paths(SCALE_SET)
    kind, child = "virtualMachineScaleSets", f"{one}/virtualMachines/{{child}}"
    low, high = limits.LOW_COST_GET_SCALE_SET, limits.HIGH_COST_GET_SCALE_SET
    of_instance = f"{kind}/virtualMachines"
    routes = [
        _route("GET", everywhere, lister(SCALE_SET), f"{kind}/read", high),
        _route("GET", in_group, lister(SCALE_SET), f"{kind}/read", high),
        _route("GET", one, getter(SCALE_SET), f"{kind}/read", low),
        _route("GET", f"{one}/instanceView", sets.get_summary, f"{kind}/instanceView/read", high),
        _route("PUT", one, sets.put_scale_set, f"{kind}/write", limits.UPDATE_SCALE_SET),
        _route("PATCH", one, sets.patch_scale_set, f"{kind}/write", limits.UPDATE_SCALE_SET),
        _route("DELETE", one, sets.delete_scale_set, f"{kind}/delete", limits.DELETE_SCALE_SET),
        _route("POST", f"{one}/delete", sets.delete_instances, f"{kind}/delete/action", limits.DELETE_SCALE_SET),
        _route("GET", f"{one}/virtualMachines", sets.list_instances, f"{of_instance}/read", high),
        _route("GET", child, sets.get_instance, f"{of_instance}/read", low),
        _route("GET", f"{child}/instanceView", sets.get_instance_view, f"{of_instance}/instanceView/read", low),
        _route("DELETE", child, sets.delete_instance, f"{of_instance}/delete", limits.DELETE_INSTANCE),
    ]
    for verb in ("start", "powerOff", "deallocate", "restart", "redeploy", "reimage"):
        stops = verb in ("powerOff", "deallocate")
        policy = limits.DELETE_SCALE_SET if stops else limits.UPDATE_SCALE_SET
        routes.append(_route("POST", f"{one}/{verb}", sets.power_operation(verb), f"{kind}/{verb}/action", policy))
        policy = limits.DELETE_INSTANCE if stops else limits.UPDATE_SCALE_SET
        routes.append(
            _route("POST", f"{child}/{verb}", sets.instance_operation(verb), f"{of_instance}/{verb}/action", policy)
        )
    return routes


def _disk_routes(kind: str) -> list[Route]:
    everywhere, in_group, one = paths(kind)
    return [
        route("GET", everywhere, lister(kind), f"{kind}/read"),
        route("GET", in_group, lister(kind), f"{kind}/read"),
        route("GET", one, getter(kind), f"{kind}/read"),
        route("PUT", one, disk_handlers.put(kind), f"{kind}/write"),
        route("PATCH", one, disk_handlers.change(kind), f"{kind}/write"),
        route("DELETE", one, disk_handlers.delete(kind), f"{kind}/delete"),
        route("POST", f"{one}/beginGetAccess", disk_handlers.begin_access(kind), f"{kind}/beginGetAccess/action"),
        route("POST", f"{one}/endGetAccess", disk_handlers.end_access(kind), f"{kind}/endGetAccess/action"),
    ]


_RESERVED = "Microsoft.Compute/capacityReservationGroups"
_RESERVATION = f"{_RESERVED}/capacityReservations"


def _reservation_routes() -> list[Route]:
    _, _, one = paths(_RESERVED)
    child = f"{one}/capacityReservations"
    return [
        *simple_routes(_RESERVED),
        route("GET", child, children(_RESERVATION), f"{_RESERVATION}/read"),
        route("GET", f"{child}/{{child}}", getter(_RESERVATION), f"{_RESERVATION}/read"),
        route("PUT", f"{child}/{{child}}", putter(_RESERVATION), f"{_RESERVATION}/write"),
        route("DELETE", f"{child}/{{child}}", deleter(_RESERVATION), f"{_RESERVATION}/delete"),
    ]


_OF_COMPUTE = "/subscriptions/{s}/providers/Microsoft.Compute"

ROUTES: list[Route] = [
    *_machine_routes(),
    *_scale_set_routes(),
    *_disk_routes(DISK),
    *_disk_routes(SNAPSHOT),
    *_reservation_routes(),
    route("GET", f"{_OF_COMPUTE}/skus", catalog.list_skus, "Microsoft.Compute/skus/read"),
    route(
        "GET", f"{_OF_COMPUTE}/locations/{{l}}/usages", catalog.list_usages, "Microsoft.Compute/locations/usages/read"
    ),
    route(
        "GET", f"{_OF_COMPUTE}/locations/{{l}}/vmSizes", catalog.list_sizes, "Microsoft.Compute/locations/vmSizes/read"
    ),
]
