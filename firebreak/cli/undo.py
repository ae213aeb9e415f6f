"""`firebreak incidents undo`: take back what an incident did, at a gate of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import typer
from rich.markdown import Markdown

from firebreak.cli.output import Json, print_error, print_json, safe, say, stdout
from firebreak.cli.respond import REQUESTED_BY, requester
from firebreak.cli.rooms import connected_settings, dossier_of, engine_room
from firebreak.cli.services import Running, find_services, use_services
from firebreak.engine import Engine, EngineRoom, Undo, pages
from firebreak.engine.undoing import begin_undo
from firebreak.engine.undos import undos_of
from firebreak.errors import WaitingError
from firebreak.model.plan import NoOp, Plan
from firebreak.report.dossier import UndoRow, run_json
from firebreak.report.undone import grouped, plan_json

_POLL_SECONDS = 1.0
_EXIT = {"failed": 1, "open": 2, "rejected": 3, "refused": 3}


def undo(
    incident: str,
    only: list[str] = typer.Option(
        [], "--only", help="Take back this action only (its id; see incidents show --json). May be given again."
    ),
    stage: list[str] = typer.Option(
        [], "--stage", help="Take back what this stage did; 'undo' takes back the last undo. May be given again."
    ),
    include_attacker: bool = typer.Option(
        False, "--include-attacker", help="Also start and restore what was judged the attacker's."
    ),
    requested_by: str = typer.Option("", "--requested-by", help=REQUESTED_BY),
    wait: bool = typer.Option(False, "--wait", help="Wait until it has ended, its gate included."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Look and plan, ask nobody, change nothing."),
    local: bool = typer.Option(False, "--local", help="Carry it out in this process even if a Prefect server runs."),
    as_json: bool = Json,
) -> None:
    """Take back what an incident did: a plan of inverses with its own gate. Whoever asks cannot approve.

    The response must have ended. An undo that is open goes on when the command is given again. Exit code 2 means that the gate waits, or, with
    --dry-run, that there is something to take back.
    """
    settings = connected_settings()
    services = None if dry_run or local else find_services(settings.home)
    if services:
        use_services(services)
    with engine_room(settings) as room:
        mode = room.store.incidents.get(incident).mode
        if not mode.may_write:
            _nothing(
                room,
                incident,
                f"{incident} is a {mode} incident: it changed nothing, so there is nothing to undo.",
                as_json,
            )
            return
        wanted = Undo(
            number=len(undos_of(room.store, incident)) + 1,
            requested_by=requester(requested_by),
            asked_at=room.clock(),
            only=tuple(only),
            stages=tuple(stage),
            include_attacker=include_attacker,
        )
        if dry_run:
            raise typer.Exit(_try(room, incident, wanted, as_json))
        if services:
            asyncio.run(_in_prefect(room, incident, wanted, services, wait=wait, quiet=as_json))
        else:
            _here(room, incident, wanted, wait=wait, as_json=as_json)
        state = _show(room, incident, as_json)
    if code := _EXIT.get(state, 0):
        raise typer.Exit(code)


def _nothing(room: EngineRoom, incident: str, sentence: str, as_json: bool) -> None:
    if as_json:
        print_json(run_json(dossier_of(room, incident)))
        say(sentence)
    else:
        stdout.print(safe(sentence, 400))


def _try(room: EngineRoom, incident: str, wanted: Undo, as_json: bool) -> int:
    from flows.local import try_undo_here

    plan: Plan = asyncio.run(try_undo_here(room, incident, wanted, say))
    if as_json:
        print_json({**run_json(dossier_of(room, incident)), "undo_planned": plan_json(plan)})
    elif plan.actions:
        engine = Engine(room, incident, None, run_id="")
        number = max(engine.rounds())
        stdout.print(Markdown(pages.plan_page(engine, plan, number)), soft_wrap=False)
        stdout.print("Nothing was changed. Without --dry-run people are asked at a gate first.")
    else:
        stdout.print("Nothing to take back.")
        _print_left(plan.no_ops)
    return 2 if plan.actions else 0


def _here(room: EngineRoom, incident: str, wanted: Undo, *, wait: bool, as_json: bool) -> None:
    from flows.local import undo_here

    try:
        asyncio.run(undo_here(room, incident, wanted, say, wait=wait))
    except WaitingError as error:
        if not as_json:
            print_error(error, as_json=False)


async def _in_prefect(
    room: EngineRoom, incident: str, wanted: Undo, services: Running, *, wait: bool, quiet: bool
) -> None:
    from flows.alive import who_is_at
    from flows.start import is_at_it, run_state, start_undo

    asked = begin_undo(Engine(room, incident, None, run_id=""), wanted)
    run_id, is_new = await start_undo(room, incident, asked.number)
    if not quiet:
        at_it = "" if is_new else " This run is at it already; no second one was started."
        say(f"Undo {asked.number} of {incident}: {services.run_url(run_id)}{at_it}")
    while wait:
        state, ended = await run_state(run_id)
        if ended or undos_of(room.store, incident)[-1].has_ended:
            return
        if not is_at_it(state, ended=ended, lives=who_is_at(room, incident, f"undo-{asked.number}") is not None):
            # It was at it when we came, and has died since with its host: Prefect may call it running for ever.
            run_id, is_new = await start_undo(room, incident, asked.number)
            if is_new and not quiet:
                say(f"That run fell silent; another one goes on with it: {services.run_url(run_id)}")
        time.sleep(_POLL_SECONDS)  # noqa: ASYNC251 - nothing else runs in this loop


def _show(room: EngineRoom, incident: str, as_json: bool) -> str:
    dossier = dossier_of(room, incident)
    last = dossier.undos[-1]
    if as_json:
        print_json(run_json(dossier))
        return last.state
    note = f" ({safe(_standing(last), 300)})" if _standing(last) else ""
    stdout.print(f"[bold]{incident}[/], undo {last.number}: {last.state}{note}")
    for row in last.actions:
        reason = f" ({safe(row.reason, 200)})" if row.reason else ""
        stdout.print(f"  {safe(row.action.title, 100)}: {row.state.replace('_', ' ')}{reason}")
    _print_left(last.left)
    return last.state


def _standing(undo: UndoRow) -> str:
    """What is said of an undo beside its state: how it ended, or what it waits for."""
    if undo.state != "open":
        return undo.note
    if undo.gate:
        return f"its gate waits or is answered: firebreak gates show {undo.gate}"
    return "the subscription is read again first, then its gate asks: firebreak gates list"


def _print_left(left: Sequence[NoOp]) -> None:
    for reason, names in grouped(left):
        stdout.print(f"  not taken back: {safe(reason, 300)} {safe(names, 300)}")
