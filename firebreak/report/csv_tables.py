"""The report for people who work with a spreadsheet: actions, resources and findings as CSV (RFC 4180). Pure over a `Dossier`.

UTF-8 with a byte order mark, without which Excel takes it for another encoding; every cell in quotes, none of them a formula. The order of
the columns is stable: new ones go to the end.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from firebreak.model.facts import Class
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import csv_cell
from firebreak.report.kinds import kind_in_words

_LONGEST_ID, _LONGEST_TEXT = 1000, 4000

ACTIONS = (
    "incident",
    "stage",
    "action_id",
    "kind",
    "action",
    "name",
    "resource_group",
    "region",
    "effect",
    "state",
    "reason",
    "read_back",
    "saves_per_hour",
    "currency",
    "started_at",
    "ended_at",
    "request_id",
    "because",
    "target",
)
RESOURCES = (
    "incident",
    "taken_for",
    "score",
    "name",
    "type",
    "resource_group",
    "per_hour",
    "currency",
    "created_by",
    "because",
    "id",
)
FINDINGS = ("incident", "severity", "finding_id", "title", "who", "address", "because", "events")


def csv_files(dossier: Dossier) -> dict[str, bytes]:
    """File name -> bytes of every table, also of the empty ones: a missing file would be taken for a failure."""
    return {
        "actions.csv": _csv(ACTIONS, _actions(dossier)),
        "resources.csv": _csv(RESOURCES, _resources(dossier)),
        "findings.csv": _csv(FINDINGS, _findings(dossier)),
    }


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode("utf-8-sig")


def _cell(value: object) -> str:
    """Numbers and times of our own as they are, a negative number is one; all else is made harmless."""
    if isinstance(value, Decimal | int):
        return str(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}Z"
    return "" if value is None else csv_cell(value, _LONGEST_TEXT)


def _actions(dossier: Dossier) -> Iterable[Sequence[object]]:
    for row in dossier.actions:
        action = row.action
        name, _, group = _place(action.target)
        yield (
            dossier.incident.id,
            row.stage,
            action.id,
            action.kind,
            kind_in_words(action.kind),
            name,
            group,
            action.region,
            str(action.effect),
            row.state,
            row.reason,
            row.state_read_back,
            action.per_hour,
            dossier.currency,
            row.started_at,
            row.ended_at,
            row.request_id,
            "; ".join(action.reasons),
            action.target[:_LONGEST_ID],
        )


def _resources(dossier: Dossier) -> Iterable[Sequence[object]]:
    prices = dossier.burn_before.per_resource if dossier.burn_before else {}
    order = {Class.ATTACKER: 0, Class.UNKNOWN: 1, Class.LEGITIMATE: 2}
    judged = dossier.attribution.resources if dossier.attribution else ()
    for j in sorted(judged, key=lambda j: (order[j.cls], -(prices.get(j.id.lower()) or 0), j.id)):
        name, kind, group = _place(j.id)
        yield (
            dossier.incident.id,
            str(j.cls),
            j.score,
            name,
            kind,
            group,
            prices.get(j.id.lower()),
            dossier.currency,
            j.created_by,
            "; ".join(f"{r.text} ({r.points:+d})" for r in j.reasons),
            j.id[:_LONGEST_ID],
        )


def _findings(dossier: Dossier) -> Iterable[Sequence[object]]:
    for f in dossier.findings:
        because, events = "; ".join(f.reasons), " ".join(f.event_ids)
        yield dossier.incident.id, str(f.severity), f.id, f.title, f.actor, f.address, because, events


def _place(resource_id: str) -> tuple[str, str, str]:
    """Name, type and group of a resource id; the type of what is no resource is ""."""
    parts = resource_id.split("/")
    low = [part.lower() for part in parts]
    group = parts[4] if len(parts) > 4 and low[3] == "resourcegroups" else ""
    kind = "/".join(parts[-3:-1]) if "providers" in low else ""
    return parts[-1], kind, group
