"""A what-if as text for a terminal: time and money first, then what stops, what hung on it, and what the attacker would have met."""

from __future__ import annotations

from collections import Counter

from rich.table import Column, Table

from firebreak.cli.output import safe, stdout
from firebreak.replay.world.carrying import NOT_TRIED
from firebreak.replay.world.result import WhatIf, gaps, leaf, summary, tried
from firebreak.report.hostile import plain

_MOST = 30


def print_what_if(one: WhatIf) -> None:
    stdout.print("[bold]What if it had been carried out[/] (on the embedded Azure)")
    stdout.print(safe(summary(one), 1000))
    plans = Table("plan", Column("actions", justify="right"), "ended", Column("seconds", justify="right"), box=None)
    for done in one.carried:
        skipped = {action.id for action in done.not_tried}
        ended = Counter(str(row.state).replace("_", " ") for row in done.rows if row.action.id not in skipped)
        told = ", ".join(f"{count} {state}" for state, count in sorted(ended.items()))
        told += f"{', ' if told else ''}{len(skipped)} not tried" if skipped else ""
        plans.add_row(
            safe(str(done.point)), str(len(done.plan.actions)), safe(f"{told} {done.problem}".strip(), 300),
            f"{(done.ended - done.began).total_seconds():.1f}",
        )  # fmt: skip
    stdout.print(plans)
    for (what, kind, whose), count in sorted(
        Counter((each.what, each.type.rsplit("/", 1)[-1], each.whose) for each in one.effects.stopped).items()
    ):
        colour = "yellow" if whose == "attacker" else "red"
        stdout.print(f"  {count} {safe(kind)} {what}, taken for: [{colour}]{safe(whose)}[/]")
    _dependents(one)
    _aftermath(one)
    for done in one.carried:
        for action in done.not_tried:
            stdout.print(f"[dim]not tried: {safe(action.title, 120)}: {NOT_TRIED[action.kind]}[/]")
    for line in gaps(one, plain):
        stdout.print(f"[dim]{safe(line, 600)}[/]")


def _dependents(one: WhatIf) -> None:
    found = one.effects.dependents
    if not found:
        stdout.print("Nothing that is left standing hung on it, as far as the record shows.")
        return
    table = Table("left standing", "kind", "whose", "hung on", "by", box=None)
    for each in found[:_MOST]:
        kind = each.type.rsplit("/", 1)[-1]
        table.add_row(
            safe(leaf(each.id), 60), safe(kind, 40), safe(each.whose), safe(leaf(each.of), 60), safe(each.how, 80)
        )
    stdout.print(table)
    if len(found) > _MOST:
        stdout.print(f"  and {len(found) - _MOST} more; --json has all")


def _aftermath(one: WhatIf) -> None:
    stdout.print(safe(tried(one), 600))
    table = Table("at (UTC)", "operation", "on", "then", "now", "because", "with a token still good", box=None)
    for each in one.aftermath[:_MOST]:
        colour = {"refused": "green", "works": "red"}.get(each.now, "dim")
        table.add_row(
            f"{each.at:%m-%d %H:%M}", safe(each.operation, 60), safe(leaf(each.target), 40), safe(each.then, 12),
            f"[{colour}]{each.now}[/]", safe(each.because, 120), safe(": ".join(filter(None, (each.with_token, each.with_token_because))), 120),
        )  # fmt: skip
    if one.aftermath:
        stdout.print(table)
    if len(one.aftermath) > _MOST:
        stdout.print(f"  and {len(one.aftermath) - _MOST} more; --json has all")
