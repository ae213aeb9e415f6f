"""`firebreak incidents letter`: a letter about an incident, for a person to read, change and send."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer

from firebreak.cli.output import Json, print_json, say
from firebreak.cli.rooms import dossier_of, engine_room
from firebreak.errors import ContentError
from firebreak.report.letters import KINDS, LANGUAGES, facts_of, write_letter


def letter(
    incident: str,
    kind: str = typer.Option("customer-notice", help=f"Which letter: {', '.join(KINDS)}."),
    language: str = typer.Option("en", help=f"In which language: {', '.join(LANGUAGES)}."),
    out: Path | None = typer.Option(None, help="Write it into this file, which must not be there yet."),
    as_json: bool = Json,
) -> None:
    """Write a letter about an incident: to the customer, to Azure support, about a missed attack, or about fraud.

    Facts, dates and amounts come from the incident; what is not known says so, and is named on standard error. Nothing is sent: read it first.
    """
    with engine_room() as room:
        dossier = dossier_of(room, incident)
        partner = room.settings.credential.partner_tenant
    if dossier.incident.alert.is_about_partner:
        raise ContentError(
            f"{incident} is a check of the partner's own tenant: there is no attack to write about.",
            hint="Letters are about incidents of subscriptions: firebreak incidents list",
        )
    facts = facts_of(dossier, partner_tenant=partner)
    written = write_letter(facts, kind=kind, language=language)
    text = f"{written.subject}\n\n{written.body}"
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise ContentError(f"{out}: {error.strerror}.", hint="Name a file that is not there yet.") from error
    if as_json:
        fields = {name: msgspec.to_builtins(value) for name, value in msgspec.structs.asdict(facts).items()}
        print_json({**msgspec.to_builtins(written), "facts": fields, "file": str(out) if out else None})
    elif out is None:
        typer.echo(text, nl=False)
    if written.missing:
        say(f"Not known, so fill it in by hand: {', '.join(written.missing)}.")
