"""The report as one HTML file: no scripts, no outside resources, everything from Azure escaped by Jinja's autoescape."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from firebreak.model.facts import Class
from firebreak.report.case_page import VERDICTS
from firebreak.report.charts import data_uri, spend_chart
from firebreak.report.dossier import Dossier, money, spend_in_words
from firebreak.report.gate_page import kind_in_words
from firebreak.report.hostile import plain
from firebreak.report.markdown import STATES
from firebreak.report.todo import left_to_do, still_billed
from firebreak.report.undone import grouped


def report_html(dossier: Dossier) -> str:
    """Return the whole report of one incident as a page that can be mailed, printed and opened offline."""
    environment = Environment(
        loader=PackageLoader("firebreak.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = plain
    environment.filters["grouped"] = grouped
    environment.filters["kind"] = kind_in_words
    environment.globals["money"] = money
    environment.globals["spend_in_words"] = spend_in_words
    picture = spend_chart(dossier.spend) if dossier.spend else None
    judged = dossier.attribution.resources if dossier.attribution else ()
    prices = dossier.burn_before.per_resource if dossier.burn_before else {}
    return environment.get_template("report.html.j2").render(
        d=dossier,
        verdict=VERDICTS.get(dossier.verdict, dossier.verdict).replace("**", ""),
        state=STATES.get(dossier.state, dossier.state),
        todo=left_to_do(dossier),
        billed=still_billed(dossier),
        rogue=sorted(
            (j for j in judged if j.cls is Class.ATTACKER), key=lambda j: (-(prices.get(j.id.lower()) or 0), j.id)
        ),
        unsure=[j for j in judged if j.cls is Class.UNKNOWN],
        suspects=[j for j in dossier.attribution.actors if j.cls is not Class.LEGITIMATE]
        if dossier.attribution
        else [],
        prices=prices,
        picture=data_uri(picture) if picture else "",
    )
