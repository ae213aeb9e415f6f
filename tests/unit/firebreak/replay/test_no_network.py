"""While a replay runs no socket of this process connects, sends or looks a name up; afterwards they do again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from firebreak.errors import SafetyError
from firebreak.replay.no_network import no_connections

USES: list[Callable[[socket.socket, tuple[str, int]], object]] = [
    lambda one, place: one.connect(place),
    lambda one, place: one.connect_ex(place),
    lambda one, place: one.sendto(b"x", place),
    lambda _, place: socket.getaddrinfo("localhost", place[1]),
    lambda *_: socket.gethostbyname("localhost"),
]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server


@pytest.mark.parametrize("use", USES)
def test_every_way_out_is_refused_and_open_again_afterwards(
    listener: socket.socket, use: Callable[[socket.socket, tuple[str, int]], object]
) -> None:
    place = ("127.0.0.1", listener.getsockname()[1])
    with socket.socket() as one, no_connections(), pytest.raises(SafetyError, match="network"):
        use(one, place)
    listener.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listener.accept()  # nothing came through
    with socket.socket() as one:
        one.connect(place)


def test_it_holds_in_every_thread_and_until_the_outer_block_ends(listener: socket.socket) -> None:
    refused: list[str] = []

    def use() -> None:
        with socket.socket() as one:
            try:
                one.connect(("127.0.0.1", listener.getsockname()[1]))
            except SafetyError as error:
                refused.append(error.message)

    with no_connections():
        with no_connections():
            pass
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    assert len(refused) == 1
    use()
    assert len(refused) == 1
