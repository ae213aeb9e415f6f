"""What an approver reads of an undo beside the plan itself: money that starts again, and to whom each action gives. Markdown, pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from firebreak.model.facts import BurnRate
from firebreak.model.plan import GIVES_BACK_TO, UNDO, Action, Plan

HEADINGS = {
    "attacker": "⚠ Gives back to the ATTACKER",
    "customer": "Gives back to the customer",
    "": "Takes back an earlier undo",
}


def is_undo(plan: Plan) -> bool:
    """Whether a plan takes back what was done."""
    return plan.stage == UNDO


def by_beneficiary(actions: Sequence[Action]) -> list[tuple[str, list[Action]]]:
    """(heading, actions) with what goes to the attacker first; each in the plan's order."""
    groups: dict[str, list[Action]] = {name: [] for name in HEADINGS}
    for action in actions:
        groups.setdefault(str(action.params.get(GIVES_BACK_TO, "")), []).append(action)
    return [(f"{HEADINGS[name]}: {len(group)}", group) for name, group in groups.items() if group]


def money_again(plan: Plan, burn: BurnRate | None) -> list[str]:
    """What starts to cost again, and what is not known of it."""
    again = [a.per_hour for a in plan.actions if a.per_hour is not None and a.params.get(GIVES_BACK_TO)]
    saved = [a.per_hour for a in plan.actions if a.per_hour is not None and not a.params.get(GIVES_BACK_TO)]
    rows = [f"| Money | {plan.currency} |", "|:---|---:|"]
    if again:
        rows.append(f"| **Costs again, an hour** | **{sum(again, Decimal(0)):,.2f}** |")
    if saved:
        rows.append(f"| Costs no more, an hour | {sum(saved, Decimal(0)):,.2f} |")
    if burn is not None:
        rows.append(f"| The attacker burns now, an hour | {burn.rogue_per_hour:,.2f} |")
        rows.append(f"| All that runs here now, an hour | {burn.per_hour:,.2f} |")
    return [*rows, ""] if len(rows) > 2 else []
