"""The report as Markdown: the case page, then what was approved, done, paid and left, and one time line."""

from __future__ import annotations

from firebreak.model.todo import Confirmation, Item
from firebreak.report.case_page import case_page
from firebreak.report.dossier import Dossier, money
from firebreak.report.hostile import markdown
from firebreak.report.kinds import kind_in_words
from firebreak.report.todo import still_billed
from firebreak.report.undone import undone

STATES = {
    "done": "has ended: see what was done and what is left to do.",
    "stopped": "was stopped, or part of it left undone, by a person or a guard rail.",
    "failed": "ended with an error, or with the attack going on.",
    "waiting": "waits for an approval.",
}


def report_markdown(dossier: Dossier) -> str:
    """Return the whole report of one incident."""
    incident = dossier.incident
    lines = [f"# Report on {incident.id}", ""]
    if not incident.mode.may_write:
        lines += [
            f"> **{str(incident.mode).upper()}**: nothing was changed. The plans show what would have been proposed.",
            "",
        ]
    lines += [
        f"Subscription {incident.subscription_id}, playbook {dossier.playbook.id} {dossier.playbook.version}. The run {STATES.get(dossier.state, markdown(dossier.state))}",
        *([markdown(dossier.note, 400)] if dossier.note else []),
        f"Report made {dossier.made_at:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        *_cost(dossier),
        *_todo(dossier),
        *_approvals(dossier),
        *_actions(dossier),
        *undone(dossier),
        "---",
        "",
        case_page(dossier),
        *_timeline(dossier),
        *_promises(dossier),
        *_steps(dossier),
    ]
    return "\n".join(lines)


def _cost(dossier: Dossier) -> list[str]:
    before, after = dossier.burn_before, dossier.burn_after
    if before is None:
        return []
    lines = [
        "## What it cost",
        "",
        "| | before | now |",
        "|---|---|---|",
        f"| attacker's compute per hour | {money(before.rogue_per_hour, before.currency)} | {money(after.rogue_per_hour, after.currency) if after else 'not measured again'} |",
        f"| all running compute per hour | {money(before.per_hour, before.currency)} | {money(after.per_hour, after.currency) if after else 'not measured again'} |",
        f"| lost to the attacker when first seen | {money(before.lost, before.currency)} | |",
        "",
    ]
    billed = still_billed(dossier)
    if billed:
        lines += ["Still billed:", "", *(f"- {markdown(b, 400)}" for b in billed), ""]
    return lines


def _todo(dossier: Dossier) -> list[str]:
    left = [item for item in dossier.todo if not item.is_settled]
    lines = ["## Left to do by people", ""]
    if left:
        lines += [f"- [ ] **{item.id}** {markdown(item.text, 500)}{_said(item)}" for item in left]
        how = (
            f"Say what you did: `firebreak incidents confirm {dossier.incident.id} ITEM --by NAME --code CODE`. "
            "How to do each, with the data for it: `firebreak incidents todo`, or the HTML report."
        )
        lines += ["", how, ""]
    else:
        lines += ["Nothing that Firebreak knows of.", ""]
    known = {item.id for item in dossier.todo}
    done = [item for item in dossier.todo if item.is_settled]
    gone = [one for one in dossier.confirmations if one.item not in known and one.settles]
    if done or gone:
        lines += ["### Confirmed by people", ""]
        lines += [f"- [x] **{item.id}** {markdown(item.text, 300)}{_said(item)}" for item in done]
        lines += [f"- [x] **{markdown(one.item, 40)}** {markdown(one.text, 300)}: {_confirmed(one)}" for one in gone]
        lines.append("")
    return lines


def _said(item: Item) -> str:
    if item.confirmation is None:
        return ""
    unseen = " Azure has not shown it yet." if item.measured and item.confirmation.settles else ""
    return f" **{_confirmed(item.confirmation)}**{unseen}"


def _confirmed(said: Confirmation) -> str:
    note = f" ({markdown(said.note, 300)})" if said.note else ""
    return f"{markdown(said.answer.replace('_', ' '), 40)}, says {markdown(said.by, 80)} at {said.at:%Y-%m-%d %H:%M} UTC{note}"


def _approvals(dossier: Dossier) -> list[str]:
    if not dossier.gates:
        return []
    rows = ["## Who approved what", "", "| gate | plan | ended | people |", "|---|---|---|---|"]
    for gate in dossier.gates:
        people = "; ".join(
            f"{markdown(a.approver)} {a.decision} {a.at:%H:%M:%S} ({markdown(a.channel)}){f': {markdown(a.reason, 120)}' if a.reason else ''}"
            for a in gate.approvals
        )
        rows.append(f"| {markdown(gate.id)} | `{gate.plan_digest[:16]}` | {gate.state} | {people} |")
    alone = [
        f"> **Nobody was asked** at {markdown(gate.id)}: {markdown(gate.pre_authorised)}."
        for gate in dossier.gates
        if gate.pre_authorised
    ]
    return [*rows, "", *("\n>\n".join(alone).splitlines()), ""] if alone else [*rows, ""]


def _actions(dossier: Dossier) -> list[str]:
    if not dossier.actions:
        return ["## What was done", "", "Nothing.", ""]
    rows = [
        "## What was done",
        "",
        "| stage | action | target | ended | read back | because |",
        "|---|---|---|---|---|---|",
    ]
    for row in dossier.actions:
        back = ", taken back" if row.taken_back else ""
        target = markdown("/".join(row.action.target.split("/")[4:5] + row.action.target.split("/")[-1:]), 80)
        rows.append(
            f"| {row.stage} | {kind_in_words(row.action.kind)} | {target} | {row.state}{back}{f': {markdown(row.reason, 160)}' if row.reason else ''} "
            f"| {markdown(row.state_read_back)} | {'; '.join(markdown(r, 120) for r in row.action.reasons[:2])} |"
        )
    return [*rows, ""]


def _timeline(dossier: Dossier) -> list[str]:
    if not dossier.timeline:
        return []
    rows = ["## Time line", "", "| UTC | who | what |", "|---|---|---|"]
    rows += [f"| {t.at:%m-%d %H:%M:%S} | {t.who} | {markdown(t.text, 200)} |" for t in dossier.timeline]
    return [*rows, ""]


def _promises(dossier: Dossier) -> list[str]:
    if not dossier.promises:
        return []
    rows = ["## Promises checked in this run", "", "| promise | checked | held |", "|---|---|---|"]
    rows += [
        f"| {name} | {markdown(what, 200)} | {'yes' if held else '**NO**'} |" for name, what, held in dossier.promises
    ]
    return [*rows, ""]


def _steps(dossier: Dossier) -> list[str]:
    rows = ["## Steps", "", "| stage | step | state | seconds | note |", "|---|---|---|---|---|"]
    for s in dossier.steps:
        seconds = f"{s.seconds:.1f}" if s.seconds is not None else ""
        rows.append(f"| {s.stage} | {s.title} (`{s.id}`) | {s.state} | {seconds} | {markdown(s.note, 200)} |")
    return [*rows, ""]
