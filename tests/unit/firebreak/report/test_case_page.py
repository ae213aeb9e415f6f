"""The case page: money and its chart first, long text in lists, hostile names as text."""

from datetime import date, timedelta
from decimal import Decimal

from firebreak.model.facts import Attribution, BurnRate, Class, Judgement, Reason, SpendFacts, SpendSeries
from firebreak.report.case_page import case_page
from firebreak.report.dossier import Dossier
from firebreak.report.html import report_html
from tests.unit.firebreak.execution.builders import NOON, machine_id, make_incident, make_playbook

MADE = Reason(45, "Made by https://evil.example | at 203.0.113.147: an attacker's session.", ("event-1",))


def dossier(**fields: object) -> Dossier:
    theirs = Judgement(id=machine_id(1), cls=Class.ATTACKER, score=45, reasons=(MADE,), created_by="<b>mallory</b>")
    who = Judgement(id="mallory@example.com", cls=Class.ATTACKER, score=45, reasons=(MADE,), address="203.0.113.147")
    given: dict[str, object] = {
        "incident": make_incident(),
        "playbook": make_playbook(),
        "state": "waiting",
        "made_at": NOON,
        "attribution": Attribution(actors=(who,), resources=(theirs,), attack_start=NOON, verdict="fraud"),
        "burn_before": BurnRate(
            rogue_per_hour=Decimal(120), lost=Decimal(3206), per_resource={machine_id(1).lower(): Decimal(12)}
        ),
        "spend": SpendFacts(
            status="anomaly",
            currency="USD",
            start_day=date(2026, 1, 2),
            total=SpendSeries(key=(), days=(date(2026, 1, 1), date(2026, 1, 2)), amounts=(Decimal(1), Decimal(90))),
        ),
    }
    return Dossier(**{**given, **fields})  # type: ignore[arg-type]


def test_money_then_who_what_where_since_then_the_verdict_then_the_rest() -> None:
    page = case_page(dossier())
    order = [
        "**The attacker burns, an hour** | **120.00**",
        "**Lost so far**",
        "**Who:**",
        "**What:**",
        "**Where:**",
        "**Since:**",
    ]
    order += ["**Fraud.**", "data:image/svg+xml", "### Who", "vm-1** ("]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


def test_tables_are_two_short_columns_and_reasons_stand_in_lists() -> None:
    page = case_page(dossier())
    assert all(line.count("|") == 3 for line in page.splitlines() if line.startswith("|"))
    assert "an hour**, made by &lt;b&gt;mallory&lt;/b&gt;: +45 Made by" in page


def test_each_reason_has_its_own_events_and_those_left_out_are_counted_and_can_be_found() -> None:
    reasons = tuple(Reason(points, f"Reason {points}.", (f"event-{points}",)) for points in (35, 30, 25, 20, 10, -15))
    who = Judgement(id="mallory@example.com", cls=Class.ATTACKER, score=105, reasons=reasons)
    page = case_page(dossier(attribution=Attribution(actors=(who,), verdict="fraud")))
    line = next(line for line in page.splitlines() if "attacker (105 points)" in line)
    for points in (35, 30, 25, 20):
        assert f"+{points} Reason {points}. \\[event event-{points}\\]" in line
    assert line.endswith("; 2 more reasons, -5 together")
    assert f"`firebreak incidents report {make_incident().id} --format html`" in page
    html = report_html(dossier(attribution=Attribution(actors=(who,), verdict="fraud")))
    assert all(f"{points:+d} Reason {points}." in html for points in (35, 30, 25, 20, 10, -15))
    assert "firebreak incidents report" not in case_page(dossier())


def test_hostile_text_makes_no_link_and_no_markup() -> None:
    page = case_page(dossier())
    assert "://" not in page.replace("data:image/svg+xml", "")
    assert "<b>" not in page


def test_what_was_not_read_is_left_out_instead_of_shown_as_nothing() -> None:
    page = case_page(dossier(burn_before=None, spend=None, attribution=None))
    assert "Money" not in page
    assert "Spend" not in page
    assert "Not enough evidence" in page


def test_what_the_watch_saw_is_not_called_microsofts() -> None:
    late = NOON + timedelta(hours=28)
    page = case_page(dossier(incident=make_incident(source="aftercare", detected_at=late)))
    assert "The watch after closure saw it 28 hours later." in page
    assert "Microsoft's alert" not in page
    assert "Microsoft's alert came 28 hours later." in case_page(dossier(incident=make_incident(detected_at=late)))
