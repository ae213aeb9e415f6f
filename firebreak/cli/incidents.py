"""`firebreak incidents`: what happened, after the fact."""

from __future__ import annotations

import typer
from rich.markdown import Markdown
from rich.table import Column, Table

from firebreak.cli import letter, record, redact
from firebreak.cli import todo as people
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import dossier_of, engine_room
from firebreak.errors import ContentError
from firebreak.report.dossier import money, run_json
from firebreak.report.markdown import report_markdown
from firebreak.report.told import failures

app = typer.Typer(
    help="What happened and what is left to people: list, show, report, letter, todo, confirm, export, redact, verify.",
    no_args_is_help=True,
)


@app.command("list")
def list_incidents(as_json: bool = Json) -> None:
    """List incidents, newest first."""
    with engine_room() as room:
        rows = room.store.incidents.list()
    if as_json:
        print_json(
            [
                {
                    "incident": r.incident.id,
                    "state": r.state,
                    "note": r.note,
                    "mode": str(r.incident.mode),
                    "subscription": r.incident.subscription_id,
                    "playbook": r.incident.playbook,
                    "opened_at": r.incident.opened_at,
                    "updated_at": r.updated_at,
                }
                for r in rows
            ]
        )
        return
    if not rows:
        stdout.print("No incidents.")
        return
    table = Table(Column("incident", no_wrap=True), "state", "mode", "opened (UTC)", "subscription", "alert", box=None)
    for r in rows:
        i = r.incident
        table.add_row(
            i.id, r.state, str(i.mode), f"{i.opened_at:%m-%d %H:%M}", i.subscription_id, safe(i.alert.title, 60)
        )
    stdout.print(table)


@app.command("show")
def show(incident: str, as_json: bool = Json) -> None:
    """Show where an incident stands: steps, gates, actions, money, what was not looked at."""
    with engine_room() as room:
        dossier = dossier_of(room, incident)
    if as_json:
        print_json(run_json(dossier))
        return
    before, after = dossier.burn_before, dossier.burn_after
    stdout.print(
        f"[bold]{dossier.incident.id}[/]: {dossier.state}{f' ({safe(dossier.note, 300)})' if dossier.note else ''}; verdict {dossier.verdict}"
    )
    if before:
        now = money(after.rogue_per_hour, after.currency) if after else "not measured again"
        stdout.print(
            f"attacker's compute per hour: {money(before.rogue_per_hour, before.currency)}, now {now}; lost {money(before.lost, before.currency)}"
        )
    table = Table("stage", "step", "state", "seconds", "note", box=None)
    for s in dossier.steps:
        table.add_row(s.stage, s.title, s.state, f"{s.seconds:.1f}" if s.seconds is not None else "", safe(s.note, 100))
    stdout.print(table)
    if dossier.actions:
        table = Table("action", "target", "state", "reason", box=None)
        for row in dossier.actions:
            table.add_row(
                row.action.kind, safe(row.action.target.rsplit("/", 1)[-1], 60), row.state, safe(row.reason, 100)
            )
        stdout.print(table)
    for line in failures(dossier.messages):
        stdout.print(f"[bold]{safe(line, 600)}[/]")
    for missed in dossier.not_looked_at:
        stdout.print(f"not looked at: {safe(missed.what)}: {safe(missed.why, 300)}")


@app.command("report")
def report(
    incident: str,
    kind: str = typer.Option(
        "",
        "--format",
        help="html, markdown, json or csv: print that file's path (default: print the report as text). "
        "The CSV has the actions; resources.csv and findings.csv lie beside it.",
    ),
    as_json: bool = Json,
) -> None:
    """Print the report, or where its files are."""
    with engine_room() as room:
        dossier = dossier_of(room, incident)
        files = dossier.report_files
    if as_json:
        print_json({"incident": incident, "report": files})
    elif kind:
        if kind not in files:
            raise ContentError(
                f"{incident} has no report as {kind!r}.",
                hint="html, markdown, json and csv are written when the run ends.",
            )
        stdout.print(files[kind])
    else:
        stdout.print(Markdown(report_markdown(dossier)), soft_wrap=False)


app.command("letter")(letter.letter)
app.command("todo")(people.todo)
app.command("confirm")(people.confirm)
app.command("verify")(record.verify)
app.command("export")(record.export)
app.command("redact")(redact.redact)
app.command("public-key")(record.public_key)
