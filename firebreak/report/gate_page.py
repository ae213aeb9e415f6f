"""The page an approver reads in the gate: what, why, what it costs to wait, what cannot be undone. Markdown, pure.

It is read at night in a dialog 32 rem wide, or on a phone: money first, tables of three short columns, long text in lists, one reason said
once for all it is true of. The ids that prove a reason are left to the case page and the report.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from firebreak.model.alert import Incident
from firebreak.model.facts import Attribution, BurnRate, SubscriptionFacts
from firebreak.model.plan import GIVES_BACK_TO, Action, Plan
from firebreak.model.playbook import Gate
from firebreak.model.step import Effect
from firebreak.model.todo import Item
from firebreak.report.dossier import money
from firebreak.report.hostile import markdown, plain
from firebreak.report.kinds import kind_in_words
from firebreak.report.undo_page import by_beneficiary, is_undo, money_again

_MOST_ROWS = 200
_MOST_NO_OPS = 12
_FEW = 4  # up to so many actions of one kind are told one by one, more become a table
_WHY = {"fraud": "Why we think it is an attack", "legitimate": "Why we think it is the customer's own work"}
_UNDECIDED = "What speaks for an attack and what against it"
_PROOF = re.compile(r"\s*\(activity log [^()]*\)")
_MOMENT = re.compile(r"(?:,| on)? \d{4}-\d\d-\d\d(?: \d\d:\d\dZ)?,?")
_GUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-", re.IGNORECASE)


def choice_label(action: Action) -> str:
    """How an action is called in the list of what may be left out: unique, its name first since the UIs cut the end, and
    without anything a form could interpret."""
    leaf = action.target.rsplit("/", 1)[-1]
    said = plain(action.title, 56) if _GUID.match(leaf) else f"{plain(leaf, 48)}: {kind_in_words(action.kind).lower()}"
    return f"{said} [{action.id.rsplit(':', 1)[-1][:6]}]"


def gate_page(
    plan: Plan,
    incident: Incident,
    gate: Gate,
    *,
    approvals: Sequence[str] = (),
    required: int = 0,
    problem: str = "",
    escalated: bool = False,
    pre_authorised: str = "",
    unknown_requester: str = "",
    attribution: Attribution | None = None,
    burn: BurnRate | None = None,
    subscription: SubscriptionFacts | None = None,
    checks: Sequence[Item] = (),
    joined: Sequence[str] = (),
) -> str:
    """Return the Markdown shown with the form.

    `approvals` are people who have approved this gate so far, `required` how many are needed (0: what the gate says), `problem` says why
    it is asked again, `pre_authorised` by what it was approved without asking anybody, `escalated` that those it escalates to may answer now, `unknown_requester` under
    which name somebody asked who may be one of those who answer.
    `joined` are alerts about the subscription that came after the incident was opened, the newest first.
    `checks` is what people should have done or decided before they answer.
    """
    lines: list[str] = []
    if problem:
        lines += [f"> **Asked again:** {markdown(problem, 400)}", ""]
    if pre_authorised:
        lines += [f"> **Nobody was asked:** {markdown(pre_authorised)}.", ""]
    if unknown_requester:
        lines += _unknown(unknown_requester)
    lines += _headline(plan, incident, gate, subscription)
    lines += _joined(joined)
    lines += money_again(plan, burn) if is_undo(plan) else _money(plan, burn)
    lines += _over_limits(plan)
    lines += _undo(plan)
    if plan.problems:
        lines += ["**Mind**", ""] + [f"- {markdown(p, 300)}" for p in plan.problems] + [""]
    if attribution is not None and attribution.verdict_reasons:
        lines += [f"**{_WHY.get(attribution.verdict, _UNDECIDED)}**", ""]
        lines += [f"- {markdown(reason, 240)}" for reason in attribution.verdict_reasons[:_FEW]] + [""]
    lines += _checks(checks, incident)
    if is_undo(plan):
        for heading, actions in by_beneficiary(plan.actions):
            lines += [f"#### {heading}", "", *_actions(actions, plan.currency)]
    else:
        lines += ["#### What will be done", "", *_actions(plan.actions, plan.currency)]
    lines += _left_alone(plan)
    lines += _who(gate, required or gate.required, approvals, escalated=escalated)
    lines += ["", f"Plan `{plan.digest[:16]}` · case {markdown(plan.case)} · round {plan.round}"]
    return "\n".join(lines)


def _joined(joined: Sequence[str]) -> list[str]:
    if not joined:
        return []
    newest = f", the newest {_FEW}" if len(joined) > _FEW else ""
    lines = [f"**Alerts that came since it was opened: {len(joined)}{newest}**", ""]
    return [*lines, *(f"- {markdown(one, 200)}" for one in joined[:_FEW]), ""]


def _checks(checks: Sequence[Item], incident: Incident) -> list[str]:
    """What to look at first, with what is prepared for it, and who has said that it was done."""
    if not checks:
        return []
    lines = ["**Before you answer**", ""]
    for item in checks:
        said = item.confirmation
        if said is not None and item.is_settled:
            note = f": {markdown(said.note, 160)}" if said.note else ""
            lines.append(
                f"- ☑ {markdown(item.text, 160)} **{markdown(said.answer.replace('_', ' '), 40)}**, says {markdown(said.by, 60)}{note}"
            )
            continue
        lines.append(f"- ☐ **{item.id}** {markdown(item.text, 160)} {markdown(item.how, 400)}")
        lines += [f"  - {markdown(label, 60)}: {markdown(value, 200)}" for label, value in item.data[:3]]
    if not all(item.is_settled for item in checks):
        lines += [
            "",
            f"Record it with `firebreak incidents confirm {incident.id} ITEM`; an answer here does not wait for it.",
        ]
    return [*lines, ""]


def _unknown(requester: str) -> list[str]:
    who = f"Nobody is enrolled as {markdown(requester, 120)}, who may be one of those who answer here."
    way = "Enrol people with their logins (firebreak approvers login), or ask with --requested-by, and one is enough again."
    return [f"> **It is not known who asked for this.** {who} So two different people have to approve. {way}", ""]


def _headline(plan: Plan, incident: Incident, gate: Gate, subscription: SubscriptionFacts | None) -> list[str]:
    name = f"**{markdown(subscription.display_name)}** " if subscription and subscription.display_name else ""
    customer = f" of {markdown(subscription.customer_name)}" if subscription and subscription.customer_name else ""
    actions = "1 action" if len(plan.actions) == 1 else f"{len(plan.actions)} actions"
    where = f"in subscription {name}({plan.subscription_id}){customer}"
    if incident.alert.is_about_partner:
        where = f"in the partner's own tenant ({plan.subscription_id})"
    return [
        f"### {markdown(gate.title)}",
        "",
        f"{actions} {where}",
        "",
        f"Alert: {markdown(incident.alert.title, 200)}",
        "",
    ]


def _money(plan: Plan, burn: BurnRate | None) -> list[str]:
    saves = _per_hour(plan.actions)
    if burn is None:
        return [f"This plan saves **{money(saves, plan.currency)} an hour**.", ""] if saves else []
    rows = [
        f"| Money | {burn.currency} |",
        "|:---|---:|",
        f"| **The attacker burns, an hour** | **{burn.rogue_per_hour:,.2f}** |",
        f"| **Waiting 10 minutes costs** | **{burn.rogue_per_hour / 6:,.2f}** |",
        f"| This plan saves, an hour | {saves:,.2f} |",
        f"| Lost so far | {burn.lost:,.2f} |",
        f"| All that runs here, an hour | {burn.per_hour:,.2f} |",
        "",
    ]
    if burn.unpriced:
        rows += [f"Without a price, so not in these sums: {markdown(', '.join(burn.unpriced), 200)}", ""]
    return rows


def _per_hour(actions: Sequence[Action]) -> Decimal:
    return sum((a.per_hour for a in actions if a.per_hour is not None), Decimal(0))


def _over_limits(plan: Plan) -> list[str]:
    if not plan.over_limits:
        return []
    lines = ["**Over the limits of the playbook; only a typed override approves it:**", ""]
    return lines + [f"- {markdown(limit, 300)}" for limit in plan.over_limits] + [""]


def _undo(plan: Plan) -> list[str]:
    lost = [a for a in plan.actions if a.effect is Effect.IRREVERSIBLE]
    kept = [a for a in plan.actions if a.effect is not Effect.IRREVERSIBLE and a.irreversible_because]
    if not lost and not kept:
        return ["**Can be undone:** every action of this plan has an inverse; prior state is saved before each.", ""]
    if not lost:
        return ["**Can be undone:** all but what is named here; prior state is saved before each.", "", *_stays(kept)]
    by_kind: dict[str, list[Action]] = {}
    for action in lost:
        by_kind.setdefault(action.kind, []).append(action)
    lines = [f"#### ⚠ CANNOT BE UNDONE: {len(lost)} of {len(plan.actions)} actions", ""]
    for kind, actions in by_kind.items():
        reasons = list(dict.fromkeys(a.irreversible_because for a in actions if a.irreversible_because))
        said = f" {markdown(reasons[0], 240)}" if reasons else ""
        more = " The others likewise." if len(reasons) > 1 else ""
        lines.append(f"- **{kind_in_words(kind)}: {len(actions)}.**{said}{more}")
    return [*lines, "", *_stays(kept)]


def _stays(kept: Sequence[Action]) -> list[str]:
    """What does no harm and is nevertheless not taken back by an undo."""
    by_kind: dict[str, list[Action]] = {}
    for action in kept:
        by_kind.setdefault(action.kind, []).append(action)
    lines = [
        f"- {kind_in_words(kind)}: {len(actions)}. {markdown(actions[0].irreversible_because, 240)}"
        for kind, actions in by_kind.items()
    ]
    return [*lines, ""] if lines else []


def _actions(chosen: Sequence[Action], currency: str) -> list[str]:
    """The actions kind by kind, in the plan's order; dearest first within a kind; at most `_MOST_ROWS` named."""
    by_kind: dict[str, list[Action]] = {}
    for action in chosen:
        by_kind.setdefault(action.kind, []).append(action)
    lines, room = list[str](), _MOST_ROWS
    for kind, actions in by_kind.items():
        named = sorted(actions, key=lambda a: -(a.per_hour or Decimal(0)))[:room]
        room -= len(named)
        if len(actions) <= _FEW:
            lines += _one_by_one(named)
        else:
            lines += [_group_title(kind, actions, currency), "", *_table(named)]
        if len(named) < len(actions):
            lines += [f"… and {len(actions) - len(named)} more, all in the plan and the report.", ""]
        if len(actions) > _FEW:
            lines += ["Because:", "", *(f"- {said}" for said in _shared_reasons(actions)), ""]
    return lines


