"""`firebreak approvers`: the people who may answer gates."""

from __future__ import annotations

import typer
from rich.table import Table

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import engine_room
from firebreak.errors import ContentError

app = typer.Typer(help="The people who may answer gates, each with a one-time code.", no_args_is_help=True)


@app.command("enrol")
def enrol(
    name: str,
    role: list[str] = typer.Option(["responder"], "--role", help="What the person may answer for; may be given again."),
    as_json: bool = Json,
) -> None:
    """Enrol a person and print the TOTP seed once; it goes into their authenticator and nowhere else."""
    import pyotp

    with engine_room() as room:
        seed = room.approvers.enrol(name, role)
    uri = pyotp.TOTP(seed).provisioning_uri(name=name, issuer_name="Firebreak")
    if as_json:
        print_json({"name": name, "roles": list(role), "totp_secret": seed, "uri": uri})
        return
    stdout.print(f"{safe(name)} may answer for: {', '.join(safe(r) for r in role)}")
    stdout.print(f"Seed (shown once): [bold]{seed}[/]\n{uri}")
    say("Enter the seed in an authenticator app now; it cannot be shown again.")


@app.command("list")
def list_people(as_json: bool = Json) -> None:
    """List who may answer gates."""
    with engine_room() as room:
        people = room.approvers.list()
    if as_json:
        print_json([{"name": p.name, "roles": list(p.roles)} for p in people])
        return
    if not people:
        stdout.print("Nobody is enrolled. Enrol people with: firebreak approvers enrol NAME --role responder")
        return
    table = Table("name", "roles", box=None)
    for p in people:
        table.add_row(safe(p.name), ", ".join(safe(r) for r in p.roles))
    stdout.print(table)


@app.command("revoke")
def revoke(name: str, as_json: bool = Json) -> None:
    """Take a person's right to answer away; approvals of gates not yet carried out lose it too."""
    with engine_room() as room:
        if not room.approvers.revoke(name):
            raise ContentError(f"Nobody is enrolled as {name!r} here.", hint="See: firebreak approvers list")
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        stdout.print(f"{safe(name)} may no longer answer gates.")
