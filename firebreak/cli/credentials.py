"""`firebreak credentials`: who this installation signs in as, and the consent that the secure application model stands on."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.clients import Check, doctor
from firebreak.clients.consent import Consent, Given
from firebreak.engine.room import utc_now
from firebreak.settings import Settings

app = typer.Typer(
    help="Who this installation signs in as; the consent of the secure application model.", no_args_is_help=True
)
NOTE = "consent"
_OF_CREDENTIALS = ("login", "sign-in", "partner sign-in", "second factor", "refresh token", "credential")


@app.command("show")
def show(as_json: bool = Json) -> None:
    """Sign in everywhere and say as whom, whether a second factor stands behind it, how old the consent is. Writes nothing."""
    settings = connected_settings()
    checks = [check for check in asyncio.run(doctor(settings)) if check.name in _OF_CREDENTIALS]
    checks += consent_check(settings)
    if as_json:
        print_json([{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks])
    else:
        for c in checks:
            stdout.print(f"{'[green]ok  [/]' if c.ok else '[red]FAIL[/]'} {safe(c.name)}: {safe(c.detail, 1200)}")
            if c.hint and not c.ok:
                stdout.print(f"     {safe(c.hint, 600)}")
    if not all(c.ok for c in checks):
        raise typer.Exit(1)


@app.command("consent")
def consent(
    device: bool = typer.Option(
        False, "--device", help="Type a code on any other device; for machines without browser."
    ),
    port: int = typer.Option(
        8400, help="Where the browser comes back to: http://localhost:PORT, registered with the application."
    ),
    as_json: bool = Json,
) -> None:
    """Let the partner's service user sign in and consent, with a second factor; the refresh token goes to the place that the settings name."""
    settings = connected_settings()
    given = asyncio.run(_consented(settings, device=device, port=port))
    told = {
        "account": given.account,
        "object_id": given.object_id,
        "tenant_id": given.tenant_id,
        "client_id": settings.credential.client_id,
        "place": given.place,
        "at": utc_now().isoformat(),
    }
    with engine_room(settings) as room, room.store.write() as tx:
        room.store.values.set("", NOTE, told, tx=tx)
        room.audit.append("", "credential.consented", who=given.account or "unknown", data=told, tx=tx)
    if as_json:
        print_json(told)
    else:
        stdout.print(f"{safe(given.account)} consented; the refresh token is in {safe(given.place, 400)}.")
        say("Now look whether everything can be reached with it: firebreak credentials show")


def consent_check(settings: Settings) -> list[Check]:
    """Who consented and when, if it was done with this installation's store."""
    if settings.credential.kind != "secure_application_model":
        return []
    with engine_room(settings) as room:
        told: dict[str, Any] | None = room.store.values.get("", NOTE)
    if told is None or told.get("client_id") != settings.credential.client_id:
        return [Check(name="consent", ok=True, detail="Given elsewhere: this installation has no record of it.")]
    who, at = str(told.get("account", "")), str(told.get("at", ""))[:19]
    return [Check(name="consent", ok=True, detail=f"Given by {who} (object {told.get('object_id')}) at {at}Z.")]


async def _consented(settings: Settings, *, device: bool, port: int) -> Given:
    async with Consent(settings) as asking:
        if device:
            return await asking.by_device(show=lambda text: stdout.print(safe(text, 2000)))
        return await asking.in_browser(
            port=port,
            show=lambda address: stdout.print(
                f"Open this address in a browser of this machine:\n{safe(address, 4000)}"
            ),
        )
