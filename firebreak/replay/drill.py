"""The score sheet of a drill: people's minutes apart from the machine's, what was missed or wrongly hit by the scenario's truth, money. Pure.

Times come from the incident's audit log, what really happened from the embedded Azure's ground truth, which is asked when the drill has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis.running import ENDS_BILLING
from firebreak.audit import AuditRecord
from firebreak.model.plan import Plan
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import markdown

_CENT = Decimal("0.01")
_MOST = 40


class GateTime(msgspec.Struct, frozen=True, kw_only=True):
    """One gate. Minutes since the alert until it asked, and from there to its decision; `waiting_cost` is what ran meanwhile at the attacker's rate.

    `refused_answers` counts wrong codes, late answers and the like. `decision` is "" while nobody decided.
    """

    gate: str
    stage: str
    decision: str
    by: tuple[str, ...]
    minutes_to_gate: float
    minutes_to_decision: float
    refused_answers: int
    left_out: int
    waiting_cost: Decimal


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the attacker's that is left. `why`: left out by a person, behind a gate that was not approved, or not in any plan."""

    id: str
    why: str
    is_billed: bool


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill went. Times in minutes, money in `currency`. `was_right` says whether people acted as the truth asked."""

    seed: int
    scenario: str
    incident: str
    state: str
    truth: str
    was_right: bool
    minutes: float
    people_minutes: float
    machine_minutes: float
    minutes_to_contain: float | None
    gates: tuple[GateTime, ...]
    missed: tuple[Missed, ...]
    wrong: tuple[dict[str, str], ...]
    access_left: tuple[str, ...]
    came_back: int
    currency: str
    attacker_per_hour: Decimal
    lost_while_waiting: Decimal
    lost_to_the_machine: Decimal


def sheet_of(
    records: Sequence[AuditRecord],
    dossier: Dossier,
    truth: Mapping[str, Any],
    *,
    seed: int,
    scenario: str,
    began: datetime,
    ended: datetime,
) -> Sheet:
    """Score a drill whose alert was delivered at `began` and whose run ended at `ended`."""
    is_attack = truth["verdict"] == "fraud"
    burn = dossier.burn_before
    rate = burn.rogue_per_hour if burn is not None and is_attack else Decimal(0)
    stops = [
        a.ended_at for a in dossier.actions if a.is_good and a.action.kind in ENDS_BILLING and a.ended_at is not None
    ]
    # While something of the attacker's is still billed, waiting goes on costing.
    contained = max(stops) if stops and not truth["rogue_running"] else None
    gates = tuple(_gates(records, dossier.plans, began, ended, rate, contained))
    people = sum(gate.minutes_to_decision for gate in gates)
    total = _minutes(began, ended)
    burning = _minutes(began, contained or ended)
    waiting = sum((gate.waiting_cost for gate in gates), Decimal(0))
    approved = [gate for gate in gates if gate.decision == "approve"]
    missed = tuple(_missed(records, dossier, truth))
    wrong = tuple({"id": str(one["id"]), "what": str(one["what"])} for one in truth["protected_touched"])
    wrong += tuple({"id": str(name), "what": "stopped"} for name in truth["legitimate_stopped"])
    right = not wrong and (not any(one.is_billed for one in missed) if is_attack else not approved)
    return Sheet(
        seed=seed,
        scenario=scenario,
        incident=dossier.incident.id,
        state=dossier.state,
        truth=str(truth["verdict"]),
        was_right=right,
        minutes=total,
        people_minutes=round(people, 1),
        machine_minutes=round(max(0.0, total - people), 1),
        minutes_to_contain=_minutes(began, contained) if contained else None,
        gates=gates,
        missed=missed,
        wrong=wrong,
        access_left=tuple(f"{one['caller']}: {one['role']}" for one in truth["attacker_access_left"]),
        came_back=len(truth["comebacks"]),
        currency=burn.currency if burn is not None else "",
        attacker_per_hour=rate,
        lost_while_waiting=waiting.quantize(_CENT),
        lost_to_the_machine=max(Decimal(0), _cost(rate, burning) - waiting).quantize(_CENT),
    )


def _gates(
    records: Iterable[AuditRecord],
    plans: Iterable[Plan],
    began: datetime,
    ended: datetime,
    rate: Decimal,
    contained: datetime | None,
) -> Iterable[GateTime]:
    stages = {str(plan.digest): plan.stage for plan in plans}
    opened: dict[str, AuditRecord] = {}
    answers: dict[str, list[AuditRecord]] = {}
    for record in records:
        gate = str(record.data.get("gate", ""))
        if record.kind == "gate.opened":
            opened.setdefault(gate, record)
        elif record.kind == "gate.answered" and gate in opened:
            answers.setdefault(gate, []).append(record)
    for gate, first in opened.items():
        good = [one for one in answers.get(gate, ()) if one.data.get("accepted")]
        last = good[-1] if good else None
        decision = str(last.data.get("decision", "")) if last else ""
        if decision == "approve" and len(good) < int(first.data.get("required", 1)):
            decision, last = "", None
        asked, decided = _at(first), _at(last) if last else ended
        burning = _minutes(asked, max(asked, min(decided, contained))) if contained else _minutes(asked, decided)
        yield GateTime(
            gate=gate,
            stage=stages.get(str(first.data.get("plan_digest", "")), gate.split(".")[1] if "." in gate else ""),
            decision=decision,
            by=tuple(dict.fromkeys(one.who for one in good)),
            minutes_to_gate=_minutes(began, asked),
            minutes_to_decision=_minutes(asked, decided),
            refused_answers=len(answers.get(gate, ())) - len(good),
            left_out=len({action for one in good for action in one.data.get("left_out", ())}),
            waiting_cost=_cost(rate, burning).quantize(_CENT),
        )


def _missed(records: Iterable[AuditRecord], dossier: Dossier, truth: Mapping[str, Any]) -> Iterable[Missed]:
    """What of the attacker's still costs money, or was to be acted on and was left out or stood behind a gate that nobody approved."""
    targets = {action.id: action.target.lower() for plan in dossier.plans for action in plan.actions}
    said = [one for one in records if one.kind == "gate.answered" and one.data.get("accepted")]
    left_out = {targets.get(str(name), "") for one in said for name in one.data.get("left_out", ())}
    refused = {str(one.data.get("plan_digest")) for one in said if one.data.get("decision") in ("reject", "skip")}
    behind = {a.target.lower() for plan in dossier.plans if plan.digest in refused for a in plan.actions}
    billed = {str(name).lower() for name in truth["rogue_running"]}
    names = {str(name).lower(): str(name) for name in (*truth["rogue_running"], *truth["rogue_left"])}
    for key, name in sorted(names.items()):
        if key in left_out:
            yield Missed(id=name, why="left out by a person", is_billed=key in billed)
        elif key in behind:
            yield Missed(id=name, why="behind a gate that was not approved", is_billed=key in billed)
        elif key in billed:
            yield Missed(id=name, why="in no plan, or its action failed", is_billed=True)


