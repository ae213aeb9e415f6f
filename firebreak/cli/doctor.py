"""`firebreak doctor`: what works and what does not, before it is needed at 3 a.m."""

from __future__ import annotations

import asyncio

import typer

from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.services import find_services
from firebreak.clients import Check
from firebreak.clients import doctor as examine
from firebreak.settings import Settings


def doctor(as_json: bool = Json) -> None:
    """Check settings, endpoints, credentials, permissions and services."""
    settings = Settings.load()
    checks = asyncio.run(examine(settings))
    services = find_services(settings.home)
    checks.append(
        Check(
            name="Prefect server",
            ok=services is not None,
            detail=services.ui_url if services else "none is running for this home",
            hint="" if services else "Start the services with: firebreak up",
        )
    )
    if as_json:
        print_json([{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks])
    else:
        for c in checks:
            stdout.print(f"{'[green]ok  [/]' if c.ok else '[red]FAIL[/]'} {safe(c.name)}: {safe(c.detail, 300)}")
            if c.hint and not c.ok:
                stdout.print(f"     {safe(c.hint, 300)}")
    if not all(c.ok for c in checks if c.name != "Prefect server"):
        raise typer.Exit(1)
