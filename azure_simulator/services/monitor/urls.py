"""Routes of Microsoft.Insights, the activity log apart."""

from __future__ import annotations

from azure_simulator.http import Handler, Route, route
from azure_simulator.services.compute.documents import deleter, patcher, paths, simple_routes
from azure_simulator.services.monitor import responses, telling
from azure_simulator.services.monitor.autoscale import SETTING
from azure_simulator.services.monitor.models import ACTION_GROUP, ACTIVITY_LOG_ALERT, DIAGNOSTIC_SETTING

_, _, _ONE = paths(SETTING)
_OF_SCOPE = "{scope...}/providers/Microsoft.Insights/diagnosticSettings"


def _told(kind: str, put: Handler) -> list[Route]:
    _, _, one = paths(kind)
    return [
        *simple_routes(kind, changes=False),
        route("PUT", one, put, f"{kind}/write"),
        route("PATCH", one, patcher(kind), f"{kind}/write"),
        route("DELETE", one, deleter(kind), f"{kind}/delete"),
    ]


ROUTES: list[Route] = [
    *simple_routes(SETTING, changes=False),
    route("PUT", _ONE, responses.put_setting, f"{SETTING}/write"),
    route("PATCH", _ONE, responses.patch_setting, f"{SETTING}/write"),
    route("DELETE", _ONE, deleter(SETTING), f"{SETTING}/delete"),
    *_told(ACTION_GROUP, telling.put_group),
    *_told(ACTIVITY_LOG_ALERT, telling.put_alert),
    route("GET", _OF_SCOPE, responses.list_diagnostic_settings, f"{DIAGNOSTIC_SETTING}/read"),
    route("GET", f"{_OF_SCOPE}/{{name}}", responses.get_diagnostic_setting, f"{DIAGNOSTIC_SETTING}/read"),
    route("PUT", f"{_OF_SCOPE}/{{name}}", responses.put_diagnostic_setting, f"{DIAGNOSTIC_SETTING}/write"),
    route("DELETE", f"{_OF_SCOPE}/{{name}}", responses.delete_diagnostic_setting, f"{DIAGNOSTIC_SETTING}/delete"),
]
