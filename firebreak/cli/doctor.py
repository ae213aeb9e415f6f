"""`firebreak doctor`: what works and what does not, before it is needed at 3 a.m."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer

from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.services import find_services
from firebreak.clients import Check, connect
from firebreak.clients import doctor as examine
from firebreak.errors import ResponseError
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from tasks.investigate.subscription import missing_permissions
from tasks.registry import load_steps, needed_permissions

_NONE = "00000000-0000-0000-0000-000000000000"
_MOST, _SHOWN = 20, 8
_SERVER = "Prefect server"


def doctor(as_json: bool = Json) -> None:
    """Check settings, endpoints, credentials, permissions and services."""
    settings = Settings.load()
    checks = asyncio.run(_examine(settings))
    services = find_services(settings.home)
    checks.append(
        Check(
            name=_SERVER,
            ok=services is not None,
            detail=services.ui_url if services else "none is running for this home",
            hint="" if services else "Start the services with: firebreak up",
        )
    )
    if as_json:
        print_json([{"name": c.name, "ok": c.ok, "detail": c.detail, "hint": c.hint} for c in checks])
    else:
        for c in checks:
            mark = "[green]ok  [/]" if c.ok else "[yellow]off [/]" if c.name == _SERVER else "[red]FAIL[/]"
            stdout.print(f"{mark} {safe(c.name)}: {safe(c.detail, 300)}")
            if c.hint and not c.ok:
                stdout.print(f"     {safe(c.hint, 300)}")
    if not all(c.ok for c in checks if c.name != _SERVER):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> list[Check]:
    """What the clients can say, and for each visible subscription which permissions the playbooks need and the identity lacks."""
    checks = await examine(settings)
    if not all(c.ok for c in checks if c.name in ("resource manager", "login", "sign-in", "subscriptions")):
        return checks
    needed = needed_permissions(list(load_steps()))
    async with connect(settings, subscription_id=_NONE, mode=Mode.DRY_RUN, correlation_id=_NONE) as connection:
        visible = [
            str(row.get("subscriptionId")) for row in await connection.eyes.arm.list("/subscriptions", "2022-12-01")
        ]
    for subscription in visible[:_MOST]:
        checks.append(await _permissions(settings, subscription, needed))
    return checks


async def _permissions(settings: Settings, subscription: str, needed: Sequence[str]) -> Check:
    name = f"permissions in {subscription}"
    path = f"/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions"
    try:
        async with connect(
            settings, subscription_id=subscription, mode=Mode.DRY_RUN, correlation_id=_NONE
        ) as connection:
            granted = await connection.eyes.arm.list(path, "2022-04-01")
    except ResponseError as error:
        return Check(name=name, ok=False, detail=error.message, hint=error.hint)
    missing = missing_permissions(tuple(needed), granted)
    if not missing:
        return Check(name=name, ok=True, detail=f"All {len(needed)} that the steps need.")
    return Check(
        name=name,
        ok=False,
        detail=f"{len(missing)} of {len(needed)} are missing: {', '.join(missing[:_SHOWN])}{' ...' if len(missing) > _SHOWN else ''}.",
        hint="Give the identity a role that holds them, such as Owner, for the time of the response.",
    )
