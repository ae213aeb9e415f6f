"""The case page: within a minute, what it costs, who did it, what is theirs, where, and since when. Markdown, pure.

The older UI never wraps a table's cells, so what is longer than a few words stands in lists; what is long in number is folded. Pictures go
as data addresses: both UIs strip drawings that stand in the page itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from firebreak.analysis.deeds import Deed, deeds, together
from firebreak.analysis.quota import asked_for, in_words
from firebreak.model.facts import Attribution, BurnRate, Class, Judgement, SpendDriver, SpendFacts
from firebreak.model.finding import Finding, Severity
from firebreak.report.charts import data_uri, spend_chart
from firebreak.report.dossier import Dossier, money, spend_in_words
from firebreak.report.glance import glance, kind_words, kinds
from firebreak.report.graph_picture import graph_picture
from firebreak.report.hostile import markdown
from firebreak.report.map_picture import map_picture
from firebreak.report.places import RegionRow, region_rows, region_title
from firebreak.report.story import story
from firebreak.report.told import failures_section
from firebreak.report.words import counted, terms_in

_MOST = 15  # what is shown before the fold
_REASONS = 4  # of a judgement, the weightiest
_FINDING_REASONS = 3
_FOLDED = 200  # and behind it; the report and the tables have all
_ORDER = {severity: number for number, severity in enumerate(reversed(list(Severity)))}

VERDICTS = {
    "fraud": "**Fraud.** The evidence speaks for a compromise.",
    "legitimate": "**Legitimate.** The evidence speaks for the customer's own work.",
    "not_enough_evidence": "**Not enough evidence** for either; a person has to decide.",
}


def case_page(dossier: Dossier) -> str:
    """Return the page shown as an artifact when the investigation has ended, and refreshed at the end of the run."""
    alert, found = dossier.incident.alert, dossier.attribution
    done = deeds(dossier.activity, found) if dossier.activity and found else ()
    regions = region_rows(dossier, done)
    lines = [f"## {dossier.incident.id}: {markdown(alert.title, 200)}", ""]
    lines += _money(dossier.burn_before, dossier.burn_after)
    lines += [f"- **{label}:** {markdown(text, 500)}" for label, text in glance(dossier, done, regions)] + [""]
    lines += failures_section(dossier.messages)
    lines += _verdict(dossier)
    lines += _map(regions)
    lines += _graph(found, done)
    lines += _spend(dossier)
    if found:
        lines += _actors(found, dossier.incident.id)
        lines += _resources(found, dossier.burn_before)
    lines += _quota(dossier)
    lines += _findings(dossier.findings)
    lines += _story(dossier, done)
    if dossier.not_looked_at:
        lines += ["### Not looked at", ""]
        lines += _folded([f"- {markdown(n.what)}: {markdown(n.why, 300)}" for n in dossier.not_looked_at], "things")
    page = "\n".join(lines)
    terms = [f"- **{term}**: {meaning}" for term, meaning in terms_in(page)]
    return "\n".join([page, *_fold(terms, "What the abbreviations mean")])


def _money(before: BurnRate | None, after: BurnRate | None) -> list[str]:
    if before is None:
        return []
    rows = [
        f"| Money | {before.currency} |",
        "|:---|---:|",
        f"| **The attacker burns, an hour** | **{before.rogue_per_hour:,.2f}** |",
    ]
    if after is not None:
        rows.append(f"| ... and at the last look | {after.rogue_per_hour:,.2f} |")
    rows += [
        f"| **Lost so far** | **{before.lost:,.2f}** |",
        f"| All that runs here, an hour | {before.per_hour:,.2f} |",
        "",
    ]
    if before.unpriced:
        rows += [f"Without a price, so not in these sums: {markdown(', '.join(before.unpriced), 200)}", ""]
    return rows


def _verdict(dossier: Dossier) -> list[str]:
    lines = ["### Proposed verdict", "", VERDICTS.get(dossier.verdict, markdown(dossier.verdict)), ""]
    if dossier.attribution:
        lines += [f"- {markdown(reason, 300)}" for reason in dossier.attribution.verdict_reasons]
    if dossier.not_looked_at:
        lines.append(f"- Not known: {counted(len(dossier.not_looked_at), 'thing')} could not be looked at, see below.")
    return [*lines, ""]


def _map(regions: Sequence[RegionRow]) -> list[str]:
    seen = [row for row in regions if row.is_attacked or row.customers]
    if not seen:
        return []
    lines = ["### Where", "", f"![map of regions]({data_uri(map_picture(regions))})", ""]
    hit = [_region(row) for row in seen if row.is_attacked]
    calm = [f"{markdown(row.title)}: {row.customers}" for row in seen if not row.is_attacked]
    lines += _folded(hit, "regions")
    if calm:
        lines += [
            f"Only the customer's: {', '.join(calm[:12])}{f' and {len(calm) - 12} more' if len(calm) > 12 else ''}.",
            "",
        ]
    return lines


def _region(row: RegionRow) -> str:
    cost = f", {row.per_hour:,.2f} an hour" if row.per_hour else ""
    own = f"; {row.customers} of the customer's" if row.customers else "; nothing of the customer's"
    tried = f"; {counted(row.tried, 'operation')} of the attacker" if row.tried else ""
    return f"- **{markdown(row.title)}**: {row.attackers} of the attacker's{cost}{own}{tried}; {row.free:,} more vCPUs could be started"


def _graph(found: Attribution | None, done: Sequence[Deed]) -> list[str]:
    picture = graph_picture(found, done) if found else ""
    if not picture:
        return []
    lines = ["### What the attacker did", "", f"![graph of actions]({data_uri(picture)})", ""]
    return lines + _folded([_deed(deed) for deed in together(done)], "kinds of deeds")


def _deed(deed: Deed) -> str:
    where = ", ".join(f"{region_title(region)}: {times}" for region, times in deed.regions[:4])
    failed = f", {deed.failed} failed" if deed.failed else ""
    return (
        f"- {deed.first:%m-%d %H:%M}–{deed.last:%H:%M} **{markdown(deed.caller, 60)}** {deed.title}: {counted(deed.count, 'operation')}{failed}"
        f"{f' ({markdown(where)})' if where else ''}{_events(deed.event_ids)}"
    )


def _events(event_ids: Sequence[str]) -> str:
    """The first events that prove something, as they stand in the tables of evidence."""
    if not event_ids:
        return ""
    more = f" and {len(event_ids) - 1} more" if len(event_ids) > 1 else ""
    return f" \\[event {markdown(event_ids[0], 40)}{more}\\]"


def _spend(dossier: Dossier) -> list[str]:
    spend = dossier.spend
    if spend is None:
        return []
    lines = ["### Spend", "", f"{spend_in_words(spend)}", ""]
    picture = spend_chart(spend)
    if picture is not None:
        lines += [f"![daily spend]({data_uri(picture)})", ""]
    for driver in top_drivers(spend):
        new = ", nothing before" if driver.new else ""
        name = markdown(driver.name.rsplit("/", 1)[-1] or "none", 80)
        lines.append(f"- {markdown(driver.by)} **{name}**: {money(driver.extra, spend.currency)} more{new}")
    return [*lines, ""] if spend.drivers else lines


def top_drivers(spend: SpendFacts, most: int = 2) -> list[SpendDriver]:
    """The first few services, regions, resource groups and resources that drive a rise."""
    return [
        d for by in dict.fromkeys(d.by for d in spend.drivers) for d in [o for o in spend.drivers if o.by == by][:most]
    ]


def _proof(judgement: Judgement) -> str:
    """The weightiest reasons, each with the events that prove it, and what the others add up to."""
    shown = [f"{r.points:+d} {markdown(r.text, 160)}{_events(r.event_ids)}" for r in judgement.reasons[:_REASONS]]
    rest = judgement.reasons[_REASONS:]
    if rest:
        shown.append(f"{counted(len(rest), 'more reason')}, {sum(r.points for r in rest):+d} together")
    return "; ".join(shown)


def _all_reasons(incident: str, judged: Iterable[Judgement]) -> list[str]:
    """Where to read the reasons that the page leaves out; nothing where it leaves out none."""
    if not any(len(one.reasons) > _REASONS for one in judged):
        return []
    return [f"All reasons, each with its events: `firebreak incidents report {incident} --format html`.", ""]


def _actors(found: Attribution, incident: str) -> list[str]:
    suspicious = [j for j in found.actors if j.cls is not Class.LEGITIMATE]
    if not suspicious:
        return []
    lines = []
    for j in suspicious:
        place = f" at {markdown(j.address, 60)}" if j.address else ""
        lines.append(f"- **{markdown(j.id, 80)}**{place}, {j.cls} ({j.score} points): {_proof(j)}")
    return ["### Who, and why we think so", "", *_all_reasons(incident, suspicious), *_folded(lines, "sessions")]


def _resources(found: Attribution, burn: BurnRate | None) -> list[str]:
    lines: list[str] = []
    for title, cls in (
        ("### What is the attacker's", Class.ATTACKER),
        ("### Unknown: never touched without a person", Class.UNKNOWN),
    ):
        judged = [j for j in found.resources if j.cls is cls]
        if not judged:
            continue
        prices = burn.per_resource if burn else {}
        ordered = sorted(judged, key=lambda j: (-(prices.get(j.id.lower()) or 0), j.id))
        of_kind = ", ".join(f"{number} {words}" for words, number in kinds(judged))
        lines += [
            title,
            "",
            f"{len(judged)}: {of_kind}.",
            "",
            *_folded([_resource(j, burn) for j in ordered], "resources"),
        ]
    return lines


def _resource(j: Judgement, burn: BurnRate | None) -> str:
    price = burn.per_resource.get(j.id.lower()) if burn else None
    cost = f", **{money(price, burn.currency)} an hour**" if burn and price else ""
    maker = f", made by {markdown(j.created_by, 60)}" if j.created_by else ""
    name = markdown(j.id.rsplit("/", 1)[-1], 60)
    return f"- **{name}** ({markdown(kind_words(j.id)[0])}){cost}{maker}: {_proof(j)}"


def _quota(dossier: Dossier) -> list[str]:
    if dossier.quota is None:
        return []
    rows = asked_for(dossier.quota, dossier.activity)
    if not rows:
        return []
    said = []
    for row in rows:
        who = f" by **{markdown(row.operation.caller, 60)}**" if row.operation else ", who asked is not in the log"
        at = f"{row.at:%m-%d %H:%M} " if row.at else ""
        said.append(f"- {at}{markdown(in_words(row))}{who}")
    return ["### Quota that was asked for", "", *_folded(said, "requests")]


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return []
    ordered = sorted(findings, key=lambda f: (_ORDER[f.severity], f.id))
    count = ", ".join(f"{n} {s}" for s in _ORDER if (n := sum(f.severity is s for f in findings)))
    return [f"### Findings: {count}", "", *_folded([_finding(f) for f in ordered], "findings")]


def _finding(f: Finding) -> str:
    told = [markdown(r, 140) for r in f.reasons[:_FINDING_REASONS]]
    if len(f.reasons) > _FINDING_REASONS:
        told.append(f"{len(f.reasons) - _FINDING_REASONS} more in the report")
    reasons = "; ".join(told)
    who = " at ".join(markdown(x, 60) for x in (f.actor, f.address) if x)
    techniques = f" {', '.join(f.techniques)}" if f.techniques else ""
    return f"- **{f.severity}: {markdown(f.title)}**{f', {who}' if who else ''}: {reasons}{techniques}{_events(f.event_ids)}"


def _story(dossier: Dossier, done: Sequence[Deed]) -> list[str]:
    rows = [
        f"- {row.at:%m-%d %H:%M:%S}{f'–{row.until:%H:%M:%S}' if row.until != row.at else ''} **{row.who}** {markdown(row.text, 300)}"
        for row in story(dossier, done)
    ]
    return ["### Time line (UTC)", "", *_folded(rows, "lines", most=40)] if rows else []


def _folded(lines: Sequence[str], what: str, most: int = _MOST) -> list[str]:
    """The first lines, and behind a fold the others: a page with a thousand findings is still a page."""
    rest = list(lines[most:])
    if not rest:
        return [*lines, ""]
    left_out = [f"- … {len(rest) - _FOLDED} more in the report"] if len(rest) > _FOLDED else []
    return [*lines[:most], "", *_fold([*rest[:_FOLDED], *left_out], f"{len(rest)} more {what}")]


def _fold(lines: Iterable[str], title: str) -> list[str]:
    body = list(lines)
    return ["<details>", f"<summary>{title}</summary>", "", *body, "", "</details>", ""] if body else []
