"""A person clicks Retry in both versions of the Prefect UI, at each gate: nothing acts twice, and no old approval is used.

The button stands on runs that have ended, so each run is first called failed, as somebody does when its worker died. What is asserted is the
embedded Azure's request log. `tests/fault/test_retries_in_prefect.py` sends what these buttons send, in more situations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from firebreak.approval import GateView
from tests.browser.person import Hands, NewUi, OldUi
from tests.fault.test_retries_in_prefect import count_of, effects, set_state, twice
from tests.flows.stack import Stack, until

pytestmark = [pytest.mark.browser, pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(3000)]

SLOW = 300.0
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with Stack.start(tmp_path / "stack") as stack:
        yield stack


def clicked(page: Page, hands: Hands, stack: Stack, incident: str, stage: str) -> GateView:
    """Call the run failed, click Retry, and return the gate once the run has started again and waits at it."""
    run = stack.flow_run(incident)
    before = count_of(stack, run)
    assert set_state(stack, run, "FAILED", force=True) == "ACCEPT"
    hands.retry(page, stack.running.run_url(run))
    until("the run to have started again", lambda: count_of(stack, run) > before, seconds=SLOW)
    stack.until_asked(incident, stage, seconds=SLOW)
    gate = stack.gate(f"{incident}.{stage}.1")
    assert gate is not None
    return gate


def test_the_retry_buttons_of_both_uis_act_once_and_use_no_old_approval(browser: Browser, stack: Stack) -> None:
    page, uis = browser.new_page(viewport=DESK), (OldUi(), NewUi())
    page.set_default_timeout(60_000)
    incident = str(stack.deliver().json()["incident"])

    # Nobody has answered: it is asked again, and nothing is sent.
    view = stack.until_asked(incident, "contain", seconds=SLOW)
    for hands in uis:
        gate = clicked(page, hands, stack, incident, "contain")
        assert (gate.state, gate.approvals) == ("open", ())
        assert stack.azure.writes() == []

    # What was approved happens once, and the next gate stays shut.
    view = stack.until_asked(incident, "contain", seconds=SLOW)
    assert stack.resume(incident, stack.form(view, code=stack.code()))["status"] == "ACCEPT"
    view = stack.until_asked(incident, "eradicate", seconds=SLOW)
    contained = effects(stack)
    assert any(path.endswith("/deallocate") for _, path in contained)
    assert twice(stack) == {}

    # One of two people has approved: that stays one, whoever clicks.
    half = {**stack.form(view, code=stack.code()), "confirm": view.confirm}
    assert stack.resume(incident, half)["status"] == "ACCEPT"
    stack.until_asked(incident, "eradicate", ask=view.ask + 1, seconds=SLOW)
    for hands in uis:
        gate = clicked(page, hands, stack, incident, "eradicate")
        assert (gate.state, [a.approver for a in gate.approvals]) == ("open", [half["approver"]])
        assert effects(stack) == contained
