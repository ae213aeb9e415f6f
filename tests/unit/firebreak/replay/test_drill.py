"""The score sheet: minutes of people and of the machine, money while waiting, what was missed and wrongly hit by the truth."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from firebreak.audit import AuditRecord
from firebreak.model.facts import BurnRate
from firebreak.model.plan import Plan
from firebreak.replay.drill import Sheet, sheet_of, sheet_page
from firebreak.report.dossier import ActionRow, Dossier
from tests.unit.firebreak.execution.builders import (
    NOON,
    machine_id,
    make_action,
    make_incident,
    make_playbook,
    make_small_plan,
)

TRUTH: dict[str, Any] = {
    "verdict": "fraud",
    "rogue_running": [],
    "rogue_left": [],
    "protected_touched": [],
    "legitimate_stopped": [],
    "attacker_access_left": [],
    "comebacks": [],
}
PLAN = make_small_plan(make_action(1, kind="machine.deallocate"), make_action(2, kind="machine.deallocate"))
GATE = f"INC-1.{PLAN.stage}.1"


def record(minute: float, kind: str, who: str = "engine", **data: Any) -> AuditRecord:
    at = (NOON + timedelta(minutes=minute)).isoformat()
    told = {"gate": GATE, "plan_digest": str(PLAN.digest), **data}
    return AuditRecord(seq=1, at=at, incident="INC-1", kind=kind, who=who, data=told, previous="", hash="")


def answered(minute: float, who: str = "Ann", **data: Any) -> AuditRecord:
    return record(minute, "gate.answered", who, **{"accepted": True, "decision": "approve", **data})


def scored(*records: AuditRecord, plan: Plan = PLAN, ended_at: float | None = 16, **truth: Any) -> Sheet:
    stopped = [
        ActionRow(action=action, stage=plan.stage, state="done", ended_at=NOON + timedelta(minutes=ended_at))
        for action in plan.actions
        if ended_at is not None
    ]
    dossier = Dossier(
        incident=make_incident(),
        playbook=make_playbook(),
        state="done",
        made_at=NOON,
        plans=(plan,),
        actions=tuple(stopped),
        burn_before=BurnRate(currency="EUR", rogue_per_hour=Decimal(60)),
    )
    return sheet_of(
        records,
        dossier,
        {**TRUTH, **truth},
        seed=1,
        scenario="x",
        began=NOON,
        ended=NOON + timedelta(minutes=20),
    )


def test_the_time_of_people_is_told_apart_from_the_machines_and_costs_what_ran_meanwhile() -> None:
    sheet = scored(record(4, "gate.opened", required=1), answered(14))
    (gate,) = sheet.gates
    assert (gate.minutes_to_gate, gate.minutes_to_decision, gate.decision, gate.by) == (4, 10, "approve", ("Ann",))
    assert (sheet.minutes, sheet.people_minutes, sheet.machine_minutes, sheet.minutes_to_contain) == (20, 10, 10, 16)
    assert (sheet.lost_while_waiting, sheet.lost_to_the_machine) == (Decimal("10.00"), Decimal("6.00"))
    assert sheet.was_right


def test_waiting_after_the_containment_costs_nothing_more() -> None:
    first = [record(4, "gate.opened", required=1), answered(14)]
    later = [record(17, "gate.opened", gate="INC-1.eradicate.1"), answered(19, gate="INC-1.eradicate.1")]
    sheet = scored(*first, *later)
    assert [gate.waiting_cost for gate in sheet.gates] == [Decimal("10.00"), Decimal("0.00")]
    assert sheet.people_minutes == 12


def test_a_gate_is_decided_by_as_many_people_as_it_needs_and_refused_answers_are_counted() -> None:
    opened = record(1, "gate.opened", required=2)
    wrong = answered(2, accepted=False)
    (gate,) = scored(opened, wrong, answered(3)).gates
    assert (gate.decision, gate.minutes_to_decision, gate.refused_answers) == ("", 19, 1)
    (gate,) = scored(opened, wrong, answered(3), answered(5, "Bo")).gates
    assert (gate.decision, gate.minutes_to_decision, gate.by) == ("approve", 4, ("Ann", "Bo"))


def test_what_was_left_out_though_the_attackers_is_missed_and_says_by_whom() -> None:
    left = answered(14, left_out=[action.id for action in PLAN.actions if action.target == machine_id(1)])
    truth = {"rogue_running": [machine_id(1), machine_id(9)], "rogue_left": [machine_id(1), machine_id(5)]}
    sheet = scored(record(4, "gate.opened"), left, **truth)
    assert [(one.id, one.why, one.is_billed) for one in sheet.missed] == [
        (machine_id(1), "left out by a person", True),
        (machine_id(9), "in no plan, or its action failed", True),
    ]
    assert not sheet.was_right
    assert sheet.minutes_to_contain is None


def test_a_rejected_plan_leaves_what_it_would_have_hit() -> None:
    no = answered(14, decision="reject", reason="no")
    sheet = scored(record(4, "gate.opened"), no, ended_at=None, rogue_running=[machine_id(2)])
    assert [one.why for one in sheet.missed] == ["behind a gate that was not approved"]


def test_a_false_alarm_is_right_only_when_nothing_is_approved_and_costs_nothing() -> None:
    no = answered(14, decision="reject", reason="no")
    sheet = scored(record(4, "gate.opened"), no, ended_at=None, verdict="legitimate")
    assert sheet.was_right
    assert sheet.lost_while_waiting == 0
    hit = [{"id": machine_id(1), "what": "machine changed"}]
    sheet = scored(record(4, "gate.opened"), answered(5), verdict="legitimate", protected_touched=hit)
    assert not sheet.was_right
    assert [one["id"] for one in sheet.wrong] == [machine_id(1)]


def test_the_page_escapes_what_comes_from_azure() -> None:
    hit = [{"id": "/subscriptions/x/<script>alert(1)</script>", "what": "[x](http://evil.example)"}]
    page = sheet_page(scored(record(4, "gate.opened"), answered(5), protected_touched=hit))
    assert "<script>" not in page
    assert "(http://" not in page
