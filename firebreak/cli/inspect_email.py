"""`firebreak inspect email`: whether a notification mail is genuine, and which of Microsoft's alerts it is about."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import typer

from firebreak.analysis import documents as doc
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.engine import EngineRoom
from firebreak.engine.hints import alerts_about
from firebreak.errors import AccessError, ContentError, RemoteError
from firebreak.intake.mails import Mail, read_mail


def email(
    file: Path = typer.Argument(help="The mail as it was saved, with its headers (.eml)."), as_json: bool = Json
) -> None:
    """Check a notification mail of Microsoft's: the sender, DMARC as your own mail server found it, and the same alert in Graph.

    No link in it is followed, and no incident is opened: a mail is never enough to act. Only the ids of subscriptions are taken from it. Ends with 0 when it is
    genuine, 3 when it is not proven to be, 1 when Graph could not be asked.
    """
    settings = connected_settings()
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise ContentError(f"{file}: {error.strerror}.", hint="Name a file that holds the mail.") from error
    mail = read_mail(raw, senders=settings.intake.mail_senders, receivers=settings.intake.mail_receivers)
    with engine_room(settings) as room:
        alerts, missed = asyncio.run(_listed(room, mail))
    verdict = "not_looked_at" if missed else "genuine" if alerts and not mail.problems else "not_proven"
    problems = [*mail.problems, *([] if alerts or missed else ["Microsoft lists no alert about any id in it."])]
    found = {
        "verdict": verdict,
        "sender": mail.sender,
        "dmarc": mail.dmarc,
        "checked_by": mail.checked_by,
        "problems": problems,
        "not_looked_at": missed,
        "alerts": alerts,
    }
    if as_json:
        print_json(found)
    else:
        _show(found, knows_receivers=bool(settings.intake.mail_receivers))
    if verdict != "genuine":
        raise typer.Exit(1 if missed else 3)


async def _listed(room: EngineRoom, mail: Mail) -> tuple[list[dict[str, Any]], list[str]]:
    """Microsoft's alerts about the subscriptions that the mail names, and why some could not be asked for."""
    alerts: list[dict[str, Any]] = []
    missed: list[str] = []
    for subscription in mail.ids:
        try:
            rows = await alerts_about(room, subscription)
        except (AccessError, RemoteError) as error:
            missed.append(str(error))
            break
        alerts += [
            {
                "id": doc.text(row, "id"),
                "type": doc.text(row, "alertType"),
                "status": doc.text(row, "status"),
                "detected_at": doc.text(row, "detectedDateTime"),
                "subscription_id": subscription,
            }
            for row in rows
        ]
    return alerts, missed


def _show(found: dict[str, Any], *, knows_receivers: bool) -> None:
    words = {"genuine": "GENUINE", "not_proven": "NOT PROVEN: do not act on it", "not_looked_at": "NOT LOOKED AT"}
    lines = [words[found["verdict"]], f"from     {found['sender'] or '(unreadable)'}"]
    lines.append(f"dmarc    {found['dmarc'] or 'no result'}, noted by {found['checked_by'] or 'nobody who is known'}")
    lines += [f"problem  {text}" for text in found["problems"]]
    lines += [f"Graph    not looked at: {text}" for text in found["not_looked_at"]]
    for one in found["alerts"]:
        lines.append(f"alert    {one['id']}  {one['type']}  {one['status']}  {one['detected_at']}")
    if not knows_receivers:
        lines.append(
            "Name your mail servers in FIREBREAK_INTAKE__MAIL_RECEIVERS, as their Authentication-Results headers begin."
        )
    if found["alerts"]:
        lines.append("Its incident: firebreak intake poll")
    for line in lines:
        stdout.print(safe(line, 400))
