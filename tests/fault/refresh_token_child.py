"""A process that redeems its refresh token again and again, for the tests that kill it. `python refresh_token_child.py [received|written]`.

It prints a line for each token. With a word it stops for ever at that moment of the first renewal: when the answer
was received and nothing is stored yet, or when the new file is written and not yet in its place.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

from firebreak.clients.credentials import Credentials
from firebreak.clients.refresh_token_store import FileStore
from firebreak.clients.transports import network
from firebreak.settings import Settings


def _stop_here(what: str) -> None:
    print(what, flush=True)
    threading.Event().wait()


def _arrange(moment: str) -> None:
    if moment == "received":

        def replace(*_: Any) -> str:
            _stop_here("received")
            return ""

        FileStore._replace = replace  # type: ignore[method-assign]
    elif moment == "written":

        def move(self: Path, target: Any) -> Path:
            _stop_here(f"written {self} for {target}")
            return self

        Path.replace = move  # type: ignore[method-assign]


async def _redeem(rounds: int) -> None:
    settings = Settings.load()
    scopes = (f"{settings.cloud.audience}/.default", f"{settings.cloud.graph_audience}/.default")
    for number in range(rounds):
        credentials = Credentials(settings, network(settings))
        source = await credentials.for_tenant(settings.credential.tenant_id)
        await source.bearer(scopes[number % 2])
        print(f"token {number}", flush=True)
        await credentials.close()


if __name__ == "__main__":
    _arrange(sys.argv[1] if len(sys.argv) > 1 else "")
    asyncio.run(_redeem(1000))
