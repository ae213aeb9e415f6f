"""`firebreak posture`: check how well the partner's own tenant is protected, and propose what can be mended."""

from __future__ import annotations

import asyncio

import typer

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.respond import REQUESTED_BY, here, in_prefect, requester
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.cli.services import find_services, use_services
from firebreak.engine import Engine, EngineRoom
from firebreak.engine.partner import open_check
from firebreak.engine.posture import posture_of
from firebreak.model.mode import Mode
from firebreak.report.posture import posture_json, summary_lines


def posture(
    dry_run: bool = typer.Option(
        False, "--dry-run", help="Look and report, ask nobody and change nothing; needs no Prefect server."
    ),
    end: list[str] = typer.Option(
        [],
        "--end-relationship",
        help="End this delegated relationship (its id is in an earlier report); two people approve it. May be given again.",
    ),
    requested_by: str = typer.Option("", "--requested-by", help=REQUESTED_BY),
    wait: bool = typer.Option(False, "--wait", help="Wait until the run has ended, gates included."),
    local: bool = typer.Option(False, "--local", help="Carry it out in this process even if a Prefect server runs."),
    as_json: bool = Json,
) -> None:
    """Check the partner's own tenant against Microsoft's security requirements for partners.

    Each run is an incident of its own, with a report: what is wrong first, what could not be looked at and why, and what became better or worse
    since the run before. It may ask to switch on security defaults, and to end delegated relationships that nobody uses.
    """
    settings = connected_settings()
    services = None if dry_run or local else find_services(settings.home)
    if services:
        use_services(services)
    with engine_room(settings) as room:
        mode = Mode.DRY_RUN if dry_run else Mode.LIVE
        name = open_check(room, mode=mode, requested_by=requester(requested_by), end=end).incident.id
        if services:
            asyncio.run(in_prefect(room, name, services, wait=wait, resume=False, quiet=as_json))
        else:
            here(room, name, wait=wait, as_json=as_json)
        state = _print(room, name, as_json=as_json)
    if state == "failed":
        raise typer.Exit(1)
    if state in ("waiting", "stopped"):
        raise typer.Exit(2 if state == "waiting" else 3)


def _print(room: EngineRoom, name: str, *, as_json: bool) -> str:
    """Print what is known of the run by now, and return its state."""
    number = int(room.store.values.get(name, "last-round", 1))
    found = posture_of(Engine(room, name, None, run_id=""), number)
    state = room.store.incidents.state(name)
    if as_json:
        print_json(posture_json(found))
        return state
    stdout.print(f"[bold]{name}[/]: {state}")
    for line in summary_lines(found) if found.checks else ():
        stdout.print(safe(line, 400))
    if files := found.dossier.report_files:
        say(f"Report: {files.get('html', '')}")
    return state
