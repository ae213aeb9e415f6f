"""What an approver reads at night: money first, what is lost said loudly, one reason said once, and nothing hostile in it acts."""

from decimal import Decimal

import jsonschema
import msgspec
import pytest
from markdown_it import MarkdownIt

from firebreak.model.facts import Attribution, BurnRate
from firebreak.model.plan import Action, NoOp, Plan
from firebreak.model.step import Effect
from firebreak.report.gate_page import choice_label, gate_page
from flows.gate_form import gate_form, left_out_ids
from tests.unit.firebreak.execution.builders import make_action, make_gate, make_incident, make_small_plan

BURN = BurnRate(rogue_per_hour=Decimal(120), per_hour=Decimal("141.28"), lost=Decimal("3206.47"))
PROOF = " (activity log f0f20c71-db6c-43bc-b87d-a8857ac47064, a21a6975-0f33-4d4d-9e24-ebf650b9821b and 1 more)"


def machine(number: int, **fields: object) -> Action:
    given: dict[str, object] = {
        "kind": "machine.deallocate",
        "region": "eastus",
        "per_hour": Decimal(number),
        "reasons": (
            f"Made by mallory at 203.0.113.147, 2026-11-21 01:{number:02d}Z: an attacker's session.{PROOF}",
            f"A size that miners like: Standard_ND{number}.",
        ),
    }
    return make_action(number, **{**given, **fields})  # type: ignore[arg-type]


def page_of(plan: Plan, **fields: object) -> str:
    gate = fields.pop("gate", None) or make_gate()
    return gate_page(plan, make_incident(), gate, burn=BURN, **fields)  # type: ignore[arg-type]


def plan_of(*actions: Action, **fields: object) -> Plan:
    return msgspec.structs.replace(make_small_plan(), actions=actions, **fields)


def test_money_stands_before_everything_but_the_question() -> None:
    page = page_of(plan_of(machine(1)))
    assert page.index("Waiting 10 minutes costs** | **20.00**") < page.index("Can be undone") < page.index("What will")


def test_what_cannot_be_undone_is_a_heading_before_the_actions_and_a_mark_at_each() -> None:
    lost = machine(1, effect=Effect.IRREVERSIBLE, irreversible_because="The disk is gone.")
    page = page_of(plan_of(lost, machine(2)))
    assert page.index("#### ⚠ CANNOT BE UNDONE: 1 of 2 actions") < page.index("1.** The disk is gone.")
    assert page.count("- **⚠ ") == 1


def test_losses_alike_but_for_a_name_are_said_once() -> None:
    lost = [machine(n, effect=Effect.IRREVERSIBLE, irreversible_because=f"Only snapshot-{n} stays.") for n in (1, 2, 3)]
    page = page_of(plan_of(*lost))
    assert "- **Deallocate machine: 3.** Only snapshot-1 stays. The others likewise." in page
    assert "snapshot-2" not in page


def test_many_of_a_kind_are_a_narrow_table_dearest_first_with_reasons_said_once_and_without_ids() -> None:
    page = page_of(plan_of(*(machine(n) for n in range(1, 8))))
    rows = [line for line in page.splitlines() if line.startswith("| **") and "eastus" in line]
    assert [row.split("|")[3].strip() for row in rows] == [f"{n}.00" for n in range(7, 0, -1)]
    assert page.count("Made by mallory at 203.0.113.147: an attacker's session (all)") == 1
    assert "A size that miners like: Standard\\_ND1, Standard\\_ND2, Standard\\_ND3 and 4 more (all)" in page
    assert "activity log" not in page


def test_tables_have_at_most_three_columns_for_a_dialog_and_a_phone() -> None:
    page = page_of(plan_of(*(machine(n) for n in range(1, 8))))
    assert max(line.count("|") for line in page.splitlines() if line.startswith("|")) <= 4


def test_more_actions_than_rows_are_counted() -> None:
    page = page_of(plan_of(*(machine(n) for n in range(210))))
    assert "… and 10 more" in page


def test_what_is_left_alone_is_told_by_reason() -> None:
    alone = [NoOp(step="s", target=f"/x/vm-{n}", reason=f"Made on 2025-0{n}-05, before the window.") for n in (1, 2)]
    page = page_of(plan_of(machine(1), no_ops=tuple(alone)))
    assert "- Made before the window. **vm-1, vm-2**" in page


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/a",
        "www.evil.example",
        "<img src=x onerror=alert(1)>",
        "![a](http://b)",
        "[a](javascript:b)",
    ],
)
def test_hostile_titles_make_no_link_no_picture_and_no_markup(text: str) -> None:
    page = page_of(plan_of(machine(1, title=text, reasons=(text,))))
    shown = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(page)
    assert not any(tag in shown for tag in ("<a ", "<img", "<script"))
    assert "://" not in shown
    assert "www." not in shown


