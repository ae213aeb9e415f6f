"""`firebreak simulate`: the embedded Azure alone. The one command that starts it, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import typer

from firebreak.bundle import open_bundle
from firebreak.cli.output import Json
from firebreak.errors import ContentError
from firebreak.replay.past import past_of
from firebreak.replay.world import record
from firebreak.settings import Settings

SCENARIOS = (
    "crypto-mining",
    "service-principal-abuse",
    "false-alarm",
    "hijacked-owner",
    "insider-automation",
    "quiet-persistence",
    "identity-only",
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
    bundle: Path | None = typer.Option(
        None,
        help="Instead of a scenario: an incident bundle whose subscription is served as it was when it was first looked at.",
    ),
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

    Unmodified Azure clients work against it. With --bundle it holds what a recorded incident tells of its subscription: resources, roles, people,
    the activity log and the alert, at the time of the first look; what was not recorded is not there, and the first line says what. With --json the first line has the endpoints and the settings that point Firebreak at it.
    Its request log is GET /_simulator/requests, its state GET /_simulator/state.
    """
    place = folder or Settings.load().home / "simulator"
    place.mkdir(parents=True, exist_ok=True)
    words = ["--port", str(port), "--folder", str(place)]
    if bundle is not None:
        words += ["--recorded", str(_recorded(bundle, place, now))]
    else:
        words += ["--scenario", check_scenario(scenario), "--seed", str(seed), "--scale", str(scale)]
        words += ["--now", now] if now else []
    words += ["--json"] if as_json else []
    child = subprocess.Popen([sys.executable, "-m", "azure_simulator", *words], env=os.environ)  # noqa: S603 - our own module

    def stop(number: int, _: object) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    raise typer.Exit(max(0, child.wait()))


def _recorded(bundle: Path, folder: Path, now: str) -> Path:
    """What the embedded Azure is told of the bundle's subscription, as a file.

    Raises:
        ContentError: a time was given, too.
        BundleError: it is no bundle, or one that tells nothing of a subscription.
    """
    if now:
        raise ContentError("--now does not go with --bundle.", hint="There it is the time of the record; leave it out.")
    file = folder / "record.json"
    with open_bundle(bundle) as opened:
        past = past_of(opened)
        record.write(opened, past, min(past.rounds), file)
    return file
