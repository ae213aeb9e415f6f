"""Virtual machines over HTTP: lists, views, create, update, delete and the power operations."""

from __future__ import annotations

import re

from azure_simulator.http import Handler, Request, Response, page
from azure_simulator.services.compute import models, notices, power, quota
from azure_simulator.services.compute.documents import (
    body_of,
    create,
    existing_for_put,
    listed,
    patch,
    region,
    resource_id,
    stored,
)
from azure_simulator.services.compute.exceptions import InvalidParameterError, OperationNotAllowedError
from azure_simulator.services.compute.models import EXTENSION
from azure_simulator.services.compute.operations import long_running
from azure_simulator.services.compute.quota import MACHINE
from azure_simulator.services.compute.sizes import Size, size_of
from azure_simulator.world import Document, World, public


def _answer_list(world: World, request: Request, machines: list[Document]) -> Response:
    status_only = request.q("statusOnly").lower() == "true"
    expand = request.q("$expand")
    if match := re.fullmatch(
        r"\s*'?virtualMachineScaleSet/id'?\s+eq\s+'?([^']+?)'?\s*", request.q("$filter"), re.IGNORECASE
    ):
        wanted = match[1].lower()
        machines = [
            m
            for m in machines
            if str((m["properties"].get("virtualMachineScaleSet") or {}).get("id", "")).lower() == wanted
        ]
    elif request.q("$filter"):
        raise InvalidParameterError(f"The filter '{request.q('$filter')}' is not supported.", "$filter")
    extensions = {} if status_only else models.extensions_by_machine(world, f"/subscriptions/{request.params['s']}")
    return page(
        world,
        request,
        machines,
        wrap=lambda m: models.shown(
            world, m, expand=expand, status_only=status_only, extensions=extensions.get(m["id"].lower(), [])
        ),
    )


def list_machines(world: World, request: Request) -> Response:
    """All machines of the subscription or group."""
    return _answer_list(world, request, listed(world, request, MACHINE))


def list_machines_of_location(world: World, request: Request) -> Response:
    """All machines of one region."""
    wanted = region(request.params["l"])
    return _answer_list(
        world, request, [m for m in listed(world, request, MACHINE) if region(str(m.get("location", ""))) == wanted]
    )


def get_machine(world: World, request: Request) -> Response:
    """One machine, with its run-time status under `$expand=instanceView`."""
    return Response(200, models.shown(world, stored(world, request, MACHINE), expand=request.q("$expand")))


def get_instance_view(world: World, request: Request) -> Response:
    """One machine's run-time status."""
    return Response(200, models.instance_view(world, stored(world, request, MACHINE)))


def put_machine(world: World, request: Request) -> Response:
    """Create a machine with its disks (201), or update one in place (200)."""
    body = body_of(request)
    if (
        models.size_name({"properties": body.get("properties") or {}})
        or resource_id(request, MACHINE) not in world.resources
    ):
        size = models.check_new(world, resource_id(request, MACHINE), body)
    found = existing_for_put(world, request, MACHINE, body)
    if found is not None:
        return _update(world, request, found, body)
    if body.get("location"):
        spot = quota.is_spot(body.get("properties") or {})
        quota.check(world, request.params["s"], region(str(body["location"])), size, 1, spot=spot)
    machine = create(world, request, MACHINE, body)
    models.furnish(world, machine)

    def created() -> None:
        machine["properties"]["provisioningState"] = "Succeeded"
        models.set_power(world, machine, "running")
        world.changed("machine.created", machine)

    return long_running(world, request, machine, created, status=201, body=models.shown(world, machine), location=False)


