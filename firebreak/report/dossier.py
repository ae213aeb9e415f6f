"""The dossier: everything about one incident that a report may use, gathered once; renderers are pure over it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.analysis.running import attackers_compute
from firebreak.model.alert import Incident
from firebreak.model.check import Check
from firebreak.model.facts import (
    ActivityFacts,
    AlertFacts,
    Attribution,
    BurnRate,
    Inventory,
    QuotaFacts,
    SpendFacts,
    SubscriptionFacts,
)
from firebreak.model.finding import Finding, NotLookedAt
from firebreak.model.outcome import ActionState
from firebreak.model.plan import GIVES_BACK_TO, UNDOES, Action, NoOp, Plan
from firebreak.model.platform import PlatformCompute
from firebreak.model.playbook import Playbook
from firebreak.model.todo import Confirmation, Instruction, Item
from firebreak.report.told import MessageRow


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the run. `state` is pending, running, done, failed, skipped or planned (dry run)."""

    id: str
    title: str
    stage: str
    state: str
    seconds: float | None = None
    note: str = ""


class ApprovalRow(msgspec.Struct, frozen=True, kw_only=True):
    approver: str
    decision: str
    reason: str
    at: datetime
    channel: str = ""


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    stage: str
    state: str
    plan_digest: str
    required: int
    pre_authorised: str = ""  # by what, when nobody was asked
    approvals: tuple[ApprovalRow, ...] = ()


class ActionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An action with its end. `state` is a journal state, or "planned" in a dry run. `taken_back`: an undo of it stands."""

    action: Action
    stage: str
    state: str
    reason: str = ""
    state_read_back: str = ""
    request_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    taken_back: bool = False

    @property
    def is_good(self) -> bool:
        return self.state in (ActionState.DONE, ActionState.ALREADY_SO)


class UndoRow(msgspec.Struct, frozen=True, kw_only=True):
    """One undo: its own actions with their ends, and what its plan left with the reasons. `state` is that of `firebreak.engine.undos`."""

    number: int
    state: str
    note: str
    requested_by: str
    asked_at: datetime
    plan_digest: str = ""
    gate: str = ""
    actions: tuple[ActionRow, ...] = ()
    left: tuple[NoOp, ...] = ()


class TimelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """One moment: `who` is attacker, responder, approver, engine or customer."""

    at: datetime
    who: str
    kind: str
    id: str
    text: str


class EvidenceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One raw answer that was kept: which step asked what, and the SHA-256 of what came."""

    step: str
    at: datetime
    method: str
    url: str
    status: int
    digest: str


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """All of one incident. Facts are those of the first look unless named `after`."""

    incident: Incident
    playbook: Playbook
    state: str
    note: str = ""
    made_at: datetime
    steps: tuple[StepRow, ...] = ()
    gates: tuple[GateRow, ...] = ()
    plans: tuple[Plan, ...] = ()
    actions: tuple[ActionRow, ...] = ()
    findings: tuple[Finding, ...] = ()
    timeline: tuple[TimelineRow, ...] = ()
    not_looked_at: tuple[NotLookedAt, ...] = ()
    subscription: SubscriptionFacts | None = None
    activity: ActivityFacts | None = None
    alerts: AlertFacts | None = None
    quota: QuotaFacts | None = None
    attribution: Attribution | None = None
    inventory: Inventory | None = None
    spend: SpendFacts | None = None
    burn_before: BurnRate | None = None
    burn_after: BurnRate | None = None
    attribution_after: Attribution | None = None
    inventory_after: Inventory | None = None
    platform: PlatformCompute | None = None
    platform_after: PlatformCompute | None = None
    undos: tuple[UndoRow, ...] = ()
    promises: tuple[tuple[str, str, bool], ...] = ()  # (id, what was checked, held)
    report_files: dict[str, str] = {}
    instructions: tuple[Instruction, ...] = ()  # what the guidance asks of people, in whatever incident
    confirmations: tuple[Confirmation, ...] = ()  # the oldest first; of one item the last counts
    checks: tuple[Check, ...] = ()  # of the last look, findings first
    evidence: tuple[EvidenceRow, ...] = ()  # only for the report's files
    messages: tuple[MessageRow, ...] = ()  # what people were told of it, or were to be told
    todo: tuple[Item, ...] = ()  # what is or was left to people, made of all the rest by `firebreak.report.todo`

    @property
    def verdict(self) -> str:
        return self.attribution.verdict if self.attribution else "not_enough_evidence"

    @property
    def currency(self) -> str:
        return self.burn_before.currency if self.burn_before else "USD"

    @property
    def still_running(self) -> tuple[str, ...]:
        """The attacker's compute that was billed at the last look, by ARM id."""
        judged = self.attribution_after or self.attribution
        seen = self.inventory_after or self.inventory
        if judged is None or seen is None:
            return ()
        return attackers_compute(judged, seen, self.platform_after if self.inventory_after else self.platform)


