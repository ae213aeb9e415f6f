"""`firebreak up`: Prefect server, runner and intake on one machine, for real use."""

from __future__ import annotations

import signal
import time

import typer

from firebreak.cli.output import Json, print_line, say, stdout
from firebreak.cli.processes import Processes, ServiceError
from firebreak.cli.services import forget_services, start_services
from firebreak.settings import Settings


def interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def up(
    port: int = typer.Option(4200, help="Port of the Prefect server and UI; the next free one if taken."),
    intake_port: int = typer.Option(4280, help="Port of the intake; the next free one if taken."),
    as_json: bool = Json,
) -> None:
    """Start the Prefect server with its UI, the runner and the intake; runs until stopped with Ctrl-C."""
    settings = Settings.load()
    signal.signal(signal.SIGTERM, interrupt)
    with Processes(settings.home / "logs") as processes:
        say("Starting the Prefect server, the runner and the intake (about half a minute) ...")
        running = start_services(processes, settings.home, {}, port=port, intake_port=intake_port)
        hooks = f"{running.intake_url.removesuffix('/alerts')}/hooks"
        if as_json:
            urls = {"ui_url": running.ui_url, "api_url": running.api_url, "intake_url": running.intake_url}
            print_line({**urls, "hooks_url": hooks})
        else:
            stdout.print(
                f"Prefect UI   {running.ui_url}\nPrefect API  {running.api_url}\nIntake       {running.intake_url}\nWebhooks     {hooks}\nStop with Ctrl-C."
            )
        try:
            while not (dead := processes.dead()):
                time.sleep(1)
        except KeyboardInterrupt:
            say("Stopping.")
            return
        finally:
            forget_services(settings.home, running)
        raise ServiceError(f"{dead} ended by itself.", hint=f"Its log ends with:\n{processes.tail(dead)}")
