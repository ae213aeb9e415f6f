"""A person at the real Prefect UI, in both of its versions and on a phone: reads the plan, leaves a machine out, approves, rejects.

What is asserted in the end is the embedded Azure's own state, never what Firebreak says it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.person import NewUi, OldUi
from tests.browser.running_demo import running_demo

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
ALICE, BOB = "alice@partner.example", "bob@partner.example"
STOPPED = 3  # how `firebreak demo` ends when a person rejected a plan


def machines(plan: dict[str, Any]) -> dict[str, str]:
    """Name to lower-case ARM id of the machines a plan would stop or delete."""
    targets = [a["target"] for a in plan["plan"] if a["kind"] in ("machine.deallocate", "machine.delete")]
    return {target.rsplit("/", 1)[-1]: target.lower() for target in targets}


def label_of(action: dict[str, Any]) -> str:
    """The end of an action's name in the list of what may be left out."""
    return f"[{action['id'].rsplit(':', 1)[-1][:6]}]"


def shows_the_plan(dialog: Locator, plan: dict[str, Any]) -> None:
    """The money, every machine and the digest can be read, and nothing in the page is a link to elsewhere or runs."""
    expect(dialog.get_by_text("Waiting 10 minutes costs").last).to_be_visible()
    for name in machines(plan):
        expect(dialog.get_by_text(name).last).to_be_visible()
    expect(dialog.get_by_text(plan["plan_digest"][:16], exact=True).last).to_be_visible()
    assert dialog.locator("img, script, iframe, a[href^=http]").count() == 0


def test_a_person_answers_in_both_uis_and_azure_shows_it(browser: Browser, album: Any, tmp_path: Path) -> None:
    with running_demo(tmp_path / "demo") as demo:
        run, old = demo.run_page(), OldUi()
        page = browser.new_page(viewport=DESK, color_scheme="light")
        page.set_default_timeout(60_000)
        _skip(demo, old, page, run, "close-doors", shown=lambda: album.keep(page, "first-gate"))
        incident = demo.gate("contain", 1).split(".")[0]

        # The old UI: all but one machine.
        plan, before = demo.plan(f"{incident}.contain.1"), demo.power()
        stays = next(name for name, target in machines(plan).items() if before[target] == "running")
        dialog = old.open(page, run)
        album.keep(page, "gate-v1")
        shows_the_plan(dialog, plan)
        old.choose(page, dialog, "Decision", "approve")
        old.choose(page, dialog, "Approver", ALICE)
        old.choose(page, dialog, "Leave Out", stays)
        old.type(dialog, "Code", demo.code(ALICE))
        album.keep(page, "form-v1")
        old.submit(dialog)
        _skip(demo, old, page, run, "evict")
        demo.gate("eradicate", 1)

        after = demo.power()
        stopped = {target for name, target in machines(plan).items() if name != stays}
        assert after[machines(plan)[stays]] == "running"
        assert {after[target] for target in stopped} == {"deallocated"}
        assert {t: p for t, p in after.items() if t not in stopped} == {
            t: p for t, p in before.items() if t not in stopped
        }

        old_page = _at(browser, run)
        album.keep(old_page, "run-v1")
        old_page.close()
        _case_page(browser, album, run, incident)

        # The new UI: what cannot be undone takes two people and a typed confirmation. The first leaves one thing out ...
        stood, removal = demo.resources(), demo.plan(f"{incident}.eradicate.1")
        kept = next(a for a in removal["plan"] if a["kind"] == "disk.delete")
        new = NewUi()
        dialog = new.open(page, run)
        shows_the_plan(dialog, removal)
        album.keep(page, "gate-v2")
        new.choose(page, dialog, "Decision", "approve")
        new.choose(page, dialog, "Approver", ALICE)
        new.type(dialog, "Confirm", removal["confirm"])
        new.choose(page, dialog, "Leave Out", label_of(kept))
        new.type(dialog, "Code", demo.code(ALICE))
        album.keep(page, "form-v2")
        new.submit(dialog)
        demo.gate("eradicate", 1, question=2)
        assert kept["target"].lower() in demo.resources()

        # ... the second answers on a phone and sees without scrolling sideways what is lost and who has agreed.
        phone = browser.new_page(viewport=PHONE, has_touch=True)
        phone.set_default_timeout(60_000)
        dialog = new.open(phone, run)
        warning = dialog.get_by_text(re.compile("CANNOT BE UNDONE")).last
        expect(warning).to_be_visible()
        expect(dialog.get_by_text(f"Approved so far by {ALICE}").last).to_be_visible()
        assert dialog.evaluate("e => e.scrollWidth <= e.clientWidth")
        warning.scroll_into_view_if_needed()
        album.keep(phone, "phone-v2")
        new.choose(phone, dialog, "Decision", "approve")
        new.choose(phone, dialog, "Approver", BOB)
        new.type(dialog, "Confirm", removal["confirm"])
        new.type(dialog, "Code", demo.code(BOB))
        new.submit(dialog)
        phone.close()
        demo.gate("reduce-quota", 1)
        gone = {a["target"].lower() for a in removal["plan"] if a["kind"].endswith(".delete")} & stood
        assert gone & demo.resources() == {kept["target"].lower()}

        # Back in the old UI: a person has seen enough.
        dialog = old.open(page, run)
        old.choose(page, dialog, "Decision", "reject")
        old.choose(page, dialog, "Approver", ALICE)
        old.type(dialog, "Reason", "The customer changes the limits itself.")
        old.type(dialog, "Code", demo.code(ALICE))
        old.submit(dialog)
        assert demo.process.wait(timeout=90) == STOPPED, demo.said()[-1500:]
        report = demo.home / "reports" / incident / "report.html"
        page.goto(report.as_uri())
        expect(page.get_by_text(incident).first).to_be_visible()
        album.keep(page, "report")


def _skip(demo: Any, old: OldUi, page: Any, run: str, stage: str, shown: Callable[[], object] = lambda: None) -> None:
    """Go on without the stage: its gate is about accounts and may be skipped."""
    confirm = demo.plan(demo.gate(stage, 1))["confirm"]
    dialog = old.open(page, run)
    shown()
    old.choose(page, dialog, "Decision", "skip")
    old.choose(page, dialog, "Approver", BOB)
    if confirm:
        old.type(dialog, "Confirm", confirm)
    old.type(dialog, "Code", demo.code(BOB))
    old.submit(dialog)


def _at(browser: Browser, run: str) -> Any:
    page = browser.new_page(viewport=DESK)
    page.goto(run)
    page.get_by_role("button", name="Resume").first.wait_for(timeout=60_000)
    page.wait_for_timeout(4000)  # the graph is drawn on a canvas
    return page


def _case_page(browser: Browser, album: Any, run: str, incident: str) -> None:
    """The case page, which the run shows as an artifact, has its chart."""
    page = browser.new_page(viewport={"width": 1280, "height": 1100})
    server = run.split("/runs/")[0]
    wanted = {"artifacts": {"key": {"any_": [f"{incident.lower()}-case"]}}, "sort": "CREATED_DESC", "limit": 1}
    (newest,) = page.request.post(f"{server}/api/artifacts/filter", data=wanted).json()
    page.goto(f"{server}/artifacts/artifact/{newest['id']}")
    page.get_by_text("What is the attacker's").first.wait_for(timeout=60_000)
    album.keep(page, "case")
    chart = page.get_by_alt_text("daily spend").first
    chart.scroll_into_view_if_needed()
    assert chart.evaluate("e => e.naturalWidth") > 300
    page.close()
