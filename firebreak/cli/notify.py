"""`firebreak notify`: are the people reached? Test messages over every channel, and the automations that stand behind."""

from __future__ import annotations

import asyncio
import socket

import typer

from firebreak.approval import Notice, tellings
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import engine_room
from firebreak.cli.services import Running, find_services, use_services
from firebreak.engine import EngineRoom
from firebreak.errors import ContentError, ResponseError
from firebreak.report.messages import trial_message
from firebreak.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Tell people: test the channels, set up the automations.")
TRIAL = "test"


class NotifyError(ResponseError):
    """A channel did not take the message."""

    code = "notify"


@app.command("test")
def send_test(as_json: bool = Json) -> None:
    """Send a test message over every channel of the settings, and say which took it."""
    settings = Settings.load()
    services = _ready(settings)
    with engine_room(settings) as room:
        results = asyncio.run(_try_all(room))
    if as_json:
        print_json([{"channel": one, "ok": not problem, "problem": problem} for one, problem in results.items()])
    else:
        for channel, problem in results.items():
            mark = "[red]FAIL[/]" if problem else "[green]ok  [/]"
            stdout.print(f"{mark} {safe(channel)}{': ' + safe(problem, 300) if problem else ''}")
    failed = [channel for channel, problem in results.items() if problem]
    if failed and not as_json:
        raise NotifyError(
            f"{len(failed)} of {len(results)} channels did not take the message: {', '.join(failed)}.",
            hint=f"Correct the blocks under {services.ui_url}/blocks, or FIREBREAK_NOTIFY__CHANNELS and __URGENT.",
        )
    if failed:
        raise typer.Exit(1)


@app.command("setup")
def setup(as_json: bool = Json) -> None:
    """Put Firebreak's block type for mail and its automations onto the Prefect server, as they are declared. Again and again does no harm."""
    settings = Settings.load()
    _services(settings)
    from flows.automations import put_automations  # Prefect reads the environment when it is first imported

    names, missing = asyncio.run(put_automations(settings))
    if as_json:
        print_json({"automations": names, "missing_blocks": missing})
    else:
        for name in names:
            stdout.print(f"[green]ok  [/] automation {safe(name)}")
        for channel in missing:
            stdout.print(f"[red]FAIL[/] no block {safe(channel)} on the Prefect server")
    if missing:
        raise typer.Exit(1)


async def _try_all(room: EngineRoom) -> dict[str, str]:
    from flows.channels import send

    message = trial_message(socket.gethostname())
    trial = Notice(about=TRIAL, kind=TRIAL, number=0, incident="", text="", at=room.clock())
    results = {}
    for channel in room.settings.notify.all_channels:
        results[channel] = await send(channel, message)
        tellings.note(room.store, trial, channel=channel, route=TRIAL, problem=results[channel])
    return results


def _ready(settings: Settings) -> Running:
    if not settings.notify.all_channels:
        raise ContentError(
            "No channel is set, so nobody is told.",
            hint='Make a notification block in the Prefect UI and name it: FIREBREAK_NOTIFY__CHANNELS=["slack-webhook/responders"]',
        )
    return _services(settings)


def _services(settings: Settings) -> Running:
    services = find_services(settings.home)
    if services is None:
        raise ContentError(
            "No Prefect server is running for this home; the channels are blocks on it.",
            hint="Start the services with: firebreak up. Or set PREFECT_API_URL.",
        )
    use_services(services)
    return services
