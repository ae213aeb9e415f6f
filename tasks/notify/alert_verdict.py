"""Tell Microsoft the verdict on the partner alerts of this subscription. A status records it only: nothing in Azure changes.

The verdict is the proposed one, or the one that a person confirmed with a code (item S03). Each alert is read right before it is written, and
Graph is given the version that was read, so that an answer somebody else gave meanwhile is never overwritten.

https://learn.microsoft.com/graph/api/partner-security-partnersecurityalert-update
https://learn.microsoft.com/partner-center/developer/update-fraud-events-status
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from firebreak.analysis.running import ENDS_BILLING, attackers_compute
from firebreak.errors import ScopeError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import AlertFacts, Attribution, Inventory, SeenAlert
from firebreak.model.plan import NEEDS_TWO, Action, NoOp, action_id
from firebreak.model.platform import PlatformCompute
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import text_at
from tasks.judged import newest_outcome
from tasks.platform import STOPPED_BY
from tasks.requests import request_id
from tasks.words import SENTENCE, name_of, plain

RESOLVE, RESOLVE_EVENT = "alert.resolve", "fraud_event.resolve"
STAYS = "Microsoft was told, and keeps the history of the alert: correct the verdict in Partner Center."
ALERTS, EVENTS = "/beta/security/partner/securityAlerts", "/v1/fraudEvents"
DECIDED = "S03"  # the item in which a person says what the signal is
IGNORE = "ignore"
_GRAPH_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # opaque to us, but a plain path segment
_EVENT_ID = re.compile(r"[0-9a-fA-F-]{36}_[0-9a-fA-F-]{36}")
_REASONS = ("fraud", "legitimate")
_STOPPING = ("contain.deallocate_machines", "contain.deallocate_scale_sets", *sorted(set(STOPPED_BY.values())))
_STOPS = tuple((step, kind) for step in _STOPPING for kind in ENDS_BILLING)
_YOUNG_DAYS = 30

STEP = Step(
    id="notify.alert_verdict",
    title="Resolve the partner alert with the verdict",
    effect=Effect.REVERSIBLE,
    description=(
        "Sets Microsoft's open alerts about the subscription to resolved with the reason fraud or legitimate, once nothing of the attacker's "
        "runs. 'ignore' is never proposed; a person may say it, and for a young alert two have to approve it."
    ),
    graph_permissions=("PartnerSecurity.ReadWrite.All",),
    guidance=("S17", "S23", "S29", "S30"),
    needs=(Attribution,),
    parameters={"young_days": "Days for which the answer 'ignore' needs two people (default 30)."},
)


def plan(case: Case) -> list[Action | NoOp]:
    alert, verdict = case.incident.alert, _verdict(case)
    own = _graph_id(case)
    target = f"{ALERTS}/{own or alert.id}"
    event = alert.details.get("fraud_event_id", "") if alert.source == "fraud-events" and not own else ""
    if event:
        target = f"{EVENTS}/{event}"
    keep = _why_not(case, verdict) or _why_no_place(case, own, event, verdict)
    if keep:
        return [NoOp(step=STEP.id, target=target, reason=keep)]
    found: list[Action | NoOp] = [_resolve_event(case, event, verdict) if event else _resolve(case, target, verdict)]
    for other in _others(case, own):
        found.append(_resolve(case, f"{ALERTS}/{other.id}", verdict, about=other))
    return found


def _verdict(case: Case) -> str:
    """What a person confirmed, else what the evidence proposes."""
    said = case.said.get(DECIDED, "")
    return said if said in (*_REASONS, IGNORE) else case[Attribution].verdict


def _graph_id(case: Case) -> str:
    """The alert's id in Graph: its own, or that of the alert that Microsoft lists for it."""
    alert, facts = case.incident.alert, case.get(AlertFacts)
    if alert.source == "graph":
        return alert.id
    listed = facts.this_alert.id if facts is not None and facts.this_alert is not None else ""
    return alert.details.get("graph_alert_id", "") or listed


