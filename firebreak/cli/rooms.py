"""The engine room as the commands use it: with the shipped steps, and read-only looks at one incident."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from firebreak.cli.services import find_services, use_services
from firebreak.engine import Engine, EngineRoom, gather, open_engine_room
from firebreak.report.dossier import Dossier
from firebreak.settings import Settings
from tasks.guidance import instructions
from tasks.registry import load_steps


def connected_settings() -> Settings:
    """The settings as runs have them, with those of the connection block if one is named: for commands that sign in.

    Raises:
        SettingsError, UnreachableError: the block cannot be read.
    """
    settings = Settings.load()
    if not settings.connection_block and not any(one.connection_block for one in settings.customers):
        return settings
    if services := find_services(settings.home):
        use_services(services)
    from flows import connection  # Prefect reads the environment when it is first imported

    return asyncio.run(connection.connected_settings(settings))


@contextmanager
def engine_room(settings: Settings | None = None) -> Iterator[EngineRoom]:
    """Open this installation's engine room."""
    with open_engine_room(settings or Settings.load(), load_steps(), instructions=instructions()) as room:
        yield room


def dossier_of(room: EngineRoom, incident: str) -> Dossier:
    """Everything about one incident; nothing is sent to any cloud.

    Raises:
        ContentError: there is no such incident.
    """
    return gather(Engine(room, incident, None, run_id=""), int(room.store.values.get(incident, "last-round", 1)))
