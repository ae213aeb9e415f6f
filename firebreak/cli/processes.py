"""Child processes of `demo` and `up`: started in order, waited for until healthy, ended in reverse; their output goes to log files."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from firebreak.errors import ResponseError


class ServiceError(ResponseError):
    """A service of `demo` or `up` did not start, or died."""

    code = "service"


def free_port(wanted: int = 0) -> int:
    """Return `wanted` when nothing listens there, else a free port of 127.0.0.1."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceError("No free port on 127.0.0.1.", hint="Close something that listens.")


def answers(url: str) -> bool:
    """Whether an address of ours answers 200 within two seconds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - an address we made ourselves
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


class Processes:
    """A group of children. Leaving the context ends them all: SIGTERM to each process group, SIGKILL after ten seconds."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, module: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start `python -m module...` with this environment; output goes to `<logs>/<name>.log`."""
        with (self._logs / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, "-m", *module],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._children.append((name, child))
        return child

    def wait_for(self, name: str, url: str, *, seconds: float) -> None:
        """Wait until `url` answers 200.

        Raises:
            ServiceError: the process ended or the time is over; shows the end of its log.
        """
        child = dict(self._children)[name]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if child.poll() is not None:
                break
            if answers(url):
                return
            time.sleep(0.2)
        raise ServiceError(
            f"{name} did not become ready.",
            hint=f"Its log {self._logs / (name + '.log')} ends with:\n{self.tail(name)}",
        )

    def wait_for_line(self, name: str, *, seconds: float, begins: str = "{") -> str:
        """Return the first line of the child's output that begins with `begins`."""
        child = dict(self._children)[name]
        path = self._logs / f"{name}.log"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in path.read_text(errors="replace").splitlines(keepends=True):
                if line.startswith(begins) and line.endswith("\n"):
                    return line.strip()
            if child.poll() is not None:
                break
            time.sleep(0.1)
        raise ServiceError(f"{name} did not become ready.", hint=f"Its log {path} ends with:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 12) -> str:
        text = (self._logs / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def dead(self) -> str:
        """The name of a child that has ended by itself, or ""."""
        return next((name for name, child in self._children if child.poll() is not None), "")

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, child in reversed(self._children):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for _, child in reversed(self._children):
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(5)