def sheet_json(sheet: Sheet) -> dict[str, Any]:
    """The sheet for machines. Keys may be added, never renamed."""
    return dict(msgspec.to_builtins(sheet))


def sheet_page(sheet: Sheet) -> str:
    """The sheet as Markdown, for the run's page in the Prefect UI and for a file."""
    right = "People acted as the truth asked." if sheet.was_right else "**People did not act as the truth asked.**"
    contained = "never" if sheet.minutes_to_contain is None else f"{sheet.minutes_to_contain:.1f}"
    lines = [
        f"# Score sheet: {markdown(sheet.scenario)}, seed {sheet.seed}",
        "",
        f"The truth: **{'an attack' if sheet.truth == 'fraud' else 'a false alarm'}**. {right} The run ended as {markdown(sheet.state)}.",
        "",
        "| Minutes | |",
        "|:---|---:|",
        f"| from the alert to the end | {sheet.minutes:.1f} |",
        f"| until the attacker's compute had stopped | {contained} |",
        f"| of people | {sheet.people_minutes:.1f} |",
        f"| of the machine | {sheet.machine_minutes:.1f} |",
        "",
        f"| Money | {markdown(sheet.currency)} |",
        "|:---|---:|",
        f"| the attacker burned, an hour | {sheet.attacker_per_hour:,.2f} |",
        f"| lost while people were asked | {sheet.lost_while_waiting:,.2f} |",
        f"| lost while the machine worked | {sheet.lost_to_the_machine:,.2f} |",
        "",
        "| gate | asked after | decided after | decision | by | left out | answers refused | cost of waiting |",
        "|:---|---:|---:|:---|:---|---:|---:|---:|",
    ]
    lines += [
        f"| {markdown(gate.stage)} | {gate.minutes_to_gate:.1f} | {gate.minutes_to_decision:.1f} | {gate.decision or 'nobody decided'} "
        f"| {markdown(', '.join(gate.by))} | {gate.left_out} | {gate.refused_answers} | {gate.waiting_cost:,.2f} |"
        for gate in sheet.gates
    ]
    lines += ["", "## Missed", ""]
    lines += [
        f"- {markdown(one.id, 300)}: {one.why}{', **still billed**' if one.is_billed else ''}"
        for one in sheet.missed[:_MOST]
    ] or ["- nothing"]
    lines += ["", "## Wrongly hit", ""]
    lines += [f"- {markdown(one['id'], 300)}: {markdown(one['what'], 300)}" for one in sheet.wrong[:_MOST]] or [
        "- nothing"
    ]
    if sheet.access_left:
        lines += ["", "## Ways in that are left", ""]
        lines += [f"- {markdown(one, 200)}" for one in sheet.access_left]
    if sheet.came_back:
        lines += ["", f"The attacker came back {sheet.came_back} times."]
    return "\n".join([*lines, ""])


def _at(record: AuditRecord) -> datetime:
    return datetime.fromisoformat(record.at)


def _minutes(since: datetime, until: datetime) -> float:
    return round(max(0.0, (until - since).total_seconds()) / 60, 2)


def _cost(rate: Decimal, minutes: float) -> Decimal:
    return rate * Decimal(str(minutes)) / 60
