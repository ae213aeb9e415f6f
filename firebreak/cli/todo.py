"""`firebreak incidents todo` and `confirm`: what is left to people, and the record that somebody did it."""

from __future__ import annotations

from typing import Any

import typer

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import dossier_of, engine_room
from firebreak.engine import Engine, EngineRoom, pages
from firebreak.engine.overtaken import ask_again_where_overtaken
from firebreak.errors import ContentError
from firebreak.model.todo import DONE, REOPEN, Item
from firebreak.report.dossier import item_json


def todo(
    incident: str,
    every: bool = typer.Option(False, "--all", help="Also what was confirmed."),
    as_json: bool = Json,
) -> None:
    """List what is left to people, most urgent first, with the data prepared for it."""
    with engine_room() as room:
        dossier = dossier_of(room, incident)
    items = [item for item in dossier.todo if every or not item.is_settled]
    if as_json:
        print_json([item_json(item) for item in items])
        return
    if not items:
        stdout.print("Nothing that Firebreak knows of.")
        return
    for item in items:
        _tell(item)
    say(f"Confirm one: firebreak incidents confirm {incident} ITEM --by NAME --code CODE --answer WORD --note TEXT")


def _tell(item: Item) -> None:
    stdout.print(f"[bold]{item.id}[/] {safe(item.text, 500)}")
    if item.how:
        stdout.print(f"  {safe(item.how, 600)}")
    for label, value in item.data:
        stdout.print(f"  {label}: {safe(value, 300)}")
    said = item.confirmation
    if said is not None:
        note = f": {safe(said.note, 300)}" if said.note else ""
        stdout.print(
            f"  {safe(said.by)} at {said.at:%Y-%m-%d %H:%M} UTC: {said.answer.replace('_', ' ')}{note}"
            + (" (Azure has not shown it yet)" if item.measured and said.settles else "")
        )
    if not item.is_settled:
        stdout.print(f"  answers: {', '.join(item.answers)}")


def confirm(
    incident: str,
    item: str = typer.Argument(..., help="Its id, as `incidents todo` lists it."),
    by: str = typer.Option(..., "--by", help="Your name, as enrolled."),
    code: str = typer.Option(..., "--code", help="The six digits your authenticator shows now."),
    answer: str = typer.Option(
        "",
        "--answer",
        help=f"One of the item's answers (default: done, where that is one), or '{REOPEN}' to put it back on the list.",
    ),
    note: str = typer.Option("", "--note", help="What was found or done; kept in the record."),
    as_json: bool = Json,
) -> None:
    """Record that you did, checked or decided an item. It changes nothing in Azure and approves nothing."""
    with engine_room() as room:
        dossier = dossier_of(room, incident)
        known = {one.id.lower(): one for one in dossier.todo}
        found = known.get(item.lower())
        if found is None:
            raise ContentError(
                f"{incident} has no item {item!r}.",
                hint=f"There are: {', '.join(one.id for one in known.values()) or 'none'}. See: firebreak incidents todo {incident} --all",
            )
        if not answer and found.answers != DONE:
            raise ContentError(
                f"{found.id} is a question: it is not enough to say that it was done.",
                hint=f"Say --answer with one of: {', '.join(found.answers)}.",
            )
        said = answer or DONE[0]
        room.confirmations.confirm(dossier.incident, found, who=by, code=code, answer=said, note=note, channel="cli")
        asked = ask_again_where_overtaken(Engine(room, incident, None, run_id=""))
        after = next(one for one in dossier_of(room, incident).todo if one.id == found.id)
        _refresh_report(room, incident)
    if as_json:
        shown: dict[str, Any] = {"incident": incident, **item_json(after), "asked_again": list(asked)}
        print_json(shown)
        return
    _tell(after)
    for gate in asked:
        say(f"Gate {gate} is asked again: its plan says otherwise.")


def _refresh_report(room: EngineRoom, incident: str) -> None:
    """Write the report's files again where they were written before, so that they say who confirmed what."""
    if room.store.values.get(incident, "report") is None:
        return
    number = int(room.store.values.get(incident, "last-round", 1))
    pages.write_report(Engine(room, incident, None, run_id=""), number, room.store.incidents.state(incident))
