"""`firebreak respond`: start a playbook from an alert file, or go on with an incident."""

from __future__ import annotations

import asyncio
import getpass
import time
from pathlib import Path

import typer

from firebreak.approval.requester import spoken
from firebreak.cli.output import Json, print_error, print_json, safe, say, stdout
from firebreak.cli.rooms import connected_settings, dossier_of, engine_room
from firebreak.cli.services import Running, find_services, use_services
from firebreak.engine import Engine, EngineRoom
from firebreak.errors import AlertError, ContentError, WaitingError
from firebreak.model.mode import Mode
from firebreak.report.dossier import run_json

_POLL_SECONDS = 1.0
REQUESTED_BY = "Who asks, by the name they are enrolled under (default: your login). Whoever asks cannot approve."
ENDED = ("done", "stopped", "failed")


def respond(
    alert: Path | None = typer.Option(
        None, help="The alert as a JSON file: a Graph partner security alert or a Partner Center event."
    ),
    incident: str = typer.Option("", help="Instead of an alert: go on with this incident."),
    playbook: str = typer.Option("", help="Which playbook (default: the one whose applies_to fits the alert's type)."),
    requested_by: str = typer.Option("", "--requested-by", help=REQUESTED_BY),
    dry_run: bool = typer.Option(False, "--dry-run", help="Look and plan, change nothing; needs no Prefect server."),
    wait: bool = typer.Option(False, "--wait", help="Wait until the run has ended, gates included."),
    local: bool = typer.Option(False, "--local", help="Carry it out in this process even if a Prefect server runs."),
    as_json: bool = Json,
) -> None:
    """Start the playbook for an alert. The same alert twice is one incident, and one more for each other playbook that is named.

    With services running (firebreak up) the run is started in Prefect. Otherwise it is carried out here, up to the first gate; answer it with
    firebreak gates, then go on with firebreak respond --incident.
    """
    if bool(alert) == bool(incident):
        raise ContentError("Either --alert FILE or --incident ID is needed.", hint="See: firebreak respond --help")
    settings = connected_settings()
    services = None if dry_run or local else find_services(settings.home)
    if services:
        use_services(services)
    with engine_room(settings) as room:
        name = incident or _open(room, alert, playbook, dry_run, requested_by)
        room.store.incidents.get(name)
        if why := Engine(room, name, None, run_id="").why_undo_goes_first():
            raise why
        if services:
            asyncio.run(in_prefect(room, name, services, wait=wait, resume=bool(incident), quiet=as_json))
        else:
            here(room, name, wait=wait, as_json=as_json)
        _print(room, name, as_json)
        state = room.store.incidents.state(name)
        pending = dry_run and any(room.store.plans.load(digest).actions for _, _, digest in room.store.plans.list(name))
    if pending:
        raise typer.Exit(2)
    if state == "failed":
        raise typer.Exit(1)
    if state in ("waiting", "stopped"):
        raise typer.Exit(2 if state == "waiting" else 3)


def _open(room: EngineRoom, file: Path | None, playbook: str, dry_run: bool, requested_by: str) -> str:
    try:
        raw = file.read_bytes() if file else b""
    except OSError as error:
        raise AlertError(f"{file}: {error.strerror}.", hint="Name a file that holds the alert as JSON.") from error
    mode = Mode.DRY_RUN if dry_run else Mode.LIVE
    opened = room.open(raw, place=str(file), mode=mode, requested_by=requester(requested_by), playbook=playbook)
    if opened.beside:
        say(
            f"The alert's own incident is {opened.beside}; {opened.incident.id} is a further one, under {opened.incident.playbook}."
        )
    if not opened.is_new:
        say(
            f"This alert already has the incident {opened.incident.id} ({opened.state}), under {opened.incident.playbook}."
        )
    return opened.incident.id


def requester(name: str = "") -> str:
    """Who asks at this terminal: `name` as it was given, if it was, and always the login."""
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = "cli"
    return spoken(name, login)


def here(room: EngineRoom, name: str, *, wait: bool, as_json: bool) -> None:
    """Carry an incident out in this process, up to the first gate unless `wait`."""
    from flows.local import respond_here

    try:
        asyncio.run(respond_here(room, name, say, wait=wait))
    except WaitingError as error:
        if not as_json:
            print_error(error, as_json=False)


async def in_prefect(room: EngineRoom, name: str, services: Running, *, wait: bool, resume: bool, quiet: bool) -> None:
    """Start, or with `resume` go on with, an incident's run in Prefect."""
    from flows.start import resume_incident, run_state, start_run

    run_id = await (resume_incident(room, name) if resume else start_run(room, name, key=name))
    if not quiet:
        say(f"Run of {name}: {services.run_url(run_id)}")
    while wait:
        _, ended = await run_state(run_id)
        if ended or room.store.incidents.state(name) in ENDED:
            return
        time.sleep(_POLL_SECONDS)  # noqa: ASYNC251 - nothing else runs in this loop


def _print(room: EngineRoom, name: str, as_json: bool) -> None:
    row = room.store.incidents.row(name)
    if as_json:
        print_json(run_json(dossier_of(room, name)))
    else:
        stdout.print(f"[bold]{name}[/]: {row.state}{f' ({safe(row.note, 300)})' if row.note else ''}")
