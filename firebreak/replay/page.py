"""What a replay came to, as a Markdown page for the Prefect UI. Names out of the bundle are made plain: they may be an attacker's. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from firebreak.replay.differences import ActionChange, PlanChange
from firebreak.replay.result import Replayed
from firebreak.report.hostile import markdown
from firebreak.report.kinds import kind_in_words

_MOST = 60
_MARKS = {"added": "new", "removed": "gone", "changed": "moved"}


def banner(incident: str, opened_at: str) -> str:
    """What stands above every page of a replay."""
    return (
        f"> **DRY RUN: a replay of {markdown(incident)}, recorded on {markdown(opened_at)}.** "
        "Nothing here is happening now, nothing is sent to any cloud, and no answer approves anything.\n\n"
    )


def result_page(one: Replayed) -> str:
    """The plans of now beside those of then, what differs and why, and the score where the bundle has ground truth."""
    book, then = one.dossier.playbook, one.bundle.head.playbook
    same = (
        "the playbook of then" if book.digest == then.digest else f"then {markdown(then.id)} {markdown(then.version)}"
    )
    changed = sum(change.is_change for change in one.changes)
    verdict = f"**{changed} of {len(one.changes)} plans changed**" if changed else "**The plans are the same**"
    lines = [
        "# What the replay came to",
        "",
        (
            f"{verdict} against what was {one.against}. Replayed with {markdown(book.id)} {markdown(book.version)} ({same}); "
            f"gates answered: {one.policy.value}; verdict: {markdown(one.dossier.verdict)}."
        ),
        "",
        markdown(one.dossier.note, 400),
        "",
        "| plan | actions then | now | gate | |",
        "|:---|---:|---:|:---|:---|",
        *(_row(one, change) for change in one.changes),
        "",
        *(line for change in one.changes if change.is_change for line in _differences(change)),
        *_score(one),
    ]
    if one.missing:
        first = one.missing[0]
        lines += [
            "## Not recorded",
            "",
            (
                f"{len(one.missing)} questions were not asked then, so they have no answer and the plans may be incomplete. The first: "
                f"{markdown(first.method)} {markdown(first.url, 300)} ({markdown(first.step)})."
            ),
            "",
        ]
    return "\n".join(lines)


def _row(one: Replayed, change: PlanChange) -> str:
    name = f"{one.dossier.incident.id}.{change.stage}.{change.attempt}"
    gate = next((gate for gate in one.dossier.gates if gate.id == name), None)
    people = ", ".join(dict.fromkeys(approval.approver for approval in gate.approvals)) if gate else ""
    ended = "" if gate is None else f"{gate.state} by {people}" if people else gate.state
    why = one.why_open.get(name, "")
    place = change.stage if change.attempt == 1 else f"{change.stage}, plan {change.attempt}"
    return (
        f"| {markdown(place)} | {change.actions_then} | {change.actions_now} | {markdown(f'{ended}: {why}' if why else ended, 200)} "
        f"| {change.state} |"
    )


def _differences(change: PlanChange) -> Iterator[str]:
    yield f"## {markdown(change.stage)}: what differs"
    yield ""
    for name, (then, now) in change.flags.items():
        yield f"- {markdown(name)}: {markdown(_told(then), 300)} → {markdown(_told(now), 300)}"
    for action in change.actions[:_MOST]:
        yield f"- {_action(action)}"
    if len(change.actions) > _MOST:
        yield f"- and {len(change.actions) - _MOST} more: `firebreak replay BUNDLE --json` has all"
    for left in change.left_alone[:_MOST] if not change.actions else ():
        yield f"- left alone otherwise: {markdown(_leaf(left.target))}: {markdown(_told(left.then), 200)} → {markdown(_told(left.now), 200)}"
    yield ""


def _action(action: ActionChange) -> str:
    because = action.because or " ".join((*action.reasons_added, *action.reasons_removed))
    said = f": {markdown(because, 300)}" if because else ""
    return f"**{_MARKS[action.change]}** {kind_in_words(action.kind)} {markdown(_leaf(action.target), 100)}{said}"


def _score(one: Replayed) -> Iterator[str]:
    found = one.score
    if found is None:
        return
    yield "## Against the ground truth"
    yield ""
    share = "" if found.recall is None else f" ({found.recall:.0%})"
    yield f"- {len(found.found)} of {found.rogue} of the attacker's resources would have been acted on{share}"
    yield f"- {len(found.protected_touched)} of the customer's would have been touched"
    for name in found.protected_touched[:_MOST]:
        yield f"  - **must stay:** {markdown(name, 300)}"
    for name in found.missed[:_MOST]:
        yield f"  - missed: {markdown(name, 300)}"
    if found.verdict_is_right is False:
        yield f"- verdict {markdown(found.verdict)}, expected {markdown(found.verdict_expected)}"
    yield ""


def _leaf(target: str) -> str:
    return target.rsplit("/", 1)[-1]


def _told(value: object) -> str:
    return " ".join(map(str, value)) or "none" if isinstance(value, tuple | list) else str(value)