def _update(world: World, request: Request, machine: Document, body: Document) -> Response:
    wanted = models.size_name({"properties": body.get("properties") or {}})
    if wanted and wanted.lower() != models.size_name(machine).lower():
        new, old = models.size_or_refuse(wanted), size_of(models.size_name(machine))
        if quota.is_billed(machine.get("_power", "running")):
            # Within a family only the difference is needed; another family needs all of it.
            spare = old.vcpus if old and old.family == new.family else 0
            needed = Size(new.name, new.vcpus - spare, new.gpus, new.memory_gb, new.family, new.title)
            quota.check(
                world, request.params["s"], machine["location"], needed, 1, spot=quota.is_spot(machine["properties"])
            )
    kept = {k: machine["properties"][k] for k in ("vmId", "timeCreated") if k in machine["properties"]}
    storage = (body.get("properties") or {}).get("storageProfile") or {}
    models.check_disks(world, machine["id"], {"dataDisks": storage.get("dataDisks")})
    change = {k: v for k, v in (body.get("properties") or {}).items() if k not in ("storageProfile", "instanceView")}

    def updated() -> None:
        machine["properties"]["provisioningState"] = "Succeeded"

    response = long_running(world, request, machine, updated, status=200, location=False)
    patch(machine, {**body, "properties": {**change, **kept}})
    if storage.get("dataDisks") is not None:
        models.replug(world, machine, storage["dataDisks"])
    if machine.get("_operation"):
        machine["properties"]["provisioningState"] = "Updating"
    response.body = models.shown(world, machine)
    return response


def patch_machine(world: World, request: Request) -> Response:
    """Change tags, size or other properties of a machine."""
    return _update(world, request, stored(world, request, MACHINE), body_of(request))


def delete_machine(world: World, request: Request) -> Response:
    """Delete a machine; 204 when it is absent. A forced deletion overtakes an operation that runs."""
    machine = world.resources.get(resource_id(request, MACHINE))
    if machine is None:
        return Response(204)

    def deleted() -> None:
        models.take_apart(world, machine)
        notices.tell(world, "machine.deleted", machine)

    forced = request.q("forceDeletion").lower() == "true"
    response = long_running(world, request, machine, deleted, overtake=forced)
    machine["properties"]["provisioningState"] = "Deleting"
    return response


def power_operation(verb: str) -> Handler:
    """The handler of `start`, `powerOff`, `deallocate`, `restart`, `redeploy` or `reimage`."""
    change = power.CHANGES[verb]

    def handle(world: World, request: Request) -> Response:
        machine = stored(world, request, MACHINE)
        before = machine.get("_power", "running")
        _check_power(world, request, machine, verb, before)
        # Powering off what is deallocated does not allocate it again.
        unmoved = verb == "powerOff" and before == "deallocated"

        def done() -> None:
            machine["properties"]["provisioningState"] = "Succeeded"
            if unmoved:
                return
            models.set_power(world, machine, change.after)
            if change.notice and before != change.after:
                notices.tell(world, f"machine.{change.notice}", machine)

        response = long_running(world, request, machine, done, undo=lambda: models.set_power(world, machine, before))
        if machine.get("_operation"):
            machine["properties"]["provisioningState"] = "Updating"
            if before != change.after and not unmoved:
                models.set_power(world, machine, change.during)
        return response

    return handle


def _check_power(world: World, request: Request, machine: Document, verb: str, before: str) -> None:
    if verb in ("restart", "redeploy") and before == "deallocated":
        raise OperationNotAllowedError("The operation requires the VM to be running (or set to run).")
    if verb == "deallocate" and request.q("hibernate").lower() == "true":
        enabled = (machine["properties"].get("additionalCapabilities") or {}).get("hibernationEnabled")
        if not enabled:
            raise OperationNotAllowedError(
                f"The Hibernate-Deallocate operation cannot be performed on VM '{machine['name']}' because hibernation is not enabled."
            )
    size = size_of(models.size_name(machine))
    if verb == "start" and before == "deallocated" and size:
        quota.check(world, request.params["s"], machine["location"], size, 1, spot=quota.is_spot(machine["properties"]))


def run_command(world: World, request: Request) -> Response:
    """Accept a script for a running machine; nothing is run, the result has empty output."""
    machine = stored(world, request, MACHINE)
    if machine.get("_power", "running") != "running":
        raise OperationNotAllowedError("The operation requires the VM to be running (or set to run).")
    if not body_of(request).get("commandId"):
        raise InvalidParameterError("Required parameter 'commandId' is missing (null).", "commandId")
    message = "Enable succeeded: \n[stdout]\n\n[stderr]\n"
    line = {
        "code": "ProvisioningState/succeeded",
        "level": "Info",
        "displayStatus": "Provisioning succeeded",
        "message": message,
    }
    return long_running(world, request, machine, lambda: None, result=lambda: {"value": [line]})


def list_extensions(world: World, request: Request) -> Response:
    """A machine's extensions."""
    machine = stored(world, request, MACHINE)
    return Response(200, {"value": [public(e) for e in world.resources.of_type(EXTENSION, machine["id"])]})
