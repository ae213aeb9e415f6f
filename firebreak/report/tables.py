"""Evidence as tables for the Prefect UI, which pages and searches them: rows of plain text, one dictionary each. Pure."""

from __future__ import annotations

from firebreak.model.facts import Class
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import plain

_MOST = 1000

Rows = list[dict[str, str]]


def evidence_tables(dossier: Dossier) -> dict[str, tuple[str, Rows]]:
    """Return key -> (title, rows): findings, judged resources, the attacker's operations. Empty tables are left out."""
    tables = {
        "findings": ("Evidence: findings", _findings(dossier)),
        "resources": ("Evidence: whose is what, and why", _resources(dossier)),
        "operations": ("Evidence: operations in the incident's window", _operations(dossier)),
    }
    return {key: table for key, table in tables.items() if table[1]}


def _findings(dossier: Dossier) -> Rows:
    return [
        {
            "severity": str(f.severity),
            "finding": plain(f.title),
            "who": plain(f.actor, 80),
            "address": plain(f.address, 60),
            "because": plain("; ".join(f.reasons), 400),
            "events": ", ".join(f.event_ids[:5]),
        }
        for f in dossier.findings[:_MOST]
    ]


def _resources(dossier: Dossier) -> Rows:
    if dossier.attribution is None:
        return []
    prices = dossier.burn_before.per_resource if dossier.burn_before else {}
    order = {Class.ATTACKER: 0, Class.UNKNOWN: 1, Class.LEGITIMATE: 2}
    judged = sorted(dossier.attribution.resources, key=lambda j: (order[j.cls], -(prices.get(j.id.lower()) or 0), j.id))
    return [
        {
            "taken for": str(j.cls),
            "resource": plain(j.id.rsplit("/", 1)[-1], 80),
            "per hour": f"{prices[j.id.lower()]:.2f}" if j.id.lower() in prices else "",
            "score": str(j.score),
            "created by": plain(j.created_by, 80),
            "because": plain("; ".join(f"{r.points:+d} {r.text}" for r in j.reasons), 400),
            "id": plain(j.id, 300),
        }
        for j in judged[:_MOST]
    ]


def _operations(dossier: Dossier) -> Rows:
    activity, found = dossier.activity, dossier.attribution
    if activity is None:
        return []
    theirs = [o for o in activity.operations if found is not None and found.did(o)]
    return [
        {
            "at (UTC)": f"{o.at:%Y-%m-%d %H:%M:%S}",
            "operation": plain(o.name),
            "status": plain(o.status, 20),
            "on": plain(o.resource_id.rsplit("/", 1)[-1], 80),
            "region": plain(o.region, 30),
            "caller": plain(o.caller, 80),
            "address": plain(o.address, 60),
            "events": ", ".join(o.event_ids[:4]),
        }
        for o in sorted(theirs, key=lambda o: (o.at, o.id))[:_MOST]
    ]
