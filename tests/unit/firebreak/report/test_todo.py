"""What is left to people: the same item keeps its name, a word settles it, and what Azure must show is not settled by a word."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from firebreak.model.facts import AlertFacts, Attribution, Class, Inventory, Judgement, Machine, SeenAlert
from firebreak.model.finding import NotLookedAt
from firebreak.model.outcome import ActionState
from firebreak.model.todo import Confirmation, Instruction
from firebreak.report.dossier import ActionRow, Dossier
from firebreak.report.prepared import DATA, OCCASIONS
from firebreak.report.todo import all_items
from tests.unit.firebreak.execution.builders import NOON, machine_id, make_action, make_incident, make_playbook

ASKED = Instruction(row="S28", text="Review the subscription", how="Ask the owner.", shows=("accounts", "window"))
THIEF = Judgement(id="mallory@example.com", cls=Class.ATTACKER, score=90, established=True)
RIG = Judgement(id=machine_id(1), cls=Class.ATTACKER, score=90)
RUNS = Machine(id=machine_id(1), name="vm-1", region="eastus", size="s", power="running", vm_id="v")


def dossier(**fields: object) -> Dossier:
    base = {"incident": make_incident(), "playbook": make_playbook(), "state": "done", "made_at": NOON}
    return Dossier(**{**base, **fields})  # type: ignore[arg-type]


def said(item: str, answer: str = "done", minutes: int = 0) -> Confirmation:
    return Confirmation(item=item, answer=answer, by="Ann", at=NOON + timedelta(minutes=minutes))


def test_an_item_keeps_its_name_while_the_rest_changes() -> None:
    found = Attribution(actors=(THIEF,), verdict="fraud")
    first = all_items(dossier(attribution=found))
    second = all_items(dossier(attribution=found, not_looked_at=(NotLookedAt("x", "403"),)))
    assert first[0].id == second[0].id
    assert first[0].id.startswith("identity-")
    assert len({item.id for item in second}) == len(second) == 2


def test_a_confirmation_settles_an_item_and_opening_it_again_puts_it_back() -> None:
    asked = dossier(instructions=(ASKED,))
    assert [item.is_settled for item in all_items(asked)] == [False]
    done = msgspec.structs.replace(asked, confirmations=(said("S28", "expected"),))
    assert [item.is_settled for item in all_items(done)] == [True]
    again = msgspec.structs.replace(asked, confirmations=(said("S28", "expected"), said("S28", "open", 5)))
    assert [item.is_settled for item in all_items(again)] == [False]


def test_no_word_stops_a_machine_that_runs() -> None:
    running = dossier(attribution=Attribution(resources=(RIG,), verdict="fraud"), inventory=Inventory(machines=(RUNS,)))
    (item,) = [item for item in all_items(running) if item.measured]
    assert "STILL RUNNING" in item.text
    confirmed = msgspec.structs.replace(running, confirmations=(said(item.id),))
    (after,) = [item for item in all_items(confirmed) if item.measured]
    assert after.confirmation is not None
    assert not after.is_settled


def test_an_instruction_comes_with_its_data_and_only_on_its_occasion() -> None:
    asks = (ASKED, msgspec.structs.replace(ASKED, row="S26", when="not_listed", shows=("microsoft",)))
    found = Attribution(actors=(THIEF,), verdict="fraud")
    by_id = {item.id: item for item in all_items(dossier(instructions=asks, attribution=found))}
    assert ("attacker's", "mallory@example.com (stolen)") in by_id["S28"].data
    assert by_id["S26"].data == (("Microsoft's list of alerts", "not looked at"),)
    listed = AlertFacts(were_read=True, this_alert=SeenAlert(id="alert-1", status="active"))
    rest = all_items(dossier(instructions=asks, attribution=found, alerts=listed))
    assert "S26" not in {item.id for item in rest}


def test_a_test_alert_asks_nobody_anything() -> None:
    assert all_items(dossier(incident=make_incident(is_test=True), instructions=(ASKED,))) == []


@pytest.mark.parametrize("name", DATA)
def test_data_of_an_incident_of_which_nothing_could_be_read_says_so(name: str) -> None:
    rows = DATA[name][1](dossier())
    assert rows
    if name in ("microsoft", "verdict", "accounts", "resources", "quota"):
        assert "not looked at" in {value for _, value in rows}


@pytest.mark.parametrize("name", OCCASIONS)
def test_every_occasion_can_be_asked_about_any_incident(name: str) -> None:
    words, holds = OCCASIONS[name]
    assert words.startswith(("in ", "when "))
    assert holds(dossier()) in (True, False)


def test_what_is_asked_at_the_end_is_asked_only_then_and_says_how_long_the_alert_took() -> None:
    asked = Instruction(row="S06", text="Addresses", how="Set them.", shows=("arrival",), when="ended")
    running = dossier(instructions=(asked,), state="waiting")
    assert not all_items(running)
    incident = make_incident(detected_at=NOON - timedelta(minutes=95))
    (item,) = all_items(dossier(instructions=(asked,), state="failed", incident=incident))
    assert ("reached Firebreak", f"{NOON:%Y-%m-%d %H:%M} UTC, 95 minutes later") in item.data


def test_who_was_shut_out_is_not_to_be_reset_but_to_be_let_in_again_by_proof() -> None:
    stolen = msgspec.structs.replace(THIEF, principal_id="P-MAL")
    own = Judgement(id="guest@example.com", cls=Class.ATTACKER, score=90, principal_id="p-guest")
    found = Attribution(actors=(stolen, own), verdict="fraud")

    def shut(name: str, **fields: object) -> ActionRow:
        action = make_action(1, kind="user.disable", target=f"/v1.0/users/{name}")
        given = {"action": action, "stage": "close-doors", "state": ActionState.DONE} | fields
        return ActionRow(**given)  # type: ignore[arg-type]

    both = dossier(attribution=found, actions=(shut("p-mal"), shut("p-guest")))
    (item,) = all_items(both)
    assert item.text.startswith("Prove who the owner of mallory@example.com is")
    for undone in (shut("p-mal", taken_back=True), shut("p-mal", state=ActionState.REFUSED, reason="stale")):
        texts = [one.text for one in all_items(dossier(attribution=found, actions=(undone,)))]
        assert any(text.startswith("Revoke the sessions and reset the credentials of mallory") for text in texts)