def _group_title(kind: str, actions: Sequence[Action], currency: str) -> str:
    saves = Decimal(0) if any(a.params.get(GIVES_BACK_TO) for a in actions) else _per_hour(actions)
    mark = "⚠ " if any(a.effect is Effect.IRREVERSIBLE for a in actions) else ""
    return f"**{mark}{kind_in_words(kind)}: {len(actions)}**" + (
        f", saves {money(saves, currency)} an hour" if saves else ""
    )


def _one_by_one(actions: Sequence[Action]) -> list[str]:
    lines = []
    for action in actions:
        why = " ".join(markdown(_short(reason), 140) for reason in action.reasons[:2])
        mark = "⚠ " if action.effect is Effect.IRREVERSIBLE else ""
        lines.append(f"- **{mark}{markdown(action.title, 140)}**. {why}".rstrip())
    return [*lines, ""] if lines else []


def _table(actions: Sequence[Action]) -> list[str]:
    if not actions:
        return []
    rows = ["| name | region | an hour |", "|:---|:---|---:|"]
    for action in actions:
        per_hour = f"{action.per_hour:,.2f}" if action.per_hour is not None else ""
        leaf = action.target.rsplit("/", 1)[-1]
        name = action.title if _GUID.match(leaf) else leaf
        rows.append(f"| **{markdown(name, 36)}** | {markdown(action.region, 24)} | {per_hour} |")
    return [*rows, ""]


