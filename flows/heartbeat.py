"""How often a run of ours shows that it lives. One number for every process and for the automation that misses it.

`prefect.yaml` has it for workers; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

HEARTBEAT_SECONDS: Final = 30
# Six heartbeats: a server that is started anew must not make live runs look dead.
SILENT_SECONDS: Final = 6 * HEARTBEAT_SECONDS


@contextmanager
def beating() -> Iterator[None]:
    """Let the runs that this process starts show a sign of life often enough, whatever its environment says."""
    given = get_current_settings().flows.heartbeat_frequency
    if given is not None and given <= HEARTBEAT_SECONDS:
        yield
        return
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: HEARTBEAT_SECONDS}):
        yield
