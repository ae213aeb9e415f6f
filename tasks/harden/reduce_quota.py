"""Lower the vCPU limits that the attacker used or asked for, and GPU limits that nobody uses, to what is used plus some head-room.

Azure often refuses (`QuotaReductionNotSupported`); then the action fails with Azure's own words, and `notify.quota_ticket` of a later stage
asks support instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Attribution, QuotaFacts
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import QUOTA, Document, items_at, text_at, value_at
from tasks.quota import REDUCE, Reduction, reductions
from tasks.words import plain

RAISE = "quota.restore"

STEP = Step(
    id="harden.reduce_quota",
    title="Lower the vCPU limits that were or could be abused",
    effect=Effect.REVERSIBLE,
    description=(
        "Asks Azure to lower the vCPU limits that the attacker used or asked for, and GPU and high-performance limits that nobody uses, to use "
        "plus head-room. Azure may refuse; then a ticket is proposed."
    ),
    permissions=(
        "Microsoft.Quota/quotas/read",
        "Microsoft.Quota/quotas/write",
        "Microsoft.Quota/quotaRequests/read",
    ),
    guidance=("S70", "S71", "S73"),
    needs=(QuotaFacts, Attribution),
    parameters={
        "head_room": "vCPUs left above present use, where anything is used. 10 when not given.",
        "unused_from": "From how many vCPUs on a GPU or high-performance limit of which nobody uses anything is lowered to nothing, once the "
        "verdict is fraud. 0 leaves such limits alone. 100 when not given.",
        "whatever_verdict": "true lowers such limits whatever the verdict: hardening, not containment. false when not given.",
    },
)


def plan(case: Case) -> list[Action | NoOp]:
    if case.incident.alert.is_test:
        scope = f"/subscriptions/{case.incident.subscription_id}"
        return [NoOp(step=STEP.id, target=scope, reason="Test alert: no limit is changed.")]
    lower, keep = reductions(case)
    planned: list[Action | NoOp] = [_reduce(one, case) for one in lower]
    return [*planned, *(NoOp(step=STEP.id, target=target, reason=reason) for target, reason in keep)]


def _reduce(one: Reduction, case: Case) -> Action:
    return Action(
        id=action_id(STEP.id, REDUCE, one.target),
        step=STEP.id,
        kind=REDUCE,
        target=one.target,
        title=f"Lower {plain(one.title or one.name)} in {one.region} from {one.limit} to {one.wanted}",
        effect=Effect.REVERSIBLE,
        reasons=(*one.reasons, "Raising it again takes a new request to Microsoft."),
        fingerprint={"limit": str(one.limit)},
        params={
            "name": one.name,
            "limit": one.wanted,
            "since": case.incident.alert.detected_at.isoformat(),
        },
        region=one.region,
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    places = sorted({action.target.split("/providers/Microsoft.Quota/")[0] for action in actions})
    read = await asyncio.gather(*(_read(place, eyes) for place in places))
    by_place = dict(zip(places, read, strict=True))
    return {a.id: _judge(a, *by_place[a.target.split("/providers/Microsoft.Quota/")[0]]) for a in actions}


async def _read(place: str, eyes: Eyes) -> tuple[list[Document], list[Document]]:
    limits = await eyes.arm.list(f"{place}/providers/Microsoft.Quota/quotas", QUOTA)
    requests = await eyes.arm.list(f"{place}/providers/Microsoft.Quota/quotaRequests", QUOTA)
    return limits, requests


def _judge(action: Action, limits: list[Document], requests: list[Document]) -> Target:
    name, wanted = str(action.params["name"]).lower(), int(action.params["limit"])
    row = next((r for r in limits if text_at(r, "name").lower() == name), None)
    limit = value_at(row, "properties", "limit", "value")
    if row is None or limit is None:
        return Target(exists=False, already_so=False, state="no such limit")
    reached = int(limit) >= wanted if action.kind == RAISE else int(limit) <= wanted
    ours = _newest(action, requests)
    state = text_at(ours, "properties", "provisioningState").lower()
    code = text_at(ours, "properties", "error", "code")
    said = plain(text_at(ours, "properties", "error", "message") or text_at(ours, "properties", "message"), 200)
    failed = f"Azure refused to change the limit: {code} {said}".strip() if state in ("failed", "invalid") else ""
    return Target(
        exists=True,
        already_so=reached,
        in_progress=not reached and state in ("accepted", "inprogress"),
        failed="" if reached else failed,
        state=f"limit {limit}",
        # The old limit identifies what was approved; once the promise holds, whatever stands there is right.
        fingerprint={"limit": action.fingerprint.get("limit", str(limit)) if reached else str(limit)},
        prior={"limit": int(limit)},
    )


def _newest(action: Action, requests: list[Document]) -> Document | None:
    """The newest request for this very limit that is not older than the incident."""
    since = datetime.fromisoformat(str(action.params["since"]))
    wanted, name = int(action.params["limit"]), str(action.params["name"]).lower()
    found = []
    for request in requests:
        at = _moment(text_at(request, "properties", "requestSubmitTime"))
        for part in items_at(request, "properties", "value"):
            limit = (
                value_at(part, "limit", "value")
                if isinstance(value_at(part, "limit"), dict)
                else value_at(part, "limit")
            )
            same = text_at(part, "name", "value").lower() == name and str(limit) == str(wanted)
            if same and at is not None and at >= since:
                found.append((at, text_at(request, "id"), request))
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


async def apply(action: Action, hands: Hands) -> Sent:
    body = {
        "properties": {
            "limit": {"limitObjectType": "LimitValue", "value": int(action.params["limit"])},
            "name": {"value": action.params["name"]},
        }
    }
    return await hands.arm.put(action.target, QUOTA, body)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Ask for the former limit again."""
    if "limit" not in prior:
        return None
    kind = RAISE if action.kind == REDUCE else REDUCE
    limit = plain(str(action.params["name"]))
    return Action(
        id=action_id(STEP.id, kind, action.target),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"Ask for the former limit of {prior['limit']} for {limit} in {action.region} again",
        effect=Effect.REVERSIBLE,
        reasons=("Microsoft may take its time or refuse.",),
        fingerprint={"limit": str(action.params["limit"])},
        params=action.params | {"limit": prior["limit"]},
        region=action.region,
    )
