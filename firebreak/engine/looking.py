"""A connection of the installation itself, beside any incident: it can write nothing."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from firebreak.clients import CloudEyes, connect
from firebreak.engine.room import EngineRoom
from firebreak.model.mode import Mode


@asynccontextmanager
async def looking(room: EngineRoom, subscription: str, *, tenant: str = "") -> AsyncIterator[CloudEyes]:
    """Eyes on the clouds of the room's settings, for this subscription where Resource Manager is asked, and for this customer (default: the
    installation's first).

    Raises:
        SettingsError: the customer's connection cannot be used.
        CredentialError, AccessError, RemoteError: the clouds cannot be asked.
    """
    async with connect(
        room.settings.for_customer(tenant),
        subscription_id=subscription,
        mode=Mode.DRY_RUN,
        correlation_id=str(uuid.uuid4()),
        transport=room.transport,
        clock=room.clock,
        sleep=room.sleep,
        monotonic=room.monotonic,
    ) as connection:
        yield connection.eyes
