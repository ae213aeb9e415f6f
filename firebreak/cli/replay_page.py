"""A replay as text: what was planned then and now, each difference on a line of its own, and the table over many bundles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Column, Table

from firebreak.cli.output import safe, stdout
from firebreak.errors import ResponseError
from firebreak.replay.differences import ActionChange, PlanChange
from firebreak.replay.result import Replayed
from firebreak.replay.score import Score

_MOST_LINES = 200
_MARKS = {"added": "[green]+[/]", "removed": "[red]-[/]", "changed": "[yellow]~[/]"}


def print_one(one: Replayed, *, brief: bool = False) -> None:
    """Print one replay; `brief` leaves out what the table over many says."""
    head = one.bundle.head
    book, then = one.dossier.playbook, head.playbook
    same_book = "as it was then" if book.digest == then.digest else f"then {safe(then.id)} {safe(then.version)}"
    if book.digest != then.digest and (book.id, book.version) == (then.id, then.version):
        same_book = "changed since under the same version"
    stdout.print(
        f"[bold]{safe(head.incident.id)}[/] of {head.incident.opened_at:%Y-%m-%d %H:%MZ} ({safe(one.name, 300)}): "
        f"replayed with {safe(book.id)} {safe(book.version)}, {same_book}; gates: {one.policy.value}"
    )
    if not brief:
        _print_plans(one)
        stdout.print(f"verdict: {safe(one.dossier.verdict)}; {safe(one.dossier.note, 300)}")
    for change in one.changes:
        _print_change(change)
    if one.conclusions:
        stdout.print(f"[bold]conclusions[/]: {len(one.conclusions)} differ")
    for told in one.conclusions[:_MOST_LINES]:
        stdout.print(f"  ~ {safe(told.what, 200)}: {safe(told.then)} → {safe(told.now)}")
    if one.score is not None:
        _print_score(one.score)
    for missed in one.dossier.not_looked_at:
        stdout.print(f"not looked at: {safe(missed.what)}: {safe(missed.why, 300)}")
    if one.missing:
        stdout.print(f"{len(one.missing)} questions were not recorded, the first: {safe(_asked(one), 400)}")
    if one.is_changed:
        stdout.print(f"[yellow bold]changed[/] against what was {one.against}.")
    elif not brief:
        stdout.print(f"[green]unchanged[/] against what was {one.against}.")


def print_table(done: Sequence[Replayed], failed: Mapping[str, ResponseError]) -> None:
    """One line for each bundle."""
    table = Table(
        Column("bundle", no_wrap=True),
        "verdict",
        Column("plans", no_wrap=True),
        Column("actions then", justify="right"),
        Column("now", justify="right"),
        "compared",
        Column("precision", justify="right"),
        Column("recall", justify="right"),
        Column("protected touched", justify="right"),
        box=None,
    )
    for one in done:
        found = one.score
        table.add_row(
            safe(one.name, 80),
            safe(one.dossier.verdict),
            one.plan_digest[:12],
            str(sum(change.actions_then for change in one.changes)),
            str(sum(change.actions_now for change in one.changes)),
            "[yellow bold]changed[/]" if one.is_changed else "same",
            _share(found.precision if found else None),
            _share(found.recall if found else None),
            str(len(found.protected_touched)) if found else "",
        )
    for place, error in failed.items():
        table.add_row(safe(place, 80), "", "", "", "", f"[red]{error.code}[/]", "", "", "")
    stdout.print(table)
    changed = sum(one.is_changed for one in done)
    stdout.print(f"{len(done)} replayed, {changed} changed" + (f", {len(failed)} refused" if failed else "") + ".")


def _print_plans(one: Replayed) -> None:
    table = Table(
        "plan", "round", Column("then", justify="right"), Column("now", justify="right"), "digest", "gate", "", box=None
    )
    gates = {(gate.stage, gate.id.rpartition(".")[2]): gate for gate in one.dossier.gates}
    for change in one.changes:
        gate = gates.get((change.stage, str(change.attempt)))
        table.add_row(
            safe(change.stage if change.attempt == 1 else f"{change.stage}, plan {change.attempt}"),
            _round(one, change),
            str(change.actions_then),
            str(change.actions_now),
            change.digest_now[:12],
            "" if gate is None else safe(one.why_open.get(gate.id) or _answer(gate.state, gate.approvals), 100),
            "same digest" if change.digest_then == change.digest_now else change.state,
        )
    stdout.print(table)


def _round(one: Replayed, change: PlanChange) -> str:
    for point, number in one.past.facts_rounds.items():
        if point == (change.stage, change.attempt):
            return str(number)
    return ""


def _answer(state: str, approvals: Sequence[Any]) -> str:
    names = ", ".join(dict.fromkeys(approval.approver for approval in approvals))
    return f"{state} by {names}" if names else state


def _print_change(change: PlanChange) -> None:
    if not change.is_change:
        return
    place = change.stage if change.attempt == 1 else f"{change.stage}, plan {change.attempt}"
    counts = {mark: sum(one.change == mark for one in change.actions) for mark in _MARKS}
    told = [f"{count} actions {mark}" for mark, count in counts.items() if count]
    told += [f"{len(change.left_alone)} left alone otherwise"] if change.left_alone else []
    told += ["in another order"] if change.reordered else []
    told += [change.state] if change.state.startswith("only") else []
    stdout.print(f"[bold]{safe(place)}[/]: {', '.join(told) or 'the plan as a whole'}")
    for name, (then, now) in change.flags.items():
        stdout.print(f"  {name}: {safe(_told(then), 300)} → {safe(_told(now), 300)}")
    for action in change.actions[:_MOST_LINES]:
        _print_action(action)
    moved = {action.target.lower() for action in change.actions}
    left = [one for one in change.left_alone if one.target.lower() not in moved]
    for one in left[:_MOST_LINES]:
        stdout.print(f"  · {safe(_short(one.target))}: {safe(_told(one.then), 300)} → {safe(_told(one.now), 300)}")
    more = max(0, len(change.actions) - _MOST_LINES) + max(0, len(left) - _MOST_LINES)
    if more:
        stdout.print(f"  and {more} more; --json has all")


def _print_action(action: ActionChange) -> None:
    because = f": {safe(action.because, 300)}" if action.because else ""
    words = {"added": " was left alone then" if because else "", "removed": " is left alone now" if because else ""}
    stdout.print(
        f"  {_MARKS[action.change]} {safe(action.kind)} {safe(_short(action.target), 120)}{words.get(action.change, '')}{because}"
    )
    for reason in action.reasons_removed if action.change == "changed" else ():
        stdout.print(f"      [red]-[/] {safe(reason, 300)}")
    for reason in action.reasons_added if action.change != "removed" else ():
        stdout.print(f"      [green]+[/] {safe(reason, 300)}")
    for name, (then, now) in action.fields.items():
        stdout.print(f"      {safe(name)}: {safe(_told(then), 200)} → {safe(_told(now), 200)}")


def _print_score(found: Score) -> None:
    stdout.print(
        f"ground truth: precision {_share(found.precision)}, recall {_share(found.recall)} of {found.rogue}, "
        f"protected touched: {len(found.protected_touched)}"
    )
    for name in found.protected_touched[:20]:
        stdout.print(f"  [red]touches what must stay[/] {safe(name, 300)}")
    for name in found.missed[:20]:
        stdout.print(f"  [yellow]misses[/] {safe(name, 300)}")
    for name in found.attackers_missed:
        stdout.print(f"  [yellow]does not know the attacker[/] {safe(name, 200)}")
    if found.verdict_is_right is False:
        stdout.print(f"  verdict {safe(found.verdict)}, expected {safe(found.verdict_expected)}")


def _asked(one: Replayed) -> str:
    first = one.missing[0]
    return f"{first.method} {first.url} (round {first.round}, {first.step})"


def _share(value: object) -> str:
    return "" if value is None else str(value)


def _short(target: str) -> str:
    return target.rsplit("/", 1)[-1]


def _told(value: object) -> str:
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or "none"
    return str(value)