def _short(reason: str) -> str:
    """A reason without the ids that prove it."""
    return _PROOF.sub("", reason)


def _shared_reasons(actions: Sequence[Action]) -> list[str]:
    """The commonest reasons of a group, those that differ only in moment or value said together, with how many they are true of."""
    values: dict[str, dict[str, None]] = {}
    count: dict[str, int] = {}
    for action in actions:
        for head in dict.fromkeys(_head_and_value(reason, values) for reason in action.reasons):
            count[head] = count.get(head, 0) + 1
    lines = []
    for head in sorted(count, key=lambda h: -count[h])[: _FEW + 1]:
        known = [value for value in values[head] if value]
        more = f" and {len(known) - 3} more" if len(known) > 3 else ""
        said = f"{head}: {', '.join(known[:3])}{more}" if known else head
        share = "all" if count[head] == len(actions) else f"{count[head]} of {len(actions)}"
        lines.append(f"{markdown(said, 200)} ({share})")
    return lines


def _head_and_value(reason: str, values: dict[str, dict[str, None]]) -> str:
    """Note "A size that miners like" -> "Standard_X" and return what stands before the colon."""
    head, _, value = _MOMENT.sub("", _short(reason)).rstrip(".").partition(": ")
    values.setdefault(head, {})[value] = None
    return head


