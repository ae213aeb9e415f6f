"""`firebreak replay --world`: starts the embedded Azure with a recorded subscription in it, lets the plans be carried out there, asks it what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from firebreak.cli.processes import Processes, ServiceError
from firebreak.clients.embedded import embedded_settings
from firebreak.errors import ContentError
from firebreak.replay.staged import Staged
from firebreak.replay.world import aftermath, record
from firebreak.replay.world.carrying import WorldClock, carry_out, wanted_of
from firebreak.replay.world.effects import effects_of
from firebreak.replay.world.page import with_section
from firebreak.replay.world.result import WhatIf, money_of, section, times_of, what_if_json
from firebreak.report.dossier import Dossier

_SECONDS = 120


def moment_given(text: str) -> datetime:
    """A time of --contained-at; without a zone it is UTC.

    Raises:
        ContentError: it is no time.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ContentError(f"--contained-at: {text!r} is no time.", hint="For example: 2026-11-20T01:30:00Z") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def carry_in_world(staged: Staged, dossier: Dossier, since: datetime | None, say: Callable[[str], None]) -> WhatIf:
    """Carry out what the gates of a replay approved, and add the section to its report.

    Raises:
        ContentError: no plan was approved, so that there is nothing to carry out.
        ScopeError: the embedded Azure is not where it said; nothing was sent.
        ServiceError: it does not start.
    """
    wanted = wanted_of(staged)
    if not wanted:
        raise ContentError(
            f"{staged.bundle.place}: no plan was approved in this replay, so there is nothing to carry out.",
            hint="Approve them with: --decide approve-all",
        )
    number = wanted[0].facts_round
    began = staged.past.rounds[number].began_at
    with (
        tempfile.TemporaryDirectory(prefix="firebreak-world-") as folder,
        Processes(Path(folder) / "logs") as processes,
    ):
        file = Path(folder) / "record.json"
        record.write(staged.bundle, staged.past, number, file)
        say("Starting the embedded Azure with the recorded subscription in it ...")
        words = ["azure_simulator", "--recorded", str(file), "--folder", folder, "--json"]
        processes.start("azure", words, {**os.environ, "PYTHONUNBUFFERED": "1"})
        line = json.loads(processes.wait_for_line("azure", seconds=_SECONDS))
        settings = embedded_settings(staged.room.settings, line)
        ask = _asker(line)
        before = ask("GET", "state", None)
        carried = asyncio.run(carry_out(staged, wanted, settings, WorldClock(began), say))
        after, requests = ask("GET", "state", None), ask("GET", "requests", None)
        moment = since or dossier.incident.alert.detected_at
        say("Trying once more what the attacker did ...")
        later = aftermath.operations_after(dossier.activity, dossier.attribution, moment)
        theirs = later or aftermath.operations_after(
            dossier.activity, dossier.attribution, datetime.min.replace(tzinfo=UTC)
        )
        if later:
            ask("POST", "forget", {"ids": aftermath.made_by(later)})
        bodies, documents = aftermath.bodies_in(staged.bundle, theirs), aftermath.documents_in(staged.bundle)
        tried = aftermath.tried_again(theirs, bodies, documents, ask)
    judged = {one.id.lower(): str(one.cls) for one in dossier.attribution.resources} if dossier.attribution else {}
    ends = [row.ended_at for rows in staged.past.rows.values() for row in rows if row.ended_at is not None]
    until = max([*ends, *(part.began_at for part in staged.past.rounds.values())])
    done = WhatIf(
        held=line["recorded"],
        since=moment,
        mode="later" if later else "again",
        carried=carried,
        effects=effects_of(before, after, lambda name: judged.get(name, "unknown")),
        aftermath=tried,
        times=times_of(carried, requests, staged.past),
        money=money_of(dossier, before, carried, tried, staged.past, moment, until),
    )
    _add_to_report(dossier, done)
    return done


def _asker(line: dict[str, Any]) -> aftermath.Ask:
    """A way to ask the routes that are the embedded Azure's own, over TLS as its clients do."""
    trusted = ssl.create_default_context(cafile=line["ca_bundle"])

    def ask(method: str, name: str, body: Any) -> Any:
        try:
            answer = httpx.request(
                method,
                f"{line['resource_manager']}/_simulator/{name}",
                json=body,
                verify=trusted,
                timeout=_SECONDS,
                trust_env=False,
            )
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServiceError(
                f"The embedded Azure did not answer {name} ({type(error).__name__}).",
                hint="Try again; this is a mistake of ours.",
            ) from error

    return ask


def _add_to_report(dossier: Dossier, done: WhatIf) -> None:
    """Write the section at the end of the report's Markdown and HTML, and the same into its JSON."""
    page, shown, data = (
        Path(dossier.report_files[kind]) if kind in dossier.report_files else None
        for kind in ("markdown", "html", "json")
    )
    if page is not None and page.is_file():
        page.write_text(f"{page.read_text(encoding='utf-8')}\n{section(done)}", encoding="utf-8")
    if shown is not None and shown.is_file():
        shown.write_text(with_section(shown.read_text(encoding="utf-8"), done), encoding="utf-8")
    if data is not None and data.is_file():
        told = msgspec.json.decode(data.read_bytes()) | {"what_if": what_if_json(done)}
        data.write_bytes(msgspec.json.format(msgspec.json.encode(told), indent=2))
