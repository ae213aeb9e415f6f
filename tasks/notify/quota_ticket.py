"""Ask support to lower the limits that Azure refused to lower by itself. Planned from the outcomes of `harden.reduce_quota`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, QuotaFacts
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks import quota
from tasks.tickets import (
    PERMISSIONS,
    STAYS,
    contact,
    document,
    file_ticket,
    look_at_tickets,
    problem_for,
    severity_of,
    ticket_path,
)
from tasks.words import plain

TICKET = "quota.ticket"

STEP = Step(
    id="notify.quota_ticket",
    title="Ask support to lower refused limits",
    effect=Effect.REVERSIBLE,
    description="Files one quota ticket for the vCPU limits that Azure would not lower by its own interface.",
    permissions=PERMISSIONS,
    guidance=("S70", "S73"),
    needs=(QuotaFacts, Attribution),
    parameters={"severity": "minimal, moderate, critical or highestcriticalimpact; moderate when not given."},
)


def plan(case: Case) -> list[Action | NoOp]:
    target = ticket_path(case, "-quota")
    refused = _refused(case)
    if not refused:
        return [NoOp(step=STEP.id, target=target, reason="Azure refused no change of a limit: no ticket is needed.")]
    people, missing = contact(case)
    problem = problem_for(case, "quota", ("compute-vm", "cores", "vcpu"))
    wanted = "; ".join(f"{one.name} in {one.region} from {one.limit} to {one.wanted}" for one, _ in refused)
    if not people or problem is None:
        why = missing or "No fitting problem classification could be read from Azure support."
        return [NoOp(step=STEP.id, target=target, reason=f"{why} To ask for by hand: {plain(wanted, 1500)}.")]
    text = f"After a compromise ({case.incident.case}) please lower these unused vCPU limits: {plain(wanted, 3000)}."
    body = document(
        problem,
        people,
        title=f"{case.incident.case}: lower vCPU limits after a compromise",
        description=text,
        severity=severity_of(case, STEP.id, "moderate"),
        quotaTicketDetails={
            "quotaChangeRequestVersion": "1.0",
            "quotaChangeRequests": [_change(one) for one, _ in refused],
        },
    )
    return [
        Action(
            id=action_id(STEP.id, TICKET, target),
            step=STEP.id,
            kind=TICKET,
            target=target,
            title=f"Open a support ticket to lower {len(refused)} vCPU limits",
            effect=Effect.REVERSIBLE,
            reasons=tuple(
                f"{one.title or one.name} in {one.region}: {plain(outcome.reason or outcome.state.value, 200)}"
                for one, outcome in refused[:10]
            ),
            params={"document": body},
            irreversible_because=STAYS,
        )
    ]


def _refused(case: Case) -> list[tuple[quota.Reduction, Outcome]]:
    lower, _ = quota.reductions(case)
    found = []
    for one in lower:
        outcome = case.outcomes.get(action_id(quota.STEP_ID, quota.REDUCE, one.target))
        if outcome is not None and outcome.state in (ActionState.FAILED, ActionState.REFUSED):
            found.append((one, outcome))
    return found


def _change(one: quota.Reduction) -> dict[str, Any]:
    # The payload is a JSON text; support reads the series in the form "NCADS_A100_v4 Series".
    series = (one.title or one.name).removesuffix(" vCPUs").removesuffix(" Family").removeprefix("Standard ")
    return {"region": one.region, "payload": json.dumps({"SKU": f"{series} Series", "NewLimit": one.wanted})}


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await look_at_tickets(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await file_ticket(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - one signature for all steps
    """A ticket that was filed stays filed."""
    return NoOp(step=STEP.id, target=action.target, reason=f"Cannot be undone. {STAYS}")
