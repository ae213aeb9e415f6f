"""Action groups (who is told) and activity-log alerts (of what): what Azure refuses in them.

https://learn.microsoft.com/rest/api/monitor/activity-log-alerts/create-or-update
"""

from __future__ import annotations

from typing import Any

from azure_simulator.http import Request, Response
from azure_simulator.services.compute.documents import body_of, putter
from azure_simulator.services.monitor.exceptions import InvalidSettingError
from azure_simulator.services.monitor.models import ACTION_GROUP, ACTIVITY_LOG_ALERT
from azure_simulator.world import World

_SHORT_NAME = 12
_CATEGORIES = (
    "Administrative",
    "ServiceHealth",
    "ResourceHealth",
    "Alert",
    "Autoscale",
    "Recommendation",
    "Security",
    "Policy",
)
_FIELDS = ("field", "equals", "containsAny", "anyOf")


def put_group(world: World, request: Request) -> Response:
    """Create or replace an action group."""
    properties = _properties(request)
    short = properties.get("groupShortName")
    if not isinstance(short, str) or not 0 < len(short) <= _SHORT_NAME:
        raise InvalidSettingError(f"properties.groupShortName must have 1 to {_SHORT_NAME} characters.")
    receivers = [row for key, rows in properties.items() if key.endswith("Receivers") for row in rows or []]
    names = [str(row.get("name") or "") for row in receivers]
    if "" in names or len(set(names)) != len(names):
        raise InvalidSettingError("Each receiver needs a name of its own.")
    for row in properties.get("emailReceivers") or []:
        if "@" not in str(row.get("emailAddress") or ""):
            raise InvalidSettingError(f"'{row.get('emailAddress')}' is no e-mail address.")
    for row in properties.get("armRoleReceivers") or []:
        if not row.get("roleId"):
            raise InvalidSettingError("An ARM role receiver needs a roleId.")
    return putter(ACTION_GROUP)(world, request)


def put_alert(world: World, request: Request) -> Response:
    """Create or replace an activity-log alert; the action groups it names must be there."""
    properties = _properties(request)
    scopes = properties.get("scopes")
    if not isinstance(scopes, list) or not scopes:
        raise InvalidSettingError("properties.scopes must name at least one scope.")
    conditions = (properties.get("condition") or {}).get("allOf")
    if not isinstance(conditions, list) or not conditions or not all(_is_leaf(one) for one in conditions):
        raise InvalidSettingError("properties.condition.allOf must hold conditions with field and equals.")
    category = next((one.get("equals") for one in conditions if str(one.get("field")).lower() == "category"), None)
    if category not in _CATEGORIES:
        raise InvalidSettingError(
            f"One condition must name the category; '{category}' is none of {', '.join(_CATEGORIES)}."
        )
    for row in (properties.get("actions") or {}).get("actionGroups") or []:
        if str(row.get("actionGroupId") or "") not in world.resources:
            raise InvalidSettingError(f"The action group '{row.get('actionGroupId')}' was not found.")
    return putter(ACTIVITY_LOG_ALERT)(world, request)


def _properties(request: Request) -> dict[str, Any]:
    body = body_of(request)
    if str(body.get("location") or "").lower() != "global":
        raise InvalidSettingError("The location must be 'Global'.")
    return dict(body.get("properties") or {})


def _is_leaf(condition: Any) -> bool:
    return isinstance(condition, dict) and bool(condition) and set(condition) <= set(_FIELDS)
