"""Gather one incident's dossier from the store: what the report, the case page and the JSON are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from firebreak.approval import confirmations_of
from firebreak.engine.messages import messages_of
from firebreak.engine.undos import undos_of
from firebreak.execution import Journal
from firebreak.execution.undo import standing
from firebreak.model.check import Check, Checked, checks_in
from firebreak.model.facts import (
    ActivityFacts,
    AlertFacts,
    Attribution,
    BurnRate,
    Class,
    Inventory,
    QuotaFacts,
    SpendFacts,
    SubscriptionFacts,
)
from firebreak.model.plan import UNDO, Plan
from firebreak.model.platform import PlatformCompute
from firebreak.report.dossier import ActionRow, ApprovalRow, Dossier, GateRow, StepRow, TimelineRow, UndoRow
from firebreak.report.todo import all_items

if TYPE_CHECKING:
    from firebreak.engine.engine import Engine

_MOST_ATTACKER_ROWS = 200


def gather(engine: Engine, last_round: int) -> Dossier:
    """Return the dossier with the first look as "before" and round `last_round` as "after"."""
    store, incident = engine.room.store, engine.incident
    row = store.incidents.row(incident.id)
    first, last = engine.case(1), engine.case(last_round)
    again = last_round > 1
    plans = tuple(store.plans.load(digest) for _, _, digest in store.plans.list(incident.id))
    actions = _actions(engine, plans)
    gates = _gates(engine)
    dossier = Dossier(
        incident=incident,
        playbook=engine.playbook,
        state=row.state,
        note=row.note,
        made_at=engine.room.clock(),
        steps=_steps(engine),
        gates=gates,
        plans=plans,
        actions=actions,
        findings=store.facts.findings(incident.id, 1),
        timeline=_timeline(engine, first.get(ActivityFacts), first.get(Attribution), actions),
        not_looked_at=engine.not_looked_at(last_round),
        subscription=first.get(SubscriptionFacts),
        activity=first.get(ActivityFacts),
        alerts=first.get(AlertFacts),
        quota=first.get(QuotaFacts),
        attribution=first.get(Attribution),
        inventory=first.get(Inventory),
        platform=first.get(PlatformCompute),
        spend=first.get(SpendFacts),
        burn_before=first.get(BurnRate),
        burn_after=last.get(BurnRate) if again else None,
        attribution_after=last.get(Attribution) if again else None,
        inventory_after=last.get(Inventory) if again else None,
        platform_after=last.get(PlatformCompute) if again else None,
        undos=_undos(engine, actions),
        promises=_promises(engine, plans, actions, gates),
        report_files=store.values.get(incident.id, "report", {}),
        instructions=tuple(engine.room.instructions),
        confirmations=confirmations_of(engine.room.audit, incident.id),
        checks=checks_of(engine, last_round),
        messages=messages_of(engine.room.audit.records(incident.id)),
    )
    return msgspec.structs.replace(dossier, todo=tuple(all_items(dossier)))


def checks_of(engine: Engine, number: int) -> tuple[Check, ...]:
    """The checks of a round, findings first."""
    case = engine.case(number)
    kinds = {loaded.step.produces for loaded in engine.room.steps.values()}
    return checks_in(case.get(kind) for kind in kinds if kind is not None and issubclass(kind, Checked))


def _steps(engine: Engine) -> tuple[StepRow, ...]:
    """Every step of the playbook once, with its newest record; steps not reached yet are pending."""
    newest: dict[tuple[str, str], Any] = {}
    for record in engine.room.store.steps.list(engine.incident.id):
        key = (record.stage, record.step)
        if record.state != "skipped" or key not in newest:
            newest[key] = record
    rows = []
    for stage in engine.playbook.stages:
        for step in stage.steps:
            found = newest.get((stage.id, step))
            rows.append(
                StepRow(
                    id=step,
                    title=engine.title(step),
                    stage=stage.id,
                    state=found.state if found else "pending",
                    seconds=round(found.seconds, 3) if found and found.seconds is not None else None,
                    note=found.note if found else "",
                )
            )
    return tuple(rows)


def _actions(engine: Engine, plans: tuple[Plan, ...]) -> tuple[ActionRow, ...]:
    journal = Journal(engine.room.store, engine.room.audit, engine.room.clock).rows(engine.incident.id)
    outcomes = {row.action.id: row.outcome for row in journal if row.state.is_final}
    stands = standing(journal)
    rows: dict[str, ActionRow] = {}
    for plan in plans:
        for action in plan.actions:
            ended = outcomes.get(action.id)
            rows[action.id] = ActionRow(
                action=action,
                stage=plan.stage,
                state=str(ended.state) if ended else "planned",
                reason=ended.reason if ended else "",
                state_read_back=ended.state_read_back if ended else "",
                request_id=ended.request_id if ended else "",
                started_at=ended.started_at if ended else None,
                ended_at=ended.ended_at if ended else None,
                taken_back=not stands.get(action.id, True),
            )
    return tuple(rows.values())


def _undos(engine: Engine, actions: tuple[ActionRow, ...]) -> tuple[UndoRow, ...]:
    store, incident = engine.room.store, engine.incident.id
    by_id = {row.action.id: row for row in actions}
    rows = []
    for undo in undos_of(store, incident):
        digest = store.plans.for_stage(incident, UNDO, undo.number)
        plan = store.plans.load(digest) if digest is not None else None
        rows.append(
            UndoRow(
                number=undo.number,
                state=undo.state,
                note=undo.note,
                requested_by=undo.requested_by,
                asked_at=undo.asked_at,
                plan_digest=digest or "",
                gate=f"{incident}.{UNDO}.{undo.number}" if plan is not None and plan.actions else "",
                actions=tuple(by_id[action.id] for action in plan.actions) if plan is not None else (),
                left=plan.no_ops if plan is not None else (),
            )
        )
    return tuple(rows)


def _gates(engine: Engine) -> tuple[GateRow, ...]:
    rows = []
    for view in reversed([v for v in engine.desk.list() if v.incident == engine.incident.id]):
        answers = [
            ApprovalRow(approver=a.approver, decision="approve", reason=a.reason, at=a.at, channel=a.channel)
            for a in view.approvals
        ]
        if view.closed_by and view.state in ("rejected", "skipped"):
            decision = "reject" if view.state == "rejected" else "skip"
            at = answers[-1].at if answers else view.opened_at
            answers.append(ApprovalRow(approver=view.closed_by, decision=decision, reason=view.closing_reason, at=at))
        rows.append(
            GateRow(
                id=view.id,
                stage=view.stage,
                state=view.state,
                plan_digest=view.plan_digest,
                required=view.required,
                pre_authorised=next((a.approver for a in view.approvals if a.pre_authorised), ""),
                approvals=tuple(answers),
            )
        )
    return tuple(rows)


def _timeline(
    engine: Engine, activity: ActivityFacts | None, found: Attribution | None, actions: tuple[ActionRow, ...]
) -> tuple[TimelineRow, ...]:
    rows = _attacker_rows(activity, found)
    titles = {row.action.id: row.action.title for row in actions}
    for record in engine.room.audit.records(engine.incident.id):
        text = _in_words(record.kind, record.who, record.data, titles)
        if text:
            thing = record.data.get("action") or record.data.get("gate") or record.data.get("stage") or record.seq
            rows.append(
                TimelineRow(
                    at=datetime.fromisoformat(record.at),
                    who=_whose(record.kind),
                    kind=record.kind,
                    id=str(thing),
                    text=text,
                )
            )
    return tuple(sorted(rows, key=lambda r: r.at))


def _in_words(kind: str, who: str, data: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """One audit record as a sentence; "" for those that say nothing a reader of the report needs."""
    said = {name: str(value) for name, value in data.items()}
    match kind:
        case "incident.opened":
            return f"Incident opened for alert {said.get('type')} by {who}, playbook {said.get('playbook')}, {said.get('mode')}"
        case "alert.joined":
            return f"Another alert about the subscription joins: {said.get('title')} ({said.get('type')}, from {said.get('source')})"
        case "incident.reopened":
            return f"It came back and is responded to as {said.get('as')}: {'; '.join(data.get('signs', ()))}"
        case "plan.made":
            return f"Plan made for {said.get('stage')}, round {said.get('round')}; actions: {said.get('actions')}"
        case "plan.refused":
            return f"Plan for {said.get('stage')} refused: {said.get('problems')}"
        case "gate.opened":
            return f"Gate {said.get('gate')} asks; approvals needed: {said.get('required')}"
        case "gate.pre_authorised":
            return f"Gate {said.get('gate')}: nobody was asked; playbook {said.get('playbook')} pre-authorises its {said.get('actions')} actions and the operator switched it on"
        case "gate.not_pre_authorised":
            return f"Gate {said.get('gate')} asks people although something is pre-authorised: {said.get('because')}"
        case "stage.put_off":
            return f"Stage {said.get('stage')} is put off until after {said.get('behind')}, which needs nobody as playbook and operator said beforehand"
        case "gate.reminded":
            return f"Gate {said.get('gate')} still waits; people are reminded"
        case "gate.escalated":
            return f"Gate {said.get('gate')} escalates; role {' or '.join(data.get('roles', ()))} may answer as well"
        case "gate.expired":
            return f"Gate {said.get('gate')} expired without enough answers; it asks again"
        case "gate.answered":
            ended = (
                "accepted" if data.get("accepted") else f"refused ({said.get('refused_because', '').replace('_', ' ')})"
            )
            return f"{who} answers {said.get('gate')} with {said.get('decision')}: {ended}"
        case "item.confirmed":
            if not data.get("accepted"):
                return f"{who} tries to confirm {said.get('item')}: refused ({said.get('refused_because', '').replace('_', ' ')})"
            note = f" ({said['note']})" if said.get("note") else ""
            return f"{who} on {said.get('item')}, {said.get('text')}: {said.get('answer', '').replace('_', ' ')}{note}"
        case "execution.began":
            return f"Carrying out {said.get('gate')}; actions: {said.get('actions')}"
        case "action.started":
            return f"{titles.get(said.get('action', ''), said.get('action'))}: request sent"
        case "action.ended":
            because = f" ({said['reason']})" if said.get("reason") else ""
            back = f", read back {said['read_back']}" if said.get("read_back") else ""
            return f"{titles.get(said.get('action', ''), said.get('action'))}: {said.get('state', '').replace('_', ' ')}{back}{because}"
        case "undo.requested":
            return f"{who} asks for undo {said.get('undo')}"
        case "undo.ended":
            return f"Undo {said.get('undo')} ended: {said.get('state')}, {said.get('note')}"
        case "run.failed":
            return f"The run ended with an error: {said.get('message')}"
        case _:
            return ""


def _whose(kind: str) -> str:
    return {"gate.answered": "approver", "item.confirmed": "responder"}.get(kind, "engine")


def _attacker_rows(activity: ActivityFacts | None, found: Attribution | None) -> list[TimelineRow]:
    if activity is None or found is None:
        return []
    rogue = {j.id.lower() for j in found.resources if j.cls is Class.ATTACKER}
    mine = {o.id: o for o in activity.creators.values() if o.resource_id.lower() in rogue}
    proven = {event for j in found.actors if j.cls is Class.ATTACKER for r in j.reasons for event in r.event_ids}
    mine |= {o.id: o for o in activity.operations if proven & set(o.event_ids)}
    rows = [
        TimelineRow(
            at=o.at,
            who="attacker",
            kind="activity",
            id=o.id,
            text=f"{o.name} {o.status}: {o.resource_id.rsplit('/', 1)[-1]} in {o.region or 'no region'} by {o.caller or 'unknown'} from {o.address or 'unknown'}",
        )
        for o in sorted(mine.values(), key=lambda o: (o.at, o.id))
    ]
    return rows[:_MOST_ATTACKER_ROWS]


def _promises(
    engine: Engine, plans: tuple[Plan, ...], actions: tuple[ActionRow, ...], gates: tuple[GateRow, ...]
) -> tuple[tuple[str, str, bool], ...]:
    """What can be checked from the record of this run alone."""
    if not engine.incident.mode.may_write:
        return (("P2", "No action of this run was started.", all(a.state == "planned" for a in actions)),)
    approved = {g.plan_digest for g in gates if g.state == "approved"}
    started = {a.action.id for a in actions if a.started_at is not None}
    allowed = {a.id for p in plans if p.digest in approved for a in p.actions}
    people = {g.id: {a.approver for a in g.approvals if a.decision == "approve"} for g in gates}
    compute = [a for a in actions if a.action.kind in ("machine.deallocate", "scale_set.deallocate") and a.is_good]
    blocked = [a.ended_at for a in actions if a.action.kind == "policy.deny_creation" and a.is_good and a.ended_at]
    begun = [a.started_at for a in compute if a.started_at]
    return (
        ("P1", "Every action that was started belongs to a plan that was approved.", started <= allowed),
        (
            "P6",
            "Every approved gate has the number of different people it asks for, or was pre-authorised by playbook and operator.",
            all(g.pre_authorised or len(people[g.id]) >= g.required for g in gates if g.state == "approved"),
        ),
        (
            "P8",
            "Every machine that was deallocated was read back as deallocated.",
            all("deallocated" in a.state_read_back or a.state_read_back == "absent" for a in compute),
        ),
        (
            "P9",
            "New compute was blocked before compute was stopped.",
            not begun or bool(blocked and min(blocked) <= min(begun)),
        ),
        ("P10", "The audit chain of this run adds up.", bool(engine.room.audit.records(engine.incident.id))),
    )
