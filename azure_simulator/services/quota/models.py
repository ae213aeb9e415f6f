"""Limits by region and family, and what becomes of a request to change one.

What a reduction ends in follows `world.quota_reduction`: "always" and "never" speak for themselves, "mixed" lets NC and ND families
(the GPUs that miners take) be lowered and refuses the others as the recorded answers do. Never below what is in use.
"""

from __future__ import annotations

import re
from typing import Any

from azure_simulator.clock import stamp
from azure_simulator.services.quota.exceptions import InvalidQuotaNameError, InvalidQuotaRequestError
from azure_simulator.world import Document, World

COMPUTE = "microsoft.compute"
_LOWERABLE = re.compile(r"standardN[CD]")


def rows(world: World, subscription: str, region: str, provider: str) -> list[Document]:
    """ARM usage rows (unit, currentValue, limit, name) of one provider in one region."""
    if provider.lower() == COMPUTE:
        from azure_simulator.services.compute.quota import usages

        return usages(world, subscription, region)
    return [
        {
            "unit": "Count",
            "currentValue": int(row.get("used", 0)),
            "limit": int(row["limit"]),
            "name": {"value": row["family"], "localizedValue": row.get("title") or row["family"]},
        }
        for row in world.quotas.values()
        if str(row.get("provider", COMPUTE)).lower() == provider.lower()
        and row["subscription"].lower() == subscription.lower()
        and row["region"].lower() == region.lower()
    ]


def row(world: World, subscription: str, region: str, provider: str, name: str) -> Document:
    """One usage row.

    Raises:
        InvalidQuotaNameError: the region has no such family.
    """
    for found in rows(world, subscription, region, provider):
        if found["name"]["value"].lower() == name.lower():
            return found
    raise InvalidQuotaNameError(name)


def wanted_limit(body: Any, name: str) -> int:
    """The limit that a PUT or PATCH body asks for.

    Raises:
        InvalidQuotaRequestError: no whole number of at least 0, or another name than the path's.
    """
    properties = body.get("properties") if isinstance(body, dict) else None
    limit = properties.get("limit") if isinstance(properties, dict) else None
    value = limit.get("value") if isinstance(limit, dict) else None
    if not isinstance(properties, dict) or not isinstance(limit, dict):
        raise InvalidQuotaRequestError("'properties.limit' is required.")
    if limit.get("limitObjectType") != "LimitValue":
        raise InvalidQuotaRequestError("'properties.limit.limitObjectType' must be 'LimitValue'.")
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidQuotaRequestError("'properties.limit.value' must be a whole number of at least 0.")
    named = properties.get("name")
    given = named.get("value") if isinstance(named, dict) else None
    if given is not None and str(given).lower() != name.lower():
        raise InvalidQuotaRequestError(f"The name in the body, '{given}', is not that of the path, '{name}'.")
    return value


def settle(world: World, request: Document) -> Document | None:
    """End a request: change the limit and return None, or return the error it fails with. Called when it is due."""
    asked = request["_asked"]
    now = row(world, asked["subscription"], asked["region"], asked["provider"], asked["family"])
    error = _refusal(world, now, asked["limit"])
    outcome = "Failed" if error else "Succeeded"
    request["properties"]["provisioningState"] = outcome
    request["properties"]["value"][0]["provisioningState"] = outcome
    if error:
        request["properties"]["message"] = "Request failed."
        request["properties"]["error"] = error
        request["properties"]["value"][0]["message"] = error["message"]
        return error
    request["properties"]["message"] = "Request completed."
    key = f"{asked['subscription']}/{asked['region']}/{asked['family']}"
    kept = world.quotas.get(key) or {
        "subscription": asked["subscription"],
        "region": asked["region"],
        "family": asked["family"],
        "title": now["name"]["localizedValue"],
    }
    world.quotas[key] = kept | {"limit": asked["limit"]}
    return None


def _refusal(world: World, now: Document, wanted: int) -> Document | None:
    if wanted >= now["limit"]:
        return None
    policy = world.quota_reduction
    allowed = policy == "always" or (policy == "mixed" and bool(_LOWERABLE.match(now["name"]["value"])))
    if allowed and wanted >= now["currentValue"]:
        return None
    reason = (
        f"The current usage ({now['currentValue']}) is higher than the requested quota ({wanted})."
        if allowed
        else f"The current quota limit ({now['limit']}) is higher than the requested quota ({wanted})."
    )
    return {"code": "QuotaReductionNotSupported", "message": f"{reason} Reducing quotas is not supported."}


def new_request(world: World, scope: str, usage: Document, asked: Document) -> Document:
    """The request document, accepted and stored."""
    name = world.chance.guid()
    request: Document = {
        "id": f"{scope}/providers/Microsoft.Quota/quotaRequests/{name}",
        "name": name,
        "type": "Microsoft.Quota/quotaRequests",
        "properties": {
            "provisioningState": "Accepted",
            "message": "Accepted",
            "requestSubmitTime": stamp(world.clock.now()),
            "value": [
                {
                    "subRequestId": world.chance.guid(),
                    "provisioningState": "Accepted",
                    "unit": "Count",
                    "name": usage["name"],
                    "limit": {"limitObjectType": "LimitValue", "value": asked["limit"]},
                }
            ],
        },
        "_asked": asked,
    }
    world.quota_requests[request["id"]] = request
    return request
