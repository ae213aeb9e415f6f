"""`firebreak approvers`: the people who may answer gates."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import pyotp
import segno
import typer
from pydantic import SecretStr
from rich.table import Table

from firebreak.approval import Approver, Approvers
from firebreak.approval.approvers import person_key
from firebreak.approval.rekey import rekey
from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.rooms import engine_room
from firebreak.clients.secrets import reveal_now
from firebreak.errors import ContentError
from firebreak.settings import checked_key

app = typer.Typer(help="The people who may answer gates, each with a one-time code.", no_args_is_help=True)


@app.command("enrol")
def enrol(
    name: str,
    role: list[str] = typer.Option(["responder"], "--role", help="What the person may answer for; may be given again."),
    playbook: list[str] = typer.Option([], "--playbook", help="Only incidents of this playbook; may be given again."),
    customer: list[str] = typer.Option(
        [], "--customer", help="Only this customer: id of a tenant or a subscription; may be given again."
    ),
    login: list[str] = typer.Option(
        [],
        "--login",
        help="The person's login on machines where firebreak is used, so that they cannot approve what they asked for; may be given again.",
    ),
    qr: bool | None = typer.Option(
        None, "--qr/--no-qr", help="Print the seed as a QR code. Not given: on a terminal only.", show_default=False
    ),
    as_json: bool = Json,
) -> None:
    """Enrol a person and print the TOTP seed once; it goes into their authenticator and nowhere else."""
    with engine_room() as room:
        for wanted in playbook:
            room.playbook(wanted)  # a mistyped one would leave the person out of everything
        seed = room.approvers.enrol(name, role, playbooks=playbook, customers=customer, logins=login)
        person = next(p for p in room.approvers.list() if person_key(p.name) == person_key(name))
        scope = _as_json(person)
        room.audit.append("", "approver.enrolled", who="operator", data=scope)
    uri = pyotp.TOTP(seed).provisioning_uri(name=name, issuer_name="Firebreak")
    if as_json:
        print_json({**scope, "totp_secret": seed, "uri": uri})
        return
    stdout.print(f"{safe(name)} may answer for: {', '.join(safe(r) for r in role)}{_scope_in_words(person)}")
    if qr or (qr is None and sys.stdout.isatty()):
        segno.make(uri, micro=False).terminal(out=sys.stdout, compact=True)
    stdout.print(f"Seed (shown once): [bold]{seed}[/]\n{uri}")
    say("Scan it or enter the seed in an authenticator app now; it cannot be shown again. Then clear the screen.")


@app.command("login")
def login_of(
    name: str,
    login: list[str] = typer.Option(..., "--login", help="A login to add; may be given again."),
    as_json: bool = Json,
) -> None:
    """Note under which logins an enrolled person asks for things; seed, roles and scope stay."""
    with engine_room() as room:
        person = room.approvers.add_logins(name, login)
        if person is None:
            raise ContentError(f"Nobody is enrolled as {name!r} here.", hint="See: firebreak approvers list")
        room.audit.append(
            "", "approver.logins", who="operator", data={"name": person.name, "logins": list(person.logins)}
        )
    if as_json:
        print_json(_as_json(person))
    else:
        stdout.print(f"{safe(person.name)} is known as: {_listed(person.logins)}")


@app.command("list")
def list_people(as_json: bool = Json) -> None:
    """List who may answer gates, and for what."""
    with engine_room() as room:
        people = room.approvers.list()
    if as_json:
        print_json([_as_json(p) for p in people])
        return
    if not people:
        stdout.print("Nobody is enrolled. Enrol people with: firebreak approvers enrol NAME --role responder")
        return
    table = Table("name", "roles", "playbooks", "customers", "logins", box=None)
    for p in people:
        scope = (p.roles, p.playbooks or ("all",), p.customers or ("all",), p.logins or ("not known",))
        table.add_row(safe(p.name), *(_listed(words) for words in scope))
    stdout.print(table)


@app.command("revoke")
def revoke(name: str, as_json: bool = Json) -> None:
    """Take a person's right to answer away; approvals of gates not yet carried out lose it too."""
    with engine_room() as room:
        if not room.approvers.revoke(name):
            raise ContentError(f"Nobody is enrolled as {name!r} here.", hint="See: firebreak approvers list")
        room.audit.append("", "approver.revoked", who="operator", data={"name": name})
    if as_json:
        print_json({"name": name, "revoked": True})
    else:
        stdout.print(f"{safe(name)} may no longer answer gates.")


@app.command("rekey")
def rekey_all(
    to: str = typer.Option(..., "--to", help="The new key by reference: env:NAME, file:/path or keyvault:https://..."),
    as_json: bool = Json,
) -> None:
    """Seal everything under a new key; stop all services first, and give them the new key before they start again."""
    if not to.startswith(("env:", "file:", "keyvault:")):
        raise ContentError(
            "A key does not belong on the command line.",
            hint="Name where it is: env:NAME, file:/path or keyvault:https://...",
        )
    with engine_room() as room:
        key = checked_key(reveal_now(SecretStr(to), "--to", room.settings).encode(), to)
        people, answers = rekey(room.store, room.approvers, Approvers(room.store, key, None))
        room.audit.append("", "approvers.rekeyed", who="operator", data={"people": people, "approvals": answers})
    if as_json:
        print_json({"people": people, "approvals": answers})
        return
    stdout.print(f"Sealed anew: {people} people, {answers} approvals.")
    say(f"From now on every process needs FIREBREAK_SECRET_KEY={to}; the old key opens nothing any more.")


def _as_json(person: Approver) -> dict[str, object]:
    return {
        "name": person.name,
        "roles": list(person.roles),
        "playbooks": list(person.playbooks),
        "customers": list(person.customers),
        "logins": list(person.logins),
    }


def _scope_in_words(person: Approver) -> str:
    kinds = {"playbooks": person.playbooks, "customers": person.customers}
    limits = [f"{kind} {_listed(words)}" for kind, words in kinds.items() if words]
    return f"; only {' and '.join(limits)}" if limits else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(safe(word) for word in words)
