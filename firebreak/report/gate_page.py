"""The page an approver reads in the gate: what, why, what it costs to wait, what cannot be undone. Markdown, pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from firebreak.model.alert import Incident
from firebreak.model.facts import Attribution, BurnRate, SubscriptionFacts
from firebreak.model.plan import Action, Plan
from firebreak.model.playbook import Gate
from firebreak.model.step import Effect
from firebreak.report.dossier import money
from firebreak.report.hostile import markdown, plain

_MOST_ROWS = 60

KINDS = {
    "access.remove": "Remove role assignment",
    "access.restore": "Restore role assignment",
    "alert.resolve": "Resolve alert",
    "autoscale.disable": "Disable autoscale",
    "autoscale.enable": "Enable autoscale",
    "blob.delete": "Delete unmanaged disk",
    "disk.delete": "Delete disk",
    "disk.restore": "Restore disk",
    "disk.snapshot": "Snapshot disk",
    "entitlement.cancel": "Cancel subscription",
    "entitlement.reactivate": "Reactivate subscription",
    "group.delete": "Delete empty group",
    "lock.remove": "Remove lock",
    "lock.restore": "Restore lock",
    "machine.deallocate": "Deallocate machine",
    "machine.delete": "Delete machine",
    "machine.start": "Start machine",
    "policy.deny_creation": "Block new compute",
    "policy.remove": "Lift the block of new compute",
    "quota.reduce": "Lower quota",
    "quota.ticket": "Ticket: lower quota",
    "resource.delete": "Delete resource",
    "scale_set.deallocate": "Deallocate scale set",
    "scale_set.delete": "Delete scale set",
    "scale_set.start": "Start scale set",
    "support.ticket": "Ticket: report incident",
}


def kind_in_words(kind: str) -> str:
    """`disk.delete` as "Delete disk"; kinds without an own wording read as their words."""
    return KINDS.get(kind) or kind.replace(".", ": ").replace("_", " ")


def choice_label(action: Action) -> str:
    """How an action is called in the list of what may be left out: unique, and without anything a form could interpret."""
    name = plain(action.target.rsplit("/", 1)[-1], 48)
    return f"{kind_in_words(action.kind)}: {name} [{action.id.rsplit(':', 1)[-1][:6]}]"


def gate_page(
    plan: Plan,
    incident: Incident,
    gate: Gate,
    *,
    approvals: Sequence[str] = (),
    required: int = 0,
    problem: str = "",
    attribution: Attribution | None = None,
    burn: BurnRate | None = None,
    subscription: SubscriptionFacts | None = None,
    demo_hint: str = "",
) -> str:
    """Return the Markdown shown above the form.

    `approvals` are people who have approved this gate so far, `problem` says why it is asked again, `demo_hint` is only set by the
    demo (whose approvers are invented).
    """
    lines: list[str] = []
    if problem:
        lines += [f"> **Asked again:** {markdown(problem, 400)}", ""]
    lines += [_headline(plan, incident, subscription), ""]
    if plan.over_limits:
        lines += ["**Over the limits of the playbook; only a typed override approves it:**", ""]
        lines += [f"- {markdown(limit, 300)}" for limit in plan.over_limits] + [""]
    lines += _money(plan, burn)
    if attribution is not None and attribution.verdict_reasons:
        lines += ["**Why we think so**", ""]
        lines += [f"- {markdown(reason, 300)}" for reason in attribution.verdict_reasons[:6]] + [""]
    lines += _table(plan)
    lines += _undo(plan)
    if plan.problems:
        lines += ["**Mind**", ""] + [f"- {markdown(p, 300)}" for p in plan.problems] + [""]
    lines += _left_alone(plan)
    lines += _who(gate, required or gate.required, approvals)
    if demo_hint:
        lines += ["", f"> {demo_hint}"]
    lines += ["", f"Plan `{plan.digest[:16]}` · case {markdown(plan.case)} · round {plan.round}"]
    return "\n".join(lines)


def _headline(plan: Plan, incident: Incident, subscription: SubscriptionFacts | None) -> str:
    name = markdown(subscription.display_name) if subscription else ""
    customer = f" of {markdown(subscription.customer_name)}" if subscription and subscription.customer_name else ""
    where = (
        f"subscription **{name}**{customer} ({plan.subscription_id})"
        if name
        else f"subscription {plan.subscription_id}"
    )
    return f"### {len(plan.actions)} actions in {where}\n\nAlert: {markdown(incident.alert.title, 200)}"


def _money(plan: Plan, burn: BurnRate | None) -> list[str]:
    saves = sum((a.per_hour for a in plan.actions if a.per_hour is not None), Decimal(0))
    if burn is None:
        return [f"This plan saves **{money(saves, plan.currency)} per hour**.", ""] if saves else []
    wait = burn.rogue_per_hour / 6
    rows = [
        "| burning now (attacker) | all running compute | lost so far | waiting 10 minutes costs | this plan saves per hour |",
        "|---|---|---|---|---|",
        (
            f"| **{money(burn.rogue_per_hour, burn.currency)}/h** | {money(burn.per_hour, burn.currency)}/h | {money(burn.lost, burn.currency)} "
            f"| **{money(wait, burn.currency)}** | {money(saves, burn.currency)} |"
        ),
        "",
    ]
    if burn.unpriced:
        rows += [f"Without a price, so not in these sums: {markdown(', '.join(burn.unpriced), 200)}", ""]
    return rows


def _table(plan: Plan) -> list[str]:
    rows = ["| # | action | target | region | per hour | why |", "|---|---|---|---|---|---|"]
    for number, action in enumerate(plan.actions[:_MOST_ROWS], 1):
        mark = " ⚠" if action.effect is Effect.IRREVERSIBLE else ""
        per_hour = f"{action.per_hour:,.2f}" if action.per_hour is not None else ""
        group = action.target.split("/")[4] if action.target.lower().count("/resourcegroups/") else ""
        place = f"{markdown(group)} / " if group else ""
        why = "; ".join(markdown(reason, 140) for reason in action.reasons[:2])
        rows.append(
            f"| {number} | {kind_in_words(action.kind)}{mark} | {place}**{markdown(action.target.rsplit('/', 1)[-1], 60)}** "
            f"| {markdown(action.region)} | {per_hour} | {why} |"
        )
    if len(plan.actions) > _MOST_ROWS:
        rows.append(f"| … | {len(plan.actions) - _MOST_ROWS} more, all in the plan artifact | | | | |")
    return [*rows, ""]


def _undo(plan: Plan) -> list[str]:
    lost = [a for a in plan.actions if a.effect is Effect.IRREVERSIBLE]
    if not lost:
        return ["**Can be undone:** every action of this plan has an inverse; prior state is saved before each.", ""]
    reasons = sorted({a.irreversible_because for a in lost if a.irreversible_because})
    lines = [f"**Cannot be undone (⚠):** {len(lost)} of {len(plan.actions)} actions.", ""]
    return lines + [f"- {markdown(reason, 240)}" for reason in reasons] + [""]


def _left_alone(plan: Plan) -> list[str]:
    if not plan.no_ops:
        return []
    lines = [
        f"<details><summary>Looked at and left alone: {len(plan.no_ops)}</summary>",
        "",
        "| what | because |",
        "|---|---|",
    ]
    lines += [
        f"| {markdown(n.target.rsplit('/', 1)[-1], 60)} | {markdown(n.reason, 200)} |" for n in plan.no_ops[:_MOST_ROWS]
    ]
    if len(plan.no_ops) > _MOST_ROWS:
        lines.append(f"| … | {len(plan.no_ops) - _MOST_ROWS} more in the report |")
    return [*lines, "", "</details>", ""]


def _who(gate: Gate, required: int, approvals: Sequence[str]) -> list[str]:
    people = "one person" if required == 1 else f"{required} different people"
    text = f"**Needs** {people} with role {' or '.join(markdown(r) for r in gate.approvers)}."
    if approvals:
        text += f" Approved so far by {', '.join(markdown(a) for a in approvals)}."
    if not gate.requester_may_approve:
        text += " Whoever requested this run cannot approve it."
    return [text]
