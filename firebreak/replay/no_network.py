"""Sockets refused while a replay runs: what should never be tried fails at once, whatever library tries it.

with no_connections():
    ...                     # connecting, sending, looking up a name: NetworkUsedError
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from firebreak.errors import SafetyError

_USES = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"})
_state = {"hooked": False, "blocks": 0}


@contextmanager
def no_connections() -> Iterator[None]:
    """Refuse every connection of this process, in all its threads, until the context ends.

    Raises, where a socket is used:
        SafetyError: with what was tried.
    """
    if not _state["hooked"]:
        sys.addaudithook(_refuse)  # it stays for the life of the process, and does nothing outside of a block
        _state["hooked"] = True
    _state["blocks"] += 1
    try:
        yield
    finally:
        _state["blocks"] -= 1


def _refuse(event: str, _: tuple[Any, ...]) -> None:
    if event in _USES and _state["blocks"]:
        raise SafetyError(
            f"A replay tried to use the network ({event}); it was refused.",
            hint="A replay needs no network. Please report this with the bundle's name.",
        )
