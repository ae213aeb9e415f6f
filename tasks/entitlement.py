"""Azure entitlements in Partner Center: read their status, cancel and reactivate them. Shared by the steps that do either."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import SubscriptionFacts
from firebreak.model.plan import Action
from firebreak.model.step import Sent, Target
from tasks.arm import text_at
from tasks.requests import request_id
from tasks.words import plain

CANCEL = "entitlement.cancel"
REACTIVATE = "entitlement.reactivate"
REACTIVATION_DAYS = 30


def why_too_late(cancelled_at: datetime, case: Case) -> str:
    """Say in a sentence that the time to reactivate what was cancelled then is over, "" while it is not."""
    days, ends = _time_to_reactivate(cancelled_at, case)
    if case.now <= ends:
        return ""
    return (
        f"Too late: it was cancelled on {cancelled_at:%Y-%m-%d}, and Microsoft is counted on to reactivate for {days} days, until {ends:%Y-%m-%d}. "
        "Ask Microsoft; if they still reactivate it, raise FIREBREAK_OPERATIONS__REACTIVATION_DAYS and ask again."
    )


def until_when(cancelled_at: datetime, case: Case) -> str:
    """Say in a sentence until when it can be reactivated."""
    days, ends = _time_to_reactivate(cancelled_at, case)
    return f"Possible until {ends:%Y-%m-%d}: Microsoft names no deadline, {days} days from the moment of cancelling are counted on."


def _time_to_reactivate(cancelled_at: datetime, case: Case) -> tuple[int, datetime]:
    days = int(case.parameter("recover.reactivate_entitlement", "reactivation_days", REACTIVATION_DAYS))
    return days, cancelled_at + timedelta(days=days)


def why_unknown(facts: SubscriptionFacts) -> str:
    """Say in a sentence why no entitlement is known to be this subscription."""
    why = "; ".join(note.why for note in facts.not_looked_at if "entitlement" in note.what.lower())
    return "No single Partner Center entitlement is known to be this subscription" + (
        f": {plain(why, 160)}" if why else "."
    )


async def look_at_entitlements(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Read each entitlement's status: `inactive` is what cancelling promises, `active` what reactivating promises."""
    targets = {}
    for action in actions:
        document = await eyes.partner_center.get(action.target)
        status = text_at(document, "status").lower()
        targets[action.id] = Target(
            exists=document is not None,
            already_so=status == ("active" if action.kind == REACTIVATE else "inactive"),
            state=status or "absent",
            fingerprint={"entitlement": text_at(document, "id").lower()},
            prior={"status": status},
        )
    return targets


async def change_entitlement(action: Action, hands: Hands) -> Sent:
    """Send the one request; a retry of the same action carries the same request id."""
    if action.kind == REACTIVATE:
        return await hands.partner_center.post(f"{action.target}/reactivate", None, request_id=request_id(action))
    body = {"cancellationReason": "compromise"}
    return await hands.partner_center.post(f"{action.target}/cancel", body, request_id=request_id(action))
