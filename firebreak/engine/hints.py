"""A webhook is a hint: what Graph itself says of a subscription's alerts, asked with our own identity before an incident is opened.

https://learn.microsoft.com/graph/api/partner-security-partnersecurityalert-list-securityalerts
"""

from __future__ import annotations

import uuid
from typing import Any

from firebreak.clients import connect
from firebreak.engine.room import EngineRoom
from firebreak.errors import RejectedError
from firebreak.model.ids import guid
from firebreak.model.mode import Mode


async def alerts_about(room: EngineRoom, subscription: str) -> list[dict[str, Any]]:
    """Every alert that Graph lists about a subscription, whatever its status. Nothing can be written on this connection.

    Raises:
        AccessError, RemoteError: Graph cannot be asked.
        ScopeError: no subscription id.
    """
    wanted = guid(subscription, "subscription")
    path = f"{room.settings.operations.alerts_api}/security/partner/securityAlerts"
    async with connect(
        room.settings,
        subscription_id=wanted,
        mode=Mode.DRY_RUN,
        correlation_id=str(uuid.uuid4()),
        transport=room.transport,
        clock=room.clock,
        sleep=room.sleep,
        monotonic=room.monotonic,
    ) as connection:
        try:
            rows = await connection.eyes.graph.list(path, {"$filter": f"subscriptionId eq '{wanted}'"})
        except RejectedError as error:
            if error.status not in (400, 501):
                raise
            # Which properties can be filtered by is not documented.
            rows = await connection.eyes.graph.list(path)
    return [row for row in rows if str(row.get("subscriptionId", "")).lower() == wanted]