def test_the_form_carries_the_page_for_both_uis_and_locks_the_digest() -> None:
    plan = plan_of(machine(1), machine(2))
    form = gate_form(plan, make_gate(), page="a\n\n| b |\n|---|", approvers=["alice"])
    schema = form.model_json_schema()
    digest = schema["properties"]["plan_digest"]
    assert form._description == "a\n\n| b |\n|---|"
    assert (digest["const"], digest["default"], digest["position"]) == (plan.digest, plan.digest, 0)
    assert digest["allOf"] == [{"description": "a\r\r| b |\r|---|"}]
    assert "description" not in digest  # the new UI would show Markdown as text


def test_an_answer_without_a_decision_or_with_another_digest_does_not_fit_the_form() -> None:
    plan = plan_of(machine(1))
    schema = gate_form(plan, make_gate(), page="", approvers=["alice"]).model_json_schema()
    good = {"decision": "approve", "approver": "alice", "code": "123456", "leave_out": [choice_label(plan.actions[0])]}
    jsonschema.validate(good, schema)
    for bad in (
        {"decision": ""},
        {"plan_digest": "0" * 64},
        {"code": "12345"},
        {"approver": "eve"},
        {"leave_out": ["x"]},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**good, **bad}, schema)


def test_a_form_opened_for_an_earlier_question_does_not_fit_the_form_of_the_present_one() -> None:
    plan = plan_of(machine(1))
    two = gate_form(plan, make_gate(), page="", approvers=["alice"], question="INC-1.contain.1, question 2")
    answer = {"decision": "approve", "approver": "alice", "code": "123456", "question": "INC-1.contain.1, question 1"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(answer, two.model_json_schema())
    jsonschema.validate({**answer, "question": "INC-1.contain.1, question 2"}, two.model_json_schema())


def test_the_page_says_who_may_answer_now_and_later() -> None:
    gate = make_gate(approvers=("responder",), escalate_to=("lead",), escalate_after_minutes=45)
    assert "45 minutes after it was opened, people with role lead may answer" in page_of(plan_of(machine(1)), gate=gate)
    page = page_of(plan_of(machine(1)), gate=gate, escalated=True)
    assert "**Escalated:** people with role lead may answer as well now." in page


@pytest.mark.parametrize(
    ("verdict", "heading"),
    [
        ("fraud", "Why we think it is an attack"),
        ("legitimate", "Why we think it is the customer's own work"),
        ("not_enough_evidence", "What speaks for an attack and what against it"),
    ],
)
def test_the_reasons_stand_under_the_verdict_that_they_are_for(verdict: str, heading: str) -> None:
    found = Attribution(verdict=verdict, verdict_reasons=("A reason.",))
    page = page_of(plan_of(machine(1)), attribution=found)
    assert f"**{heading}**\n\n- A reason." in page
    assert ("we think it is an attack" in page) == (verdict == "fraud")


def test_labels_lead_back_to_their_actions_also_when_names_are_alike() -> None:
    one = machine(1, target="/subscriptions/s/a/fdc6b993-70fa-45f1-bf9d-1f495916422c", title="Remove Owner from x")
    two = machine(2, target="/subscriptions/s/b/fdc6b993-70fa-45f1-bf9d-1f495916422c", title="Remove Owner from x")
    plan = plan_of(one, two)
    labels = [choice_label(a) for a in plan.actions]
    assert len(set(labels)) == 2
    assert all(label.startswith("Remove Owner from x [") for label in labels)
    assert left_out_ids(plan, labels) == (one.id, two.id)


def test_alerts_that_came_since_are_told_the_newest_first_and_counted() -> None:
    assert "came since" not in page_of(plan_of(machine(1)))
    page = page_of(plan_of(machine(1)), joined=[f"Alert {number} (CryptoMining), 04:0{number}Z" for number in range(6)])
    assert "**Alerts that came since it was opened: 6, the newest 4**" in page
    assert page.index("Alert 0") < page.index("Alert 3") < page.index("What will be done")
    assert "Alert 4" not in page
    assert "<b>" not in page_of(plan_of(machine(1)), joined=["<b>x</b> [y](http://z)"])
