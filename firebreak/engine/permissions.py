"""What Azure would refuse of a plan, said above it: the permissions that its steps need and Firebreak's identity lacks. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from firebreak.model.facts import SubscriptionFacts
from firebreak.model.plan import Plan
from firebreak.model.step import LoadedStep


def not_allowed(plan: Plan, steps: Mapping[str, LoadedStep], subscription: SubscriptionFacts | None) -> str:
    """Return the Markdown to put above a plan's page, "" when nothing is known to be missing."""
    missing = {name.lower() for name in subscription.missing_permissions} if subscription else set()
    lines = []
    for step, count in Counter(action.step for action in plan.actions).items():
        lacking = [f"`{p}`" for p in steps[step].step.permissions if p.lower() in missing]
        if lacking:
            lines.append(f"> - {steps[step].step.title} ({count}): {', '.join(lacking)}")
    if not lines:
        return ""
    head = "> **Not allowed now.** Firebreak's identity lacks these permissions; grant them before you approve:"
    return "\n".join([head, ">", *lines, "", ""])
