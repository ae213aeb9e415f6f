"""`firebreak simulate`: the embedded Azure alone. The one command that starts it, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import typer

from firebreak.cli.output import Json
from firebreak.errors import ContentError
from firebreak.settings import Settings

SCENARIOS = (
    "crypto-mining",
    "service-principal-abuse",
    "false-alarm",
    "hijacked-owner",
    "insider-automation",
    "quiet-persistence",
    "hostile-names",
)


def check_scenario(name: str) -> str:
    """Return the scenario's name.

    Raises:
        ContentError: there is none of that name.
    """
    if name not in SCENARIOS:
        raise ContentError(f"There is no scenario {name!r}.", hint=f"There are: {', '.join(SCENARIOS)}.")
    return name


def simulate(
    scenario: str = typer.Option("crypto-mining", help=f"What happened: {', '.join(SCENARIOS)}."),
    seed: int = typer.Option(
        7, help="Another seed makes another tenant and another attack; the same seed the same bytes."
    ),
    scale: int = typer.Option(1, min=1, max=50, help="Multiplies resources and events."),
    port: int = typer.Option(8443, help="Where to listen on localhost; 0 takes a free port."),
    now: str = typer.Option("", help="The time it is there, ISO 8601 (default: this hour)."),
    folder: Path | None = typer.Option(
        None, help="Where certificates, the alert and the demo approvers are written (default: <home>/simulator)."
    ),
    as_json: bool = Json,
) -> None:
    """Serve the embedded Azure over https until stopped: sign-in, Resource Manager, Partner Center, Graph, prices.

    Unmodified Azure clients work against it. With --json the first line has the endpoints and the settings that point Firebreak at it.
    Its request log is GET /_simulator/requests, its state GET /_simulator/state.
    """
    place = folder or Settings.load().home / "simulator"
    place.mkdir(parents=True, exist_ok=True)
    words = [
        "--scenario",
        check_scenario(scenario),
        "--seed",
        str(seed),
        "--scale",
        str(scale),
        "--port",
        str(port),
        "--folder",
        str(place),
    ]
    words += ["--now", now] if now else []
    words += ["--json"] if as_json else []
    child = subprocess.Popen([sys.executable, "-m", "azure_simulator", *words], env=os.environ)  # noqa: S603 - our own module

    def stop(number: int, _: object) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    raise typer.Exit(max(0, child.wait()))