def _left_alone(plan: Plan) -> list[str]:
    if not plan.no_ops:
        return []
    names: dict[str, list[str]] = {}
    alone: dict[str, str] = {}
    for no_op in plan.no_ops:
        reason = _short(no_op.reason)
        names.setdefault(_MOMENT.sub("", reason), []).append(no_op.target.rsplit("/", 1)[-1])
        alone.setdefault(_MOMENT.sub("", reason), reason)
    lines = [f"**Looked at and left alone: {len(plan.no_ops)}**", ""]
    for reason in sorted(names, key=lambda r: -len(names[r]))[:_MOST_NO_OPS]:
        some = ", ".join(markdown(name, 48) for name in names[reason][:_FEW])
        more = f" and {len(names[reason]) - _FEW} more" if len(names[reason]) > _FEW else ""
        said = alone[reason] if len(names[reason]) == 1 else reason
        lines.append(f"- {markdown(said, 240)} **{some}**{more}")
    if len(names) > _MOST_NO_OPS:
        lines.append("- … the others are in the report")
    return [*lines, ""]


def _who(gate: Gate, required: int, approvals: Sequence[str], *, escalated: bool) -> list[str]:
    people = "one person" if required == 1 else f"{required} different people"
    text = f"**Needs** {people} with role {_or(gate.approvers)}."
    if escalated:
        text += f" **Escalated:** people with role {_or(gate.escalate_to)} may answer as well now."
    elif gate.escalate_to:
        minutes = gate.escalate_after_minutes
        text += f" {minutes} minutes after it was opened, people with role {_or(gate.escalate_to)} may answer as well."
    if approvals:
        text += f" Approved so far by {', '.join(markdown(a) for a in approvals)}."
    if gate.requested_by:
        text += f" **Asked for by** {markdown(gate.requested_by)}."
    if not gate.requester_may_approve:
        who = "Whoever asked for it, or requested the response," if gate.requested_by else "Whoever requested this run"
        text += f" {who} cannot approve it."
    return [text]


def _or(words: Sequence[str]) -> str:
    return " or ".join(markdown(word) for word in words)
