"""`firebreak capture`: record a subscription that had no run, so that playbooks can be tried on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from firebreak.bundle import Bundle, open_bundle, write_bundle
from firebreak.cli.output import Json, print_json, safe, say, stderr, stdout
from firebreak.cli.record import signing_key
from firebreak.cli.respond import requester
from firebreak.cli.rooms import connected_settings
from firebreak.engine import Engine
from firebreak.engine.capture import Capture, asked_for, finish, open_capture, working_folder
from firebreak.errors import ContentError, ResponseError
from firebreak.logs import configure
from firebreak.model.finding import NotLookedAt
from tasks.registry import load_steps

Tell = Callable[[str, int, int], None]


def capture(
    subscription: str = typer.Option(..., help="The subscription, by its id."),
    out: Path = typer.Option(..., help="A folder that does not exist yet, or a file that ends in .zip."),
    playbook: str = typer.Option("compromised-subscription", help="Record what this playbook reads."),
    since: str = typer.Option(
        "", help="Since when something may be wrong, ISO 8601: how far back is read counts from then (default: now)."
    ),
    customer: str = typer.Option(
        "", help="The tenant whose subscription it is (default: FIREBREAK_CREDENTIAL__TENANT_ID)."
    ),
    as_json: bool = Json,
) -> None:
    """Record a subscription that had no run: everything the playbook reads, and the plans that a dry run of now would make, as a bundle.

    Only reads are sent, within the throttling limits. A capture that was cut off goes on when the same command is given again; until it is whole it
    lies in a folder beside the bundle, named after it.
    """
    from flows.capture import record_into

    settings = connected_settings()
    configure(settings.log_format, settings.log_level)
    key = signing_key(settings)
    asked = asked_for(subscription, customer or settings.credential.tenant_id, playbook, _moment(since))
    with open_capture(out, asked, settings, load_steps(), requested_by=requester()) as begun:
        if begun.resumed:
            say(f"Going on with the capture in {working_folder(out)}.")
        if not begun.written:
            with _progress(begun) as tell:
                try:
                    asyncio.run(record_into(begun, tell))
                except ResponseError as error:
                    error.hint = f"{error.hint} What was read is kept: the same command goes on from there.".strip()
                    raise
            write_bundle(begun.files(key), out)
        missed = Engine(begun.room, begun.incident.id, None, run_id="").not_looked_at(1)
    with open_bundle(out) as bundle:
        bundle.verify(key.public if key else None)
        _tell(out, bundle, missed, as_json=as_json)
    finish(begun)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ContentError(
            f"--since {text!r} is not a time.", hint="Such as 2026-11-18 or 2026-11-18T03:00Z."
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _progress(begun: Capture) -> Iterator[Tell]:
    """A bar where somebody watches, else a line for each step."""
    if not stderr.is_terminal:
        yield lambda what, done, total: say(f"{done}/{total} {what}")
        return
    columns: tuple[Any, ...] = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[answers]} answers", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("Signing in", total=None, answers=0)

        def tell(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        stop = _every_second(lambda: bar.update(task, answers=begun.answers))
        try:
            yield tell
        finally:
            stop()


def _every_second(look: Callable[[], None]) -> Callable[[], None]:
    """Call `look` from a thread until the returned function is called: between two steps there may be minutes of answers."""
    import threading

    ended = threading.Event()

    def run() -> None:
        while not ended.wait(1.0):
            look()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()

    def stop() -> None:
        ended.set()
        thread.join()

    return stop


def _tell(out: Path, bundle: Bundle, missed: tuple[NotLookedAt, ...], *, as_json: bool) -> None:
    plans = [
        {
            "stage": part.stage,
            "actions": part.actions,
            "digest": part.digest,
            "complete": bundle.plans[part.digest].complete,
        }
        for part in bundle.head.plans
    ]
    first, last = bundle.evidence[0].at, bundle.evidence[-1].at
    if as_json:
        print_json(
            {
                "bundle": str(out),
                "incident": bundle.incident.id,
                "subscription": bundle.incident.subscription_id,
                "playbook": bundle.head.playbook.id,
                "answers": len(bundle.evidence),
                "first_at": first,
                "last_at": last,
                "plans": plans,
                "not_looked_at": [{"what": one.what, "why": one.why} for one in missed],
            }
        )
        return
    stdout.print(
        f"{safe(out, 400)}: {len(bundle.evidence)} answers, from {first:%Y-%m-%d %H:%M:%S} to {last:%H:%M:%S} UTC; only reads were sent."
    )
    for plan in plans:
        whole = "" if plan["complete"] else ", not complete"
        stdout.print(f"{plan['stage']}: {plan['actions']} actions would be planned{whole}.")
    for one in missed:
        stdout.print(f"not looked at: {safe(one.what)}: {safe(one.why, 300)}")
    stdout.print(f"Try playbooks on it: firebreak replay {safe(out, 400)}")