def _why_not(case: Case, verdict: str) -> str:
    """Why Microsoft is told nothing yet, "" when it may be."""
    if case.incident.alert.is_test:
        return "Test alert: its status is left as it is."
    if case.said.get(DECIDED) == "undecided":
        return "A person confirmed that it is undecided: say fraud, legitimate or ignore to item S03, or resolve it in Partner Center."
    if verdict not in (*_REASONS, IGNORE) or (verdict == IGNORE and case.said.get(DECIDED) != IGNORE):
        return f"The proposed verdict is {plain(verdict, 40)}: a person decides and resolves it."
    if case.get(Inventory) is None:
        return "The inventory was not read, so nobody knows what still runs: a person looks and resolves it."
    if running := _still_running(case):
        more = f", and {len(running) - 1} more." if len(running) > 1 else "."
        return f"Not over yet: {name_of(running[0])} of the attacker still runs{more}"
    return ""


def _why_no_place(case: Case, own: str, event: str, verdict: str) -> str:
    """Why there is nothing that could be answered, "" when there is."""
    alert, facts = case.incident.alert, case.get(AlertFacts)
    if event:
        if not _EVENT_ID.fullmatch(event) or not event.lower().startswith(f"{alert.subscription_id}_"):
            return "The fraud event has no usable id: resolve it in Partner Center."
        if verdict == "legitimate":
            return "FraudEvents takes no answer 'legitimate': resolve it in Partner Center, or when Graph can be read."
        return ""
    if not _GRAPH_ID.fullmatch(own):
        return f"The alert came from {plain(alert.source, 40)} and has no Graph id: resolve it in Partner Center."
    this = facts.this_alert if facts is not None else None
    if this is not None and this.status == "resolved" and this.resolved_reason not in ("", verdict):
        return f"Somebody resolved it as {plain(this.resolved_reason, 40)} already; the verdict here is {plain(verdict, 40)}."
    return ""


def _others(case: Case, own: str) -> list[SeenAlert]:
    """Microsoft's further open alerts about the same subscription: the incident answers them all."""
    facts = case.get(AlertFacts)
    return [
        one
        for one in (facts.others if facts is not None else ())
        if one.subscription_id == case.incident.subscription_id
        and one.status not in ("resolved", "")
        and not one.is_test
        and one.id.lower() != own.lower()
        and _GRAPH_ID.fullmatch(one.id)
    ]


def _resolve(case: Case, target: str, verdict: str, *, about: SeenAlert | None = None) -> Action:
    which = f" {plain(about.title or about.type, 80)}" if about else ""
    detected = (about.detected_at if about else None) or case.incident.alert.detected_at
    return Action(
        id=action_id(STEP.id, RESOLVE, target),
        step=STEP.id,
        kind=RESOLVE,
        target=target,
        title=f"Resolve the partner alert{which} as {verdict}",
        effect=Effect.REVERSIBLE,
        reasons=(
            *_reasons(case, verdict, case.now - detected),
            "The reason can be corrected later; Microsoft keeps the history of the alert.",
        ),
        fingerprint={"subscriptionId": case.incident.subscription_id.lower()},
        params={
            "status": "resolved",
            "resolvedReason": verdict,
            "case": case.incident.case,
            "round": case.round,
            **_two_people(case, verdict, case.now - detected),
        },
        irreversible_because=STAYS,
    )


def _resolve_event(case: Case, event: str, verdict: str) -> Action:
    age = case.now - case.incident.alert.detected_at
    return Action(
        id=action_id(STEP.id, RESOLVE_EVENT, f"{EVENTS}/{event}"),
        step=STEP.id,
        kind=RESOLVE_EVENT,
        target=f"{EVENTS}/{event}",
        title=f"Resolve the fraud event as {verdict}, over the retiring interface",
        effect=Effect.REVERSIBLE,
        reasons=(
            *_reasons(case, verdict, age),
            "Graph could not be read, so the retiring FraudEvents interface is used.",
        ),
        fingerprint={"subscriptionId": case.incident.subscription_id.lower()},
        params={
            "event": event,
            "resolvedReason": verdict,
            "case": case.incident.case,
            "round": case.round,
            **_two_people(case, verdict, age),
        },
        irreversible_because=STAYS,
    )


