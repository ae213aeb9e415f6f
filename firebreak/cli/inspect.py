"""`firebreak inspect`: the investigation alone, over a file; no settings, no store, no network.

firebreak inspect activity-log log.json
firebreak inspect spend reply.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import typer

from firebreak.analysis.replies import review_log
from firebreak.cli.inspect_spend import spend
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.errors import ContentError

app = typer.Typer(help="Look into a file: an activity log or a cost query's reply. Offline.", no_args_is_help=True)

app.command("spend")(spend)

File = typer.Argument(help="The file, or - for standard input.")


@app.command("activity-log")
def activity_log(file: str = File, as_json: bool = Json) -> None:
    """Review an activity log: the findings, worst first, with the ids of their events."""
    activity, findings = review_log(read_document(file))
    document = {
        "findings": [
            {
                "id": finding.id,
                "title": finding.title,
                "severity": str(finding.severity),
                "event_ids": finding.event_ids,
                "operations": [],
                "actor": finding.actor,
                "address": finding.address,
                "techniques": finding.techniques,
                "reasons": finding.reasons,
            }
            for finding in findings
        ],
        "actors": [],
        "operations": [
            {"id": one.id, "event_ids": one.event_ids, "name": one.name, "status": one.status}
            for one in activity.operations
        ],
    }
    if as_json:
        print_json(document)
        return
    for finding in findings:
        stdout.print(f"{str(finding.severity).upper():13} {safe(finding.title)}")


def read_document(file: str) -> Any:
    """Read one JSON document from a file, or from standard input when `file` is `-`.

    Raises:
        ContentError: the file cannot be read, or is no JSON; names file, line and column.
    """
    name = "standard input" if file == "-" else file
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ContentError(f"{name} cannot be read: {error.strerror}.", hint="Name a file, or - for input.") from error
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        where = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ContentError(
            f"{name}{where} is no JSON: {error}.", hint="Expected the reply as Azure sent it."
        ) from error
