"""The case page: within a minute, what is happening, what it costs, who did it, what is theirs. Markdown, pure.

The older UI never wraps a table's cells, so what is longer than a few words stands in lists.
"""

from __future__ import annotations

from firebreak.model.facts import Attribution, BurnRate, Class, Judgement
from firebreak.report.charts import data_uri, spend_chart
from firebreak.report.dossier import Dossier, money, spend_in_words
from firebreak.report.hostile import markdown, without_links

_MOST = 40

VERDICTS = {
    "fraud": "**Fraud.** The evidence speaks for a compromise.",
    "legitimate": "**Legitimate.** The evidence speaks for the customer's own work.",
    "not_enough_evidence": "**Not enough evidence** for either; a person has to decide.",
}


def case_page(dossier: Dossier) -> str:
    """Return the page shown as an artifact when the investigation has ended, and refreshed at the end of the run."""
    alert = dossier.incident.alert
    lines = [f"## {dossier.incident.id}: {markdown(alert.title, 200)}", ""]
    lines += _facts_first(dossier)
    lines += _spend(dossier)
    lines += [VERDICTS.get(dossier.verdict, markdown(dossier.verdict)), ""]
    if dossier.attribution:
        lines += [f"- {markdown(reason, 300)}" for reason in dossier.attribution.verdict_reasons] + [""]
        lines += _actors(dossier.attribution)
        lines += _resources(dossier.attribution, dossier.burn_before)
    lines += _findings(dossier)
    if dossier.not_looked_at:
        lines += ["### Not looked at", ""]
        lines += [f"- {markdown(n.what)}: {markdown(n.why, 300)}" for n in dossier.not_looked_at] + [""]
    return without_links("\n".join(lines))


def _facts_first(dossier: Dossier) -> list[str]:
    burn, found = dossier.burn_before, dossier.attribution
    if burn is None:
        return []
    since = f"{found.attack_start:%Y-%m-%d %H:%M} UTC" if found and found.attack_start else "unknown"
    rogue = sum(1 for j in found.resources if j.cls is Class.ATTACKER) if found else 0
    return [
        f"| Money | {burn.currency} |",
        "|:---|---:|",
        f"| **The attacker burns, an hour** | **{burn.rogue_per_hour:,.2f}** |",
        f"| **Lost so far** | **{burn.lost:,.2f}** |",
        f"| All that runs here, an hour | {burn.per_hour:,.2f} |",
        "",
        f"{rogue} resources are the attacker's; the attack began {since}.",
        "",
    ]


def _proof(judgement: Judgement) -> str:
    return "; ".join(f"{r.points:+d} {markdown(r.text, 160)}" for r in judgement.reasons[:4])


def _actors(found: Attribution) -> list[str]:
    suspicious = [j for j in found.actors if j.cls is not Class.LEGITIMATE]
    if not suspicious:
        return []
    lines = ["### Who", ""]
    for j in suspicious[:_MOST]:
        place = f" at {markdown(j.address, 60)}" if j.address else ""
        lines.append(f"- **{markdown(j.id, 80)}**{place}, {j.cls} ({j.score} points): {_proof(j)}")
    return [*lines, ""]


def _resources(found: Attribution, burn: BurnRate | None) -> list[str]:
    theirs = [j for j in found.resources if j.cls is Class.ATTACKER]
    unsure = [j for j in found.resources if j.cls is Class.UNKNOWN]
    lines: list[str] = []
    for title, judged in (
        ("### What is the attacker's", theirs),
        ("### Unknown: never touched without a person", unsure),
    ):
        if not judged:
            continue
        lines += [title, ""]
        prices = burn.per_resource if burn else {}
        ordered = sorted(judged, key=lambda j: (-(prices.get(j.id.lower()) or 0), j.id))
        for j in ordered[:_MOST]:
            kind = "/".join(j.id.split("/")[-3:-1]) if "/providers/" in j.id else "resource group"
            price = prices.get(j.id.lower())
            cost = f", **{money(price, burn.currency)} an hour**" if burn and price else ""
            maker = f", made by {markdown(j.created_by, 60)}" if j.created_by else ""
            lines.append(f"- **{markdown(j.id.rsplit('/', 1)[-1], 60)}** ({markdown(kind)}){cost}{maker}: {_proof(j)}")
        if len(judged) > _MOST:
            lines.append(f"- … {len(judged) - _MOST} more in the report")
        lines.append("")
    return lines


def _spend(dossier: Dossier) -> list[str]:
    spend = dossier.spend
    if spend is None:
        return []
    lines = ["### Spend", "", f"{spend_in_words(spend)}", ""]
    for driver in spend.drivers:
        new = ", nothing before" if driver.new else ""
        name = markdown(driver.name.rsplit("/", 1)[-1] or "none", 80)
        lines.append(f"- {markdown(driver.by)} **{name}**: {money(driver.extra, spend.currency)} more{new}")
    if spend.drivers:
        lines.append("")
    picture = spend_chart(spend)
    if picture is not None:
        lines += [f"![daily spend]({data_uri(picture)})", ""]
    return lines


def _findings(dossier: Dossier) -> list[str]:
    if not dossier.findings:
        return []
    order = {"critical": 0, "high": 1, "medium": 2, "low": 3, "informational": 4}
    lines = ["### Findings", ""]
    for f in sorted(dossier.findings, key=lambda f: (order[str(f.severity)], f.id))[:_MOST]:
        reasons = "; ".join(markdown(r, 140) for r in f.reasons[:3])
        who = " at ".join(markdown(x, 60) for x in (f.actor, f.address) if x)
        proof = f" ({len(f.event_ids)} events)" if f.event_ids else ""
        lines.append(f"- **{f.severity}: {markdown(f.title)}**{f', {who}' if who else ''}: {reasons}{proof}")
    return [*lines, ""]