def _reasons(case: Case, verdict: str, age: timedelta) -> tuple[str, ...]:
    facts = case[Attribution]
    if case.said.get(DECIDED) != verdict:
        return tuple(plain(reason, SENTENCE) for reason in facts.verdict_reasons[:4])
    told = [f"A person confirmed with a code that it is {verdict}; the evidence proposes {plain(facts.verdict, 40)}."]
    if _two_people(case, verdict, age):
        told.append(f"The alert is {age.days} days old, and 'ignore' is for old ones: two people have to approve it.")
    return tuple(told)


def _two_people(case: Case, verdict: str, age: timedelta) -> dict[str, bool]:
    days = case.parameter(STEP.id, "young_days", _YOUNG_DAYS)
    return {NEEDS_TWO: True} if verdict == IGNORE and age < timedelta(days=float(days)) else {}


def _still_running(case: Case) -> list[str]:
    """The attacker's compute that the newest inventory shows billed and that nothing stopped since."""
    running = attackers_compute(case[Attribution], case[Inventory], case.get(PlatformCompute))
    left = [one for one in running if not any(_ended_well_since(case, *way, one) for way in _STOPS)]
    return sorted(left, key=str.lower)


def _ended_well_since(case: Case, step: str, kind: str, target: str) -> bool:
    """Whether the newest such action on the target ended well after the inventory was read; of what ended before, the inventory is right."""
    outcome = newest_outcome(case, step, kind, target)
    return outcome is not None and outcome.state.is_good and (outcome.ended_at is None or outcome.ended_at >= case.now)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    events = [action for action in actions if action.kind == RESOLVE_EVENT]
    targets = await _look_at_events(events, eyes) if events else {}
    for action in actions:
        if action.kind == RESOLVE:
            targets[action.id] = _as_target(action, await eyes.graph.get(action.target), "status", "resolvedReason")
    return targets


async def _look_at_events(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    asked = {"SubscriptionId": actions[0].params["event"].partition("_")[0]}
    rows = await eyes.partner_center.list(EVENTS, asked)
    found = {text_at(row, "eventId").lower(): row for row in rows}
    return {
        action.id: _as_target(action, found.get(action.params["event"].lower()), "eventStatus", "resolvedReason")
        for action in actions
    }


def _as_target(action: Action, alert: dict[str, Any] | None, status_of: str, reason_of: str) -> Target:
    status, reason = text_at(alert, status_of).lower(), text_at(alert, reason_of).lower()
    wanted = action.params["resolvedReason"]
    taken = status == "resolved" and reason not in ("", "none", wanted)
    return Target(
        exists=alert is not None,
        already_so=status == "resolved" and reason == wanted,
        state=" ".join(part for part in (status or "absent", reason if reason != "none" else "") if part),
        fingerprint={"subscriptionId": text_at(alert, "subscriptionId").lower()},
        prior={"status": status, "resolvedReason": reason},
        etag=text_at(alert, "@odata.etag"),
        conflict=f"somebody resolved the alert as {plain(reason, 40)} meanwhile." if taken else "",
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == RESOLVE:
        body = {"status": action.params["status"], "resolvedReason": action.params["resolvedReason"]}
        etag = str(action.params.get("etag", ""))
        return await hands.graph.patch(action.target, body, request_id=request_id(action), etag=etag)
    event = str(action.params["event"])
    if not _EVENT_ID.fullmatch(event):
        # Without an id every fraud event of the subscription would be answered.
        raise ScopeError(f"{event!r:.90} is no id of a fraud event.", hint="Resolve it in Partner Center.")
    told = {"EventIds": [event], "EventStatus": "Resolved", "ResolvedReason": action.params["resolvedReason"].title()}
    path = f"{EVENTS}/subscription/{event.partition('_')[0]}/status"
    return await hands.partner_center.post(path, told, request_id=request_id(action))


def undo(action: Action, prior: dict[str, Any]) -> NoOp:  # noqa: ARG001 - one signature for all steps
    """What Microsoft was told is not taken back by machine."""
    return NoOp(step=STEP.id, target=action.target, reason=f"Cannot be undone. {STAYS}")
