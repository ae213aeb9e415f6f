"""`firebreak intake`: signed test deliveries."""

from __future__ import annotations

import time
from pathlib import Path

import typer

from firebreak.cli.output import Json, print_json, stdout
from firebreak.engine.room import utc_now
from firebreak.errors import AlertError
from firebreak.intake.alerts import parse_alert
from firebreak.intake.signature import sign
from firebreak.settings import Settings

app = typer.Typer(help="Signed test deliveries to the intake.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Signed test deliveries to the intake."""


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
