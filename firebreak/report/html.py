"""The report as one HTML file: no scripts, no outside resources, everything from Azure escaped by Jinja's autoescape.

The drawings are put into the page as they are: they escape for themselves, and hold no anchor or style but our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from firebreak.analysis.deeds import Deed, deeds, together
from firebreak.analysis.documents import shown
from firebreak.analysis.quota import asked_for, in_words
from firebreak.model.facts import Class, Judgement
from firebreak.model.finding import Finding, Severity
from firebreak.report.case_page import VERDICTS, top_drivers
from firebreak.report.charts import data_uri, spend_chart
from firebreak.report.dossier import Dossier, money, spend_in_words
from firebreak.report.glance import glance, kind_words, kinds
from firebreak.report.graph_picture import graph_picture
from firebreak.report.hostile import plain
from firebreak.report.kinds import kind_in_words
from firebreak.report.map_picture import map_picture
from firebreak.report.markdown import STATES
from firebreak.report.places import region_rows, region_title
from firebreak.report.proof import Proofs
from firebreak.report.story import story
from firebreak.report.todo import still_billed
from firebreak.report.undone import grouped
from firebreak.report.words import counted, terms_in

_ORDER = {severity: number for number, severity in enumerate(reversed(list(Severity)))}


def report_html(dossier: Dossier) -> str:
    """Return the whole report of one incident as a page that can be mailed, printed and opened offline."""
    template = environment().get_template("report.html.j2")
    page = template.render(**_seen(dossier), terms=[])
    return template.render(**_seen(dossier), terms=terms_in(page))


def environment() -> Environment:
    """The templates with everything that they may use; all is escaped unless it says otherwise."""
    environment = Environment(
        loader=PackageLoader("firebreak.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "grouped": grouped, "kind": kind_in_words, "region": region_title}
    environment.filters |= {"kind_words": kind_words, "asked": in_words}
    environment.globals |= {"money": money, "spend_in_words": spend_in_words, "counted": counted}
    return environment


def _place(
    reason: str, suspects: Sequence[Judgement], findings: Sequence[Finding], rogue: Sequence[Judgement]
) -> tuple[str, str]:
    """Where the page proves a reason of the verdict, as anchor and word: its finding, its session, what is the attacker's; else two empty texts."""
    _, _, said = reason.partition(": ")
    for number, one in enumerate(findings, 1):
        who = f": {shown(one.actor, 80)}" if one.actor else ""
        if said == f"{one.title}{who}{f' from {one.address}' if one.address else ''}.":
            return f"f-{number}", "finding"
    if said.endswith(" more such findings about identities.") and findings:
        return "findings", "findings"
    named = [(number, judged) for number, judged in enumerate(suspects, 1) if said.startswith(shown(judged.id))]
    for number, judged in named:
        if f" from {judged.address or 'an unknown address'} " in said and f"({judged.score} points)" in said:
            return f"w-{number}", "why"
    if named:
        return f"w-{named[0][0]}", "why"
    return ("theirs", "which") if rogue and " resources are theirs" in said else ("", "")


def _seen(dossier: Dossier) -> dict[str, Any]:
    """Everything the template shows, by the names it uses."""
    found = dossier.attribution
    done: tuple[Deed, ...] = deeds(dossier.activity, found) if dossier.activity and found else ()
    joined = together(done)
    regions = region_rows(dossier, done)
    proofs = Proofs(dossier, done)
    spend = spend_chart(dossier.spend) if dossier.spend else None
    judged = found.resources if found else ()
    prices = dossier.burn_before.per_resource if dossier.burn_before else {}
    rogue = sorted(
        (j for j in judged if j.cls is Class.ATTACKER), key=lambda j: (-(prices.get(j.id.lower()) or 0), j.id)
    )
    suspects = [j for j in found.actors if j.cls is not Class.LEGITIMATE] if found else []
    findings = sorted(dossier.findings, key=lambda f: (_ORDER[f.severity], f.id))
    anchors = {deed.kind: f"deed-{deed.kind}" for deed in joined}
    items = {item.id for item in dossier.todo}
    steps = dict.fromkeys(row.step for row in dossier.evidence)
    return {
        "d": dossier,
        "verdict": VERDICTS.get(dossier.verdict, dossier.verdict).replace("**", ""),
        "state": STATES.get(dossier.state, dossier.state),
        "glance": glance(dossier, done, regions),
        "todo": [item for item in dossier.todo if not item.is_settled],
        "settled": [item for item in dossier.todo if item.is_settled],
        "confirmed_before": [one for one in dossier.confirmations if one.settles and one.item not in items],
        "billed": still_billed(dossier),
        "regions": [row for row in regions if row.is_attacked or row.customers or row.unknown],
        # Both drawings are escaped where they are made.
        "map": Markup(map_picture(regions, alone=False)),  # noqa: S704
        "graph": Markup(graph_picture(found, done, links=anchors, alone=False) if found else ""),  # noqa: S704
        "deeds": joined,
        "story": story(dossier, done),
        "proofs": proofs,
        "rogue": rogue,
        "rogue_kinds": kinds(rogue),
        "unsure": [j for j in judged if j.cls is Class.UNKNOWN],
        "suspects": suspects,
        "reasons": [(text, _place(text, suspects, findings, rogue)) for text in found.verdict_reasons] if found else [],
        "findings": findings,
        "prices": prices,
        "picture": data_uri(spend) if spend else "",
        "drivers": top_drivers(dossier.spend, 5) if dossier.spend else [],
        "asked_for": asked_for(dossier.quota, dossier.activity) if dossier.quota else (),
        "evidence": [(step, [row for row in dossier.evidence if row.step == step]) for step in steps],
    }