def money(amount: Decimal | None, currency: str) -> str:
    """`1234.5` as `1,234.50 USD`; an unknown amount says so."""
    return "unknown" if amount is None else f"{amount:,.2f} {currency}"


def run_json(dossier: Dossier) -> dict[str, Any]:
    """The JSON of a run as other programs rely on it. Keys may be added, never renamed."""
    incident = dossier.incident
    before, after = dossier.burn_before, dossier.burn_after
    return {
        "incident": incident.id,
        "state": dossier.state,
        "note": dossier.note,
        "mode": str(incident.mode),
        "playbook": {"id": dossier.playbook.id, "version": dossier.playbook.version, "digest": dossier.playbook.digest},
        "subscription": incident.subscription_id,
        "verdict": dossier.verdict,
        "steps": [
            {"id": s.id, "stage": s.stage, "state": s.state, "seconds": s.seconds, "note": s.note}
            for s in dossier.steps
        ],
        "gates": [
            {
                "id": g.id,
                "stage": g.stage,
                "state": g.state,
                "plan_digest": g.plan_digest,
                "approvers": [a.approver for a in g.approvals if a.decision == "approve"],
                "pre_authorised": bool(g.pre_authorised),
            }
            for g in dossier.gates
        ],
        "plans": [
            {
                "stage": p.stage,
                "round": p.round,
                "digest": p.digest,
                "actions": len(p.actions),
                "problems": list(p.problems),
            }
            for p in dossier.plans
        ],
        "actions": [
            {
                "id": row.action.id,
                "kind": row.action.kind,
                "target": row.action.target,
                "effect": str(row.action.effect),
                "state": row.state,
                "reason": row.reason,
                "why": list(row.action.reasons),
                "stage": row.stage,
                "state_read_back": row.state_read_back,
                "taken_back": row.taken_back,
            }
            for row in dossier.actions
        ],
        "undo": [
            {
                "number": u.number,
                "state": u.state,
                "note": u.note,
                "requested_by": u.requested_by,
                "plan_digest": u.plan_digest,
                "gate": u.gate,
                "actions": [
                    {
                        "id": row.action.id,
                        "undoes": list(row.action.params.get(UNDOES, ())),
                        "gives_back_to": row.action.params.get(GIVES_BACK_TO, ""),
                        "state": row.state,
                    }
                    for row in u.actions
                ],
                "not_undone": [{"target": n.target, "reason": n.reason} for n in u.left],
            }
            for u in dossier.undos
        ],
        "findings": [
            {"id": f.id, "title": f.title, "severity": str(f.severity), "event_ids": list(f.event_ids)}
            for f in dossier.findings
        ],
        "checks": [check_json(check) for check in dossier.checks],
        "cost": {
            "currency": dossier.currency,
            "per_hour_before": str(before.per_hour) if before else None,
            "per_hour_after": str(after.per_hour) if after else None,
            "rogue_per_hour_before": str(before.rogue_per_hour) if before else None,
            "rogue_per_hour_after": str(after.rogue_per_hour) if after else None,
            "lost": str(before.lost) if before else None,
        },
        "still_running": list(dossier.still_running),
        "todo": [item_json(item) for item in dossier.todo],
        "messages": [one.as_json() for one in dossier.messages],
        "not_looked_at": [{"what": n.what, "why": n.why} for n in dossier.not_looked_at],
        "report": {kind: dossier.report_files.get(kind, "") for kind in ("html", "markdown", "json", "csv")},
    }


def check_json(check: Check) -> dict[str, Any]:
    """One check for machines."""
    return {
        "id": check.id,
        "guidance": check.row,
        "step": check.step,
        "title": check.title,
        "status": str(check.status),
        "reason": check.reason,
        "evidence": list(check.evidence),
        "advice": check.advice,
    }


def item_json(item: Item) -> dict[str, Any]:
    """One thing left to people, for machines. `state` is open or confirmed."""
    said = item.confirmation
    return {
        "id": item.id,
        "state": "confirmed" if item.is_settled else "open",
        "text": item.text,
        "how": item.how,
        "data": [{"label": label, "value": value} for label, value in item.data],
        "answers": list(item.answers),
        "guidance": item.row,
        "confirmed": {"by": said.by, "at": said.at.isoformat(), "answer": said.answer, "note": said.note}
        if said
        else None,
    }


def spend_in_words(spend: SpendFacts) -> str:
    """One or two sentences on the spend: since when, how much too much so far, which days are not complete yet."""
    said = {
        "ok": "Spend is within its usual course.",
        "anomaly": f"Spend is unusual since {spend.start_day}: {money(spend.extra_spend, spend.currency)} more than expected so far.",
        "too_little_history": "Too little cost history to judge spend.",
        "not_read": "Spend could not be read.",
    }.get(spend.status, spend.status)
    if not spend.incomplete_days:
        return said
    days = ", ".join(str(day) for day in spend.incomplete_days)
    return f"{said} Not yet complete: {days}."
