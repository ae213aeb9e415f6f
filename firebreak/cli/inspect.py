"""`firebreak inspect`: a look into one file. The investigations need no settings, no store and no network; a mail is compared with Graph.

firebreak inspect activity-log log.json
firebreak inspect spend reply.json
firebreak inspect email notice.eml
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import typer

from firebreak.analysis.log_files import review_file
from firebreak.analysis.log_review import LogReview
from firebreak.analysis.logs import reviewed
from firebreak.analysis.ruleset import rules_with
from firebreak.analysis.suspects import suspects
from firebreak.analysis.uncollected import uncollected
from firebreak.cli import log_page
from firebreak.cli.inspect_email import email
from firebreak.cli.inspect_spend import spend
from firebreak.cli.output import Json, print_long_json, stdout
from firebreak.errors import ContentError

app = typer.Typer(
    help="Look into a file: an activity log or a cost query's reply, offline; a notification mail, which is compared with Graph.",
    no_args_is_help=True,
)

app.command("email")(email)
app.command("spend")(spend)

File = typer.Argument(help="The file, or - for standard input.")


@app.command("activity-log")
def activity_log(
    file: str = File,
    detections: Path | None = typer.Option(
        None, help="A folder of Sigma rules of your own, used beside the shipped ones."
    ),
    as_json: bool = Json,
) -> None:
    """Review an activity log: who did what that matters, worst first.

    The file is a reply of the Activity Log API, an export (Log Analytics, event hub, storage), a list, one event, or one event a line;
    audit and sign-in records of Entra are read as well. Event ids are the events' eventDataId, else their id, else #n for the n-th event.
    """
    log = LogReview(rules_with(detections), strict=False)
    name = "standard input" if file == "-" else file
    with uncollected():
        with opened(file, name) as stream:
            review_file(stream, name, log)
        activity, findings = reviewed(log)
        seen = log_page.Reviewed(
            name=name,
            log=log,
            activity=activity,
            operations=log.operations(),
            findings=findings,
            suspects=suspects(activity, findings),
        )
    if as_json:
        print_long_json(log_page.as_json(seen))
    else:
        log_page.show(seen, stdout)


@contextmanager
def opened(file: str, name: str) -> Iterator[BinaryIO]:
    """Open a file for reading, or standard input for `-`.

    Raises:
        ContentError: it cannot be read.
    """
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as stream:
            yield stream
    except OSError as error:
        raise ContentError(f"{name} cannot be read: {error.strerror}.", hint="Name a file, or - for input.") from error
