"""`firebreak`: the commands, and the one place where an error becomes a message and an exit code.

Exit codes: 0 done or nothing to do, 1 error, 2 waiting for approval or changes pending, 3 refused by a guard rail or a promise.
Results go to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from firebreak import __version__
from firebreak.cli import (
    approvers,
    capture,
    credentials,
    demo,
    doctor,
    drill,
    gates,
    incidents,
    inspect,
    intake,
    notify,
    playbooks,
    posture,
    registration,
    replay,
    respond,
    simulate,
    undo,
    up,
    watch,
)
from firebreak.cli.output import print_error
from firebreak.errors import ContentError, ResponseError

# What Typer raises for a command line that cannot be read; the class has moved between its versions.
_UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    name="firebreak",
    help="Contain a compromised Azure subscription: investigate, plan, ask named people, act once, prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Exit codes: 0 done or nothing to do, 1 error, 2 waiting for approval or changes pending, 3 refused by a guard rail or a promise.",
)
app.command("demo")(demo.demo)
app.command("drill")(drill.drill)
app.command("up")(up.up)
app.command("simulate")(simulate.simulate)
app.command("respond")(respond.respond)
app.command("posture")(posture.posture)
app.command("capture")(capture.capture)
app.command("watch")(watch.watch)
app.command("replay")(replay.replay)
app.command("doctor")(doctor.doctor)
app.add_typer(gates.app, name="gates")
app.add_typer(approvers.app, name="approvers")
app.add_typer(inspect.app, name="inspect")
incidents.app.command("undo")(undo.undo)
app.add_typer(incidents.app, name="incidents")
app.add_typer(playbooks.app, name="playbooks")
app.add_typer(intake.app, name="intake")
app.add_typer(credentials.app, name="credentials")
app.add_typer(registration.app, name="webhooks")
app.add_typer(notify.app, name="notify")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _top(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and end."
    ),
) -> None:
    """Contain a compromised Azure subscription: investigate, plan, ask named people, act once, prove it."""


def main() -> None:
    """Entry point of the console script."""
    as_json = "--json" in sys.argv
    try:
        # Not standalone: a mistyped command would end with 2, which here says that a gate waits.
        sys.exit(app(standalone_mode=False) or 0)
    except _UsageError as error:
        _refuse_usage(error, as_json=as_json)
        sys.exit(1)
    except ResponseError as error:
        print_error(error, as_json=as_json)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)


def _refuse_usage(error: Any, *, as_json: bool) -> None:
    path = error.ctx.command_path.replace("python -m firebreak.cli.main", "firebreak") if error.ctx else "firebreak"
    if not len(sys.argv) > 1 or type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    print_error(ContentError(error.format_message(), hint=f"See: {path} --help"), as_json=as_json)


if __name__ == "__main__":
    main()
