"""kill -9 while the refresh token is renewed: its place always holds one whole token that the sign-in service takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firebreak.clients.credentials import Credentials
from firebreak.clients.transports import network
from tests.support.partner import Partnership, partnership

CHILD = Path(__file__).with_name("refresh_token_child.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as found:
        yield found


def started(place: Partnership, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, **place.environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CHILD), *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def killed(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    assert child.stdout is not None
    child.stdout.close()


def wait_for(child: subprocess.Popen[str], beginning: str) -> str:
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError(f"The child ended ({child.wait(timeout=60)}) before {beginning!r}.")


async def redeem(place: Partnership) -> None:
    """What the next process does."""
    settings = place.settings()
    credentials = Credentials(settings, network(settings))
    source = await credentials.for_tenant(settings.credential.tenant_id)
    assert await source.bearer("https://management.azure.com/.default")
    await credentials.close()


async def test_killed_between_receiving_and_storing_the_old_token_goes_on(place: Partnership) -> None:
    first = place.consent()
    child = started(place, "received")
    wait_for(child, "received")
    killed(child)
    assert len(place.world.grants) == 2  # the world gave a new one, which died with the process
    assert place.token_file.read_text() == first
    await redeem(place)
    assert place.generation(place.token_file.read_text()) == 2


async def test_killed_before_the_new_file_is_in_its_place_the_old_one_is_whole(place: Partnership) -> None:
    first = place.consent()
    child = started(place, "written")
    written = wait_for(child, "written").split()
    killed(child)
    assert place.token_file.read_text() == first
    (left,) = place.token_file.parent.glob(".refresh-token.*.new")
    assert str(left) == written[1]
    assert left.stat().st_mode & 0o777 == 0o600
    assert left.read_text() in place.world.grants
    # The lock died with its holder, and the next writer takes away what the dead one left.
    await redeem(place)
    assert place.token_file.read_text() != first
    assert not left.exists()


@pytest.mark.slow
async def test_killed_at_any_moment_by_two_at_once_nothing_is_lost(place: Partnership) -> None:
    place.consent()
    for number in range(12):
        children = [started(place), started(place)]
        for child in children:
            wait_for(child, f"token {number % 4}")
        for child in children:
            killed(child)
        token = place.token_file.read_text()
        assert token in place.world.grants
        await redeem(place)
        assert place.generation(place.token_file.read_text()) > place.generation(token)
