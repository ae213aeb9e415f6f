"""`firebreak intake`: signed test deliveries, and webhooks for drills."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import engine_room
from firebreak.cli.services import find_services
from firebreak.cli.webhooks import own_intake, send, settled, signed_event
from firebreak.engine.room import utc_now
from firebreak.errors import AlertError, ContentError
from firebreak.intake.alerts import parse_alert
from firebreak.intake.signature import sign
from firebreak.settings import Settings

app = typer.Typer(help="Signed test deliveries to the intake, and webhooks for drills.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Signed test deliveries to the intake, and webhooks for drills."""


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
