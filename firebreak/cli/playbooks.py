"""`firebreak playbooks`: authoring."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec
import typer
from rich.table import Table

from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import engine_room
from firebreak.errors import ContentError
from firebreak.model.playbook import Gate
from firebreak.playbook import read_playbook
from tasks.registry import load_steps

app = typer.Typer(help="The playbooks there are, and checking your own.", no_args_is_help=True)


@app.command("list")
def list_playbooks(as_json: bool = Json) -> None:
    """List the playbooks: shipped ones and those in <home>/playbooks."""
    with engine_room() as room:
        found = room.playbooks()
    if as_json:
        print_json(
            [
                {
                    "id": p.id,
                    "version": p.version,
                    "title": p.title,
                    "applies_to": list(p.applies_to),
                    "digest": p.digest,
                }
                for p in found.values()
            ]
        )
        return
    table = Table("id", "version", "title", "stages", box=None)
    for p in found.values():
        table.add_row(p.id, p.version, safe(p.title), ", ".join(s.id for s in p.stages))
    stdout.print(table)


@app.command("show")
def show(playbook: str, as_json: bool = Json) -> None:
    """Show a playbook: stages, steps, gates, guard rails."""
    with engine_room() as room:
        found = room.playbook(playbook)
    if as_json:
        print_json({**msgspec.to_builtins(found), "digest": found.digest})
        return
    steps = load_steps()
    stdout.print(f"[bold]{found.id}[/] {found.version}: {safe(found.title)}\n{safe(found.description, 1000)}")
    table = Table("stage", "step", "effect", "what it does", box=None)
    for stage in found.stages:
        for number, name in enumerate(stage.steps):
            step = steps[name].step
            table.add_row(stage.id if number == 0 else "", name, str(step.effect), step.title)
        if stage.gate:
            gate = found.gates[stage.gate]
            table.add_row(
                "",
                f"gate {gate.id}",
                f"{gate.required} of {'/'.join(gate.approvers)}",
                "; ".join(_more_about(gate)),
            )
    stdout.print(table)


def _more_about(gate: Gate) -> list[str]:
    said = ["may be skipped"] if gate.optional else []
    if gate.escalate_to:
        said.append(f"after {gate.escalate_after_minutes} minutes also {'/'.join(gate.escalate_to)}")
    if gate.pre_authorised:
        said.append(
            f"nobody, if the operator lets {', '.join(gate.pre_authorised.steps)} go from {gate.pre_authorised.min_score} points"
        )
    return said


@app.command("export")
def export(
    playbook: str,
    out: Path | None = typer.Option(
        None, help="Where to write it (default: <home>/playbooks/<id>.yaml, from where it replaces the shipped one)."
    ),
    as_json: bool = Json,
) -> None:
    """Copy a shipped playbook to a file of your own, to change it there."""
    with engine_room() as room:
        room.playbook(playbook)
        target = out or room.settings.home / "playbooks" / f"{playbook}.yaml"
    source = resources.files("playbooks") / f"{playbook}.yaml"
    if not source.is_file():
        raise ContentError(
            f"{playbook!r} is a playbook of your own already.", hint="Only shipped playbooks are exported."
        )
    if target.exists():
        raise ContentError(f"{target} exists.", hint="Name another file with --out, or remove it first.")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    if as_json:
        print_json({"playbook": playbook, "file": str(target)})
    else:
        stdout.print(
            f"Written to {safe(target, 500)}. Change it, then: firebreak playbooks validate {safe(target, 500)}"
        )


@app.command("validate")
def validate(
    file: list[Path] = typer.Argument(..., help="Playbook files."),
    as_json: bool = Json,
) -> None:
    """Check playbook files; every problem is printed as file:line:column: message."""
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    problems: list[dict[str, object]] = []
    for path in file:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ContentError(f"{path}: {error.strerror}.", hint="Name a playbook file.") from error
        _, found = read_playbook(data, file=str(path), steps=steps)
        problems += [
            {"file": e.file, "line": e.line, "column": e.column, "message": e.message, "hint": e.hint} for e in found
        ]
    if as_json:
        print_json({"valid": not problems, "problems": problems})
    else:
        for p in problems:
            stdout.print(safe(f"{p['message']} {p['hint']}", 600))
        stdout.print("valid" if not problems else f"{len(problems)} problems")
    if problems:
        raise typer.Exit(1)
