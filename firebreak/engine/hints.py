"""A webhook is a hint: what Graph itself says of a subscription's alerts, asked with our own identity before an incident is opened.

https://learn.microsoft.com/graph/api/partner-security-partnersecurityalert-list-securityalerts
"""

from __future__ import annotations

from typing import Any

from firebreak.engine.looking import looking
from firebreak.engine.room import EngineRoom
from firebreak.errors import RejectedError
from firebreak.model.ids import guid


async def alerts_about(room: EngineRoom, subscription: str) -> list[dict[str, Any]]:
    """Every alert that Graph lists about a subscription, whatever its status. Nothing can be written on this connection.

    Raises:
        AccessError, RemoteError: Graph cannot be asked.
        ScopeError: no subscription id.
    """
    wanted = guid(subscription, "subscription")
    path = f"{room.settings.operations.alerts_api}/security/partner/securityAlerts"
    async with looking(room, wanted) as eyes:
        try:
            rows = await eyes.graph.list(path, {"$filter": f"subscriptionId eq '{wanted}'"})
        except RejectedError as error:
            if error.status not in (400, 501):
                raise
            # Which properties can be filtered by is not documented.
            rows = await eyes.graph.list(path)
    return [row for row in rows if str(row.get("subscriptionId", "")).lower() == wanted]
