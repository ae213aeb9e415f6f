"""`firebreak intake`: what was delivered and what became of it; signed test deliveries, and webhooks for drills."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.poll_page import digest_json, show_digest, show_poll
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.cli.services import find_services, use_services
from firebreak.cli.webhooks import own_intake, send, settled, signed_event
from firebreak.engine.room import utc_now
from firebreak.engine.unresolved import unresolved_alerts
from firebreak.errors import AlertError, ContentError
from firebreak.intake.alerts import parse_alert
from firebreak.intake.inbox import DONE, KEPT, WAITING, Delivery, Inbox
from firebreak.intake.signature import sign
from firebreak.settings import Settings

app = typer.Typer(
    help="What was delivered to the intake; test deliveries, and webhooks for drills.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """What was delivered to the intake and what became of it; signed test deliveries, and webhooks for drills."""


@app.command("sign")
def sign_file(file: Path, as_json: bool = Json) -> None:
    """Print the headers of a delivery of this file, signed now for the intake of this installation."""
    settings = Settings.load()
    try:
        body = file.read_bytes()
    except OSError as error:
        raise AlertError(f"{file}: {error.strerror}.", hint="Name a file that holds the alert as JSON.") from error
    parse_alert(body, place=str(file), now=utc_now(), default_tenant=settings.credential.tenant_id)
    headers = sign(settings.intake_secret(), body, int(time.time()))
    if as_json:
        print_json({"headers": headers, "env": {"FIREBREAK_HOME": str(settings.home)}})
    else:
        stdout.print("\n".join(f"{name}: {value}" for name, value in headers.items()))


@app.command("send")
def send_event(
    event: str = typer.Option("azure-fraud-event-detected", help="Name of the event, as Partner Center has it."),
    subscription: str = typer.Option(
        "", help="The subscription that the event is about; beside the embedded Azure the attacked one is taken."
    ),
    to: str = typer.Option("", help="Address of the intake (default: the one that firebreak up or demo runs here)."),
    as_json: bool = Json,
) -> None:
    """Send a signed webhook of Partner Center to an intake of your own, for a drill.

    Beside the embedded Azure that signs it, and it arrives at /hooks/partner-center. Elsewhere only Microsoft can sign so: the same event is signed with
    this installation's key and arrives at /alerts. Either way it is a real alert: an incident is opened, its run looks at the subscription and asks at its gates.
    """
    settings = Settings.load()
    running = None if to else find_services(settings.home)
    address = to or (running.intake_url if running else "")
    if not address:
        raise ContentError("No intake runs here.", hint="Start it with: firebreak up. Or name it with --to.")
    base = own_intake(settings, address)
    if not subscription and not settings.cloud.partner_certificates:
        raise ContentError("Which subscription is the event about?", hint="Name it with --subscription.")
    webhook = signed_event(settings, event, subscription)
    status, answer = send(base, webhook, trusted=settings)
    result = {"to": f"{base}{webhook.path}", "status": status, **answer}
    if status == 202 and "delivery" in answer:
        with engine_room(settings) as room:
            found = settled(room, str(answer["delivery"]))
        result |= {"state": found.state, "incident": found.incident, "reason": found.reason}
    if as_json:
        print_json(result)
    else:
        stdout.print("\n".join(f"{name:10} {safe(str(value))}" for name, value in result.items() if value != ""))
    if not 200 <= status < 300:
        raise typer.Exit(1)


@app.command("list")
def list_deliveries(
    state: str = typer.Option("", help="Only these: waiting, done, or kept (authentic, without an incident)."),
    limit: int = typer.Option(50, min=1, max=10_000, help="At most so many, the newest first."),
    as_json: bool = Json,
) -> None:
    """List what was delivered and what became of it, the newest first."""
    if state not in ("", WAITING, DONE, KEPT):
        raise ContentError(f"{state!r} is no state of a delivery.", hint=f"There are {WAITING}, {DONE} and {KEPT}.")
    with engine_room() as room:
        rows = [_shown(one) for one in Inbox(room.store).newest(state, limit=limit)]
    if as_json:
        print_json({"deliveries": rows})
        return
    for row in rows:
        became = row["incident"] or row["reason"]
        line = f"{row['id'][:12]}  {row['received_at'][:19]}Z  {row['channel']:15} {row['state']:8} {became}"
        stdout.print(safe(line, 300))


@app.command("show")
def show_delivery(delivery: str = typer.Argument(help="Its id, or how it begins.")) -> None:
    """Write the raw bytes of a delivery to standard output, as they came. They are a stranger's: look at them with care."""
    with engine_room() as room:
        found = _delivery(Inbox(room.store), delivery)
    if found.is_purged:
        raise ContentError(
            f"The raw bytes of {found.id[:12]} were removed after their time was over.",
            hint="See FIREBREAK_INTAKE__KEEP_DAYS. An incident keeps those of its own alert: firebreak incidents export",
        )
    body = found.body
    sys.stdout.buffer.write(body)


