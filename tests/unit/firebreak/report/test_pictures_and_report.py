"""Map, graph, time line and report: hostile names stay text, much of anything is folded, and every link leads somewhere."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from xml.etree import ElementTree

import msgspec
import pytest

from firebreak.analysis.deeds import deeds
from firebreak.model.facts import (
    ActivityFacts,
    Attribution,
    BurnRate,
    Class,
    Inventory,
    Judgement,
    Operation,
    Reason,
    Resource,
)
from firebreak.model.finding import Finding, NotLookedAt, Severity
from firebreak.report.case_page import case_page
from firebreak.report.dossier import Dossier, EvidenceRow
from firebreak.report.graph_picture import graph_picture
from firebreak.report.html import report_html
from firebreak.report.map_picture import map_picture
from firebreak.report.places import PLACES, RegionRow, region_rows
from firebreak.report.story import story
from tests.unit.firebreak.execution.builders import NOON, SUBSCRIPTION, make_incident, make_playbook

EVIL = '"><script>alert(1)</script><svg onload=x>\u202e]]>&lt;'
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.Compute/disks"


def operation(number: int, **more: object) -> Operation:
    given: dict[str, object] = {
        "id": f"o{number}",
        "name": "Microsoft.Compute/virtualMachines/write",
        "status": "succeeded",
        "at": NOON + timedelta(minutes=number),
        "caller": EVIL,
        "address": EVIL,
        "resource_id": f"{GROUP}/{EVIL}{number}",
        "region": "eastus",
        "event_ids": (f"{EVIL}{number}",),
    }
    return Operation(**{**given, **more})  # type: ignore[arg-type]


def dossier(findings: int = 3, resources: int = 2) -> Dossier:
    who = Judgement(id=EVIL, cls=Class.ATTACKER, score=90, address=EVIL, reasons=(Reason(90, EVIL, (f"{EVIL}1",)),))
    rows = tuple(Resource(id=f"{GROUP}/{EVIL}{n}", type="t", name=EVIL, region="eastus") for n in range(resources))
    theirs = tuple(Judgement(id=row.id, cls=Class.ATTACKER, score=70, reasons=who.reasons) for row in rows)
    own = Resource(id=f"{GROUP}/own", type="t", name="own", region=f"west{EVIL}")
    return Dossier(
        incident=make_incident(title=EVIL),
        playbook=make_playbook(),
        state="done",
        made_at=NOON + timedelta(hours=5),
        activity=ActivityFacts(
            events=9, from_time=NOON, to_time=NOON, window_start=NOON, operations=tuple(operation(n) for n in range(9))
        ),
        attribution=Attribution(
            actors=(who,), resources=theirs, attack_start=NOON, verdict="fraud", verdict_reasons=(EVIL,)
        ),
        inventory=Inventory(resources=(*rows, own)),
        burn_before=BurnRate(rogue_per_hour=Decimal(10), per_resource={rows[0].id.lower(): Decimal(10)})
        if rows
        else None,
        findings=tuple(
            Finding(
                id=f"f{n}",
                step="s",
                title=EVIL,
                severity=Severity.HIGH,
                reasons=(EVIL,),
                event_ids=(f"{EVIL}1", "gone"),
            )
            for n in range(findings)
        ),
        not_looked_at=(NotLookedAt(EVIL, EVIL),),
        evidence=(EvidenceRow(step="investigate.x", at=NOON, method="GET", url=EVIL, status=200, digest="a" * 64),),
    )


def regions(case: Dossier) -> tuple[RegionRow, ...]:
    assert case.activity is not None
    assert case.attribution is not None
    return region_rows(case, deeds(case.activity, case.attribution))


def test_pictures_of_hostile_names_are_well_formed_and_hold_nothing_that_acts() -> None:
    case = dossier()
    assert case.activity is not None
    assert case.attribution is not None
    done = deeds(case.activity, case.attribution)
    for picture in (map_picture(regions(case)), graph_picture(case.attribution, done)):
        tree = ElementTree.fromstring(picture)  # noqa: S314 - our own drawing
        tags = {element.tag.split("}")[1] for element in tree.iter()}
        assert tags <= {"svg", "style", "title", "path", "rect", "circle", "text", "g"}
        assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
        assert "\u202e" not in picture
    assert "alert(1)" in graph_picture(case.attribution, done)


def test_a_region_counts_the_attackers_beside_the_customers_and_one_that_is_not_on_the_map_is_said() -> None:
    rows = {row.region: row for row in regions(dossier(resources=2))}
    assert (rows["eastus"].attackers, rows["eastus"].customers, rows["eastus"].tried) == (2, 0, 9)
    assert rows["eastus"].per_hour == 10
    (own,) = [row for row in rows.values() if row.customers]
    assert own.region not in PLACES
    assert "Not on this map" in map_picture(tuple(rows.values()))


def test_no_mark_of_the_map_hides_another_and_all_stay_on_it() -> None:
    rows = [RegionRow(region=name, title=place.title, attackers=400, customers=400) for name, place in PLACES.items()]
    tree = ElementTree.fromstring(map_picture(rows[:60]))  # noqa: S314 - our own drawing
    circles = [e for e in tree.iter() if e.get("class") == "theirs" and e.get("cx")]
    assert len(circles) == 61  # and one in the legend
    assert len({(e.get("cx"), e.get("cy")) for e in circles}) == 61


def test_without_attackers_there_is_no_graph_and_without_inventory_no_region() -> None:
    assert graph_picture(Attribution(), ()) == ""
    assert region_rows(Dossier(incident=make_incident(), playbook=make_playbook(), state="open", made_at=NOON)) == ()
    assert map_picture(()) == ""


def test_the_time_line_is_one_and_in_order_with_the_alert_and_the_first_trace() -> None:
    case = dossier()
    assert case.activity is not None
    assert case.attribution is not None
    rows = story(case, deeds(case.activity, case.attribution))
    assert [row.at for row in rows] == sorted(row.at for row in rows)
    assert [row.who for row in rows if row.who == "microsoft"]
    (first,) = [row for row in rows if row.text.startswith("First trace of the attacker")]
    assert "9 operations" in first.text
    assert [row.text for row in rows if row.who == "finding"] == [f"high: {EVIL.replace(chr(0x202E), '')}, 3 times"]


@pytest.mark.parametrize("findings", [0, 3, 1000])
def test_every_link_of_the_report_leads_to_a_place_on_it(findings: int) -> None:
    page = report_html(dossier(findings, resources=findings))
    places = re.findall(r' id="([^"]+)"', page)
    assert len(places) == len(set(places))
    links = set(re.findall(r'href="([^"]*)"', page))
    assert links
    assert {link.removeprefix("#") for link in links} <= set(places)
    assert all(link.startswith("#") for link in links)
    assert "<script" not in page
    assert "\u202e" not in page


def test_a_reason_of_the_verdict_leads_to_its_proof() -> None:
    case = dossier(3)
    assert case.attribution
    owner = Judgement(id="ann@c", cls=Class.UNKNOWN, score=5, address="192.0.2.1", reasons=())
    thief = Judgement(id="ann@c", cls=Class.ATTACKER, score=75, address="203.0.113.7", reasons=())
    guessed = msgspec.structs.replace(
        case.findings[0], id="z", title="A password guessed", actor="ann@c", address="203.0.113.7"
    )
    reasons = (
        "For: ann@c from 203.0.113.7 is taken for an attacker (75 points): it is new.",
        "For: 2 resources are theirs.",
        "For: A password guessed: ann@c from 203.0.113.7.",
        "For: 3 more such findings about identities.",
        "Against: ann@c: Multi-factor authentication as usual.",
        "Against: nothing that was looked at speaks for the customer's own work.",
        f"For: {EVIL}",
    )
    judged = msgspec.structs.replace(case.attribution, actors=(owner, thief), verdict_reasons=reasons)
    page = report_html(msgspec.structs.replace(case, attribution=judged, findings=(*case.findings, guessed)))
    part = page[page.index('<h2 id="verdict">') : page.index('<h2 id="todo">')]
    places = [re.findall(r'href="#([^"]+)"', one) for one in re.findall(r"<li>.*?</li>", part)]
    assert places[: len(reasons)] == [["w-2"], ["theirs"], ["f-4"], ["findings"], ["w-1"], [], []]
    for place, words in (("w-2", "203.0.113.7"), ("f-4", "A password guessed")):
        row = page[page.index(f'id="{place}"') :]
        assert words in row[: row.index("</tr>")]


def test_a_thousand_findings_are_folded_and_the_claims_name_their_events() -> None:
    case = dossier(findings=1000, resources=1000)
    page = report_html(case)
    before, _, behind = page.partition("980 more findings")
    assert before.count('<tr id="f-') == 20
    assert behind.count('<tr id="f-') == 980
    assert '<a href="#e-2">e2</a> <code>gone</code>' in page
    assert "a" * 64 in page
    text = case_page(case)
    assert "<summary>985 more findings</summary>" in text
    assert text.count("\n") < 2500
    assert text.count("<details>") == text.count("</details>") > 1


def test_what_was_not_looked_at_is_said_and_never_read_as_nothing() -> None:
    bare = Dossier(incident=make_incident(), playbook=make_playbook(), state="open", made_at=NOON)
    for page in (case_page(bare), report_html(bare)):
        assert "Not judged" in page
        assert "quota was not read" in page
        assert "Not enough evidence" in page
        assert "0.00" not in page


def test_terms_on_the_page_are_explained() -> None:
    page = report_html(dossier())
    words = page.partition('id="words"')[2]
    assert "<dt>UTC</dt>" in words
    assert "<dt>vCPU</dt>" in words
