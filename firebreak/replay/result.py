"""What a replay came to: the plans of now, how they differ from those of then, and how they fare against the ground truth. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from firebreak import __version__
from firebreak.bundle import Acceptance, AcceptedPlan, Bundle, Concluded
from firebreak.clients.playback import Missing
from firebreak.model.canonical import digest_of
from firebreak.model.plan import Action, Plan
from firebreak.replay.answers import Policy
from firebreak.replay.concluded import ConclusionChange, concluded_of, conclusions_changed
from firebreak.replay.differences import PlanChange, compare
from firebreak.replay.past import Past, Point
from firebreak.replay.score import Score, score
from firebreak.replay.staged import Staged
from firebreak.replay.world.result import WhatIf, what_if_json
from firebreak.report.dossier import Dossier, run_json


@dataclass(frozen=True)
class Replayed:
    """One replay. `against` says what its plans were compared with: decided or accepted. `why_open` are gates without an answer, and why.

    `conclusions` are what the investigation concluded otherwise than was accepted; nothing where no conclusions were accepted.
    """

    name: str
    bundle: Bundle
    past: Past
    policy: Policy
    dossier: Dossier
    plans: Mapping[Point, Plan]
    changes: tuple[PlanChange, ...]
    concluded: Concluded
    conclusions: tuple[ConclusionChange, ...]
    against: str
    score: Score | None
    missing: tuple[Missing, ...]
    why_open: Mapping[str, str]
    what_if: WhatIf | None = None

    @property
    def is_changed(self) -> bool:
        return bool(self.conclusions) or any(change.is_change for change in self.changes)

    @property
    def plan_digest(self) -> str:
        """One digest over all plans of the replay."""
        return digest_of([[point.stage, point.attempt, plan.digest] for point, plan in self.plans.items()])

    def acceptance(self, **told: Any) -> Acceptance:
        """The record of somebody accepting these plans; `told` has at, who and reason."""
        book = self.dossier.playbook
        return Acceptance(
            engine_version=__version__,
            playbook=book.id,
            playbook_version=book.version,
            playbook_digest=book.digest,
            decide=self.policy.value,
            plans=tuple(
                AcceptedPlan(stage=point.stage, attempt=point.attempt, digest=plan.digest, actions=len(plan.actions))
                for point, plan in self.plans.items()
            ),
            concluded=self.concluded,
            **told,
        )


def result_of(name: str, staged: Staged, policy: Policy, dossier: Dossier) -> Replayed:
    """Put together what a replay came to, against the plans that were accepted last, else those that were decided then."""
    bundle, past = staged.bundle, staged.past
    plans = {Point(plan.stage, plan.round): plan for plan in dossier.plans}
    accepted = bundle.accepted
    then: Mapping[Point, Plan] = past.plans
    if accepted is not None:
        then = {Point(one.stage, one.attempt): accepted.plans[one.digest] for one in accepted.last.plans}
    # A policy that rejects stops the run at its first gate; that the plans behind it are missing says nothing of them.
    reached = policy is Policy.RECORDED or dossier.state != "stopped"
    concluded = concluded_of(dossier)
    return Replayed(
        name=name,
        bundle=bundle,
        past=past,
        policy=policy,
        dossier=dossier,
        plans=plans,
        changes=compare(then, plans, reached=reached),
        concluded=concluded,
        conclusions=conclusions_changed(accepted.last.concluded if accepted else None, concluded),
        against="accepted" if accepted is not None else "decided",
        score=score(bundle.expected, _chosen(staged, plans), dossier.attribution) if bundle.expected else None,
        missing=staged.missing,
        why_open=staged.desk.why_open,
    )


def _chosen(staged: Staged, plans: Mapping[Point, Plan]) -> list[Action]:
    """The actions that would be carried out: what the gates approved, and where nobody answered all that a gate asks in earnest."""
    chosen = []
    for view in staged.desk.list():
        plan = plans.get(Point(view.stage, view.round))
        if plan is None or view.state in ("rejected", "skipped") or (view.state == "open" and view.optional):
            continue
        left_out = {action for approval in view.approvals for action in approval.left_out}
        chosen += [action for action in plan.actions if action.id not in left_out]
    return chosen


def result_json(one: Replayed) -> dict[str, Any]:
    """The JSON of a replay: that of any run, and what the replay adds. Keys may be added, never renamed."""
    head, found = one.bundle.head, run_json(one.dossier)
    ends = {row.action.id: row for rows in one.past.rows.values() for row in rows}
    for action in found["actions"]:
        then = ends.get(action["id"])
        action["then"] = then.state.value if then else None
    for gate in found["gates"]:
        gate["why_open"] = one.why_open.get(gate["id"], "")
    accepted = one.bundle.accepted
    return {
        "bundle": one.name,
        **found,
        "decide": one.policy.value,
        "recorded": {
            "incident": head.incident.id,
            "mode": head.incident.mode,
            "state": head.incident.state,
            "opened_at": head.incident.opened_at,
            "engine_version": head.engine_version,
            "playbook": {"id": head.playbook.id, "version": head.playbook.version, "digest": head.playbook.digest},
            "rounds": len(one.past.rounds),
        },
        "plan_digest": one.plan_digest,
        "changed": one.is_changed,
        "compared_with": one.against,
        "diff": [{**msgspec.to_builtins(change), "changed": change.is_change} for change in one.changes],
        "concluded": {
            **msgspec.to_builtins(one.concluded),
            "changed": [msgspec.to_builtins(change) for change in one.conclusions],
        },
        "score": _score_json(one.score),
        "what_if": what_if_json(one.what_if) if one.what_if else None,
        "not_recorded": [msgspec.to_builtins(missing) for missing in one.missing],
        "accepted": msgspec.to_builtins(accepted.last) if accepted else None,
    }


def _score_json(found: Score | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = msgspec.to_builtins(found)
    shares = {name: None if told[name] is None else float(told[name]) for name in ("precision", "recall")}
    return {**told, **shares}
