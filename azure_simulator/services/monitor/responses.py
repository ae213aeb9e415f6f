"""Autoscale settings over HTTP: a change may make autoscale look at its scale set; alerts are told in simple documents."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.compute.documents import body_of, patcher, putter, stored
from azure_simulator.services.monitor import autoscale, exceptions
from azure_simulator.services.monitor.autoscale import SETTING
from azure_simulator.services.monitor.models import DIAGNOSTIC_SETTING
from azure_simulator.world import World, public


def put_setting(world: World, request: Request) -> Response:
    """Create or replace an autoscale setting; one that is enabled looks at its target in some minutes."""
    properties = body_of(request).get("properties") or {}
    if not properties.get("profiles") or not properties.get("targetResourceUri"):
        raise exceptions.InvalidSettingError("properties.profiles and properties.targetResourceUri are required.")
    return _evaluated(putter(SETTING), world, request)


def patch_setting(world: World, request: Request) -> Response:
    """Change an autoscale setting, for instance switch it off."""
    return _evaluated(patcher(SETTING), world, request)


def _evaluated(handler: Handler, world: World, request: Request) -> Response:
    response = handler(world, request)
    setting = stored(world, request, SETTING)
    setting["properties"]["name"] = setting["name"]
    if setting["properties"].setdefault("enabled", True):
        autoscale.watch(world, setting)
    response.body = public(setting)
    return response


# Diagnostic settings hang on any resource or on the subscription --------------------------------------------------------


def _setting_id(request: Request) -> str:
    return f"{request.params['scope'].rstrip('/')}/providers/{DIAGNOSTIC_SETTING}/{request.params['name']}"


def list_diagnostic_settings(world: World, request: Request) -> Response:
    """The diagnostic settings of exactly that scope, not of what is below it."""
    wanted = f"{request.params['scope'].rstrip('/')}/providers/{DIAGNOSTIC_SETTING}/".lower()
    found = [
        s for s in world.resources.of_type(DIAGNOSTIC_SETTING) if s["id"].lower().rpartition("/")[0] + "/" == wanted
    ]
    return Response(200, {"value": [public(s) for s in found]})


def get_diagnostic_setting(world: World, request: Request) -> Response:
    """One diagnostic setting."""
    found = world.resources.get(_setting_id(request))
    if found is None:
        raise exceptions.SettingNotFoundError(request.params["name"])
    return Response(200, public(found))


def put_diagnostic_setting(world: World, request: Request) -> Response:
    """Create or replace a diagnostic setting."""
    identity = _setting_id(request)
    document = {
        "id": identity,
        "name": request.params["name"],
        "type": DIAGNOSTIC_SETTING,
        "properties": dict(body_of(request).get("properties") or {}),
    }
    world.resources[identity] = document
    return Response(200, public(document))


def delete_diagnostic_setting(world: World, request: Request) -> Response:
    """Delete a diagnostic setting; 204 when it is absent."""
    identity = _setting_id(request)
    if identity not in world.resources:
        return Response(204)
    del world.resources[identity]
    return Response(200)