@app.command("retry")
def retry_delivery(
    delivery: str = typer.Argument(help="Its id, or how it begins."),
    as_json: bool = Json,
) -> None:
    """Have a kept delivery processed again, after what kept it was mended. The running intake does it, or the next that starts."""
    with engine_room() as room:
        inbox = Inbox(room.store)
        found = _delivery(inbox, delivery)
        if not inbox.retry(found.id):
            raise ContentError(
                f"The delivery {found.id[:12]} is {found.state}{', and its raw bytes were removed' if found.is_purged else ''}.",
                hint="Only what was kept without an incident is tried again.",
            )
        shown = _shown(_delivery(inbox, found.id))
    if as_json:
        print_json(shown)
    else:
        stdout.print(f"{shown['id'][:12]} is processed again.")


@app.command("purge")
def purge(
    older_than: int = typer.Option(..., "--older-than", min=30, help="Days since they were processed; at least 30."),
    yes: bool = typer.Option(
        False, "--yes", help="Remove them. Without it nothing is removed, and the exit code is 2."
    ),
    as_json: bool = Json,
) -> None:
    """Remove the raw bytes of old deliveries, which may hold personal data, for good. Those of an incident that is open stay, and so does what waits.

    That a delivery came, when, and what became of it stays known. The running intake does the same by itself, after FIREBREAK_INTAKE__KEEP_DAYS.
    """
    with engine_room() as room:
        inbox = Inbox(room.store)
        found = inbox.expired(timedelta(days=older_than))
        removed = inbox.purge(timedelta(days=older_than)) if yes else 0
    if as_json:
        print_json({"expired": len(found), "removed": removed})
    elif yes:
        stdout.print(f"The raw bytes of {removed} deliveries were removed.")
    else:
        stdout.print(f"The raw bytes of {len(found)} deliveries would be removed. Nothing was: add --yes")
    if found and not yes:
        raise typer.Exit(2)


@app.command("poll")
def poll(
    backlog: bool = typer.Option(
        False,
        "--backlog",
        help="Also take in what is older than FIREBREAK_POLL__OPENS_DAYS: everything that nobody has resolved, the oldest first.",
    ),
    limit: int = typer.Option(0, min=0, help="Take in at most so many alerts, the oldest first. 0: all."),
    as_json: bool = Json,
) -> None:
    """Ask Graph, Partner Center and Cost Management once for alerts that no webhook brought, and start their responses.

    What was found is in the inbox; without services that run it waits there for firebreak up. Ends with 1 when a source could not be looked at:
    then nobody knows what it lists.
    """
    settings = connected_settings()
    if running := find_services(settings.home):
        use_services(running)
    from flows.polling import is_blind, poll_once

    with engine_room(settings) as room:
        reports = asyncio.run(poll_once(room, backlog=backlog, limit=limit))
    if not reports:
        raise ContentError("No source is to be polled.", hint="See FIREBREAK_POLL__SOURCES and the partner tenant.")
    if as_json:
        print_json({"sources": [report.as_json() for report in reports]})
    else:
        show_poll(reports)
    if is_blind(reports):
        raise typer.Exit(1)


@app.command("unresolved")
def unresolved(as_json: bool = Json) -> None:
    """List every alert of Microsoft's that nobody has resolved, the oldest first, with the day by which it must be answered. Ends with 1 when Graph could not be read."""
    with engine_room(connected_settings()) as room:
        digest = asyncio.run(unresolved_alerts(room))
    if as_json:
        print_json(digest_json(digest))
    else:
        show_digest(digest)
    if digest.problems:
        raise typer.Exit(1)


def _delivery(inbox: Inbox, beginning: str) -> Delivery:
    found = inbox.find(beginning.lower()) if beginning else []
    if len(found) != 1:
        raise ContentError(
            f"{'No' if not found else 'More than one'} delivery begins with {beginning!r:.80}.",
            hint="See: firebreak intake list",
        )
    return found[0]


def _shown(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "received_at": delivery.received_at.isoformat(),
        "state": delivery.state,
        "incident": delivery.incident,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "bytes": len(delivery.body),
        "purged": delivery.is_purged,
    }
