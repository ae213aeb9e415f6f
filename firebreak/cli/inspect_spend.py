"""`firebreak inspect spend`: which days of a cost reply stand out, since when, and how much too much; offline.

firebreak inspect spend reply.json --as-of 2026-11-19
"""

from __future__ import annotations

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from rich.table import Table as TextTable

from firebreak.analysis.replies import review_spend
from firebreak.analysis.spend_rows import Table, read_csv, read_table
from firebreak.cli.output import Json, print_json, safe, stdout
from firebreak.errors import ContentError
from firebreak.model.facts import SpendFacts
from firebreak.report.charts import sparkline
from firebreak.report.dossier import money

_SHOWN = 12
_HINT = (
    "Expected a Cost Management query reply (JSON), a list of its pages, an Azure cost export or a FOCUS file (CSV)."
)


def spend(
    file: str = typer.Argument(help="A Cost Management query reply, or a cost export as CSV; - for standard input."),
    as_of: str | None = typer.Option(None, "--as-of", metavar="DATE", help="Look at nothing later than this day."),
    as_json: bool = Json,
) -> None:
    """Review daily cost: the days that stand out, since when, how much too much, and what drives it."""
    last = _day(as_of) if as_of else None
    facts = review_spend(_read(file), as_of=last)
    if as_json:
        print_json(_document(facts, last))
    else:
        _show(facts)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ContentError(f"--as-of {text!r} is no day.", hint="Write it as 2026-11-19.") from error


def _read(file: str) -> Table:
    name = "standard input" if file == "-" else file
    try:
        text = (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise ContentError(f"{name} cannot be read: {error.strerror}.", hint="Name a file, or - for input.") from error
    except UnicodeDecodeError as error:
        raise ContentError(f"{name} is no UTF-8 text: byte {error.start}.", hint=_HINT) from error
    try:
        if text.lstrip()[:1] in ("{", "["):
            return read_table(json.loads(text), strict=True)
        if not text.strip():
            raise ContentError("it is empty.", hint=_HINT)
        return read_csv(text)
    except (json.JSONDecodeError, RecursionError) as error:
        where = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
        raise ContentError(f"{name}{where} is no JSON: {error}.", hint=_HINT) from error
    except ContentError as error:
        raise ContentError(f"{name}: {error.message}", hint=error.hint) from error


def _document(facts: SpendFacts, as_of: date | None) -> dict[str, Any]:
    total = facts.total
    days = total.days if total else ()
    unjudged: tuple[Decimal | None, ...] = (None,) * len(days)
    flagged = {flag.day for flag in facts.flagged}
    rows = zip(days, total.amounts if total else (), facts.baseline or unjudged, facts.bounds or unjudged, strict=True)
    return {
        "status": facts.status,
        "causal": True,
        "as_of": as_of,
        "currency": facts.currency,
        "flagged_days": sorted(flagged),
        "start_day": facts.start_day,
        "end_day": facts.end_day,
        "extra_spend": _number(facts.extra_spend),
        "baseline": [
            {
                "day": day,
                "amount": _number(amount),
                "expected": _number(expected),
                "bound": _number(bound),
                "flagged": day in flagged,
            }
            for day, amount, expected, bound in rows
        ],
        "flags": [
            {
                "day": flag.day,
                "by": flag.by,
                "key": flag.key,
                "amount": _number(flag.amount),
                "expected": _number(flag.expected),
                "together": flag.together,
                "past": flag.past,
                "why": flag.why,
            }
            for flag in facts.flagged
        ],
        "drivers": [
            {"by": driver.by, "name": driver.name, "extra": _number(driver.extra), "new": driver.new}
            for driver in facts.drivers
        ],
        "incomplete_days": facts.incomplete_days,
        "days": len(days),
        "series": len(facts.series),
        "not_looked_at": [{"what": note.what, "why": note.why} for note in facts.not_looked_at],
    }


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(round(amount, 4))


def _show(facts: SpendFacts) -> None:
    total = facts.total
    if facts.status == "too_little_history":
        had = f"{len(total.days)} days" if total else "no days"
        stdout.print(f"[yellow]Too little history to judge:[/] {had}, 14 are needed.")
    elif facts.status == "ok":
        stdout.print("[green]Within its usual course.[/]")
    else:
        stdout.print(
            f"[red bold]Unusual since {facts.start_day}[/]: {safe(money(facts.extra_spend, facts.currency))} more than expected"
            f" until {facts.end_day}."
        )
    if total:
        line, marks = sparkline(facts)
        stdout.print(f"\n{total.days[-len(line)]} {line} {total.days[-1]}", no_wrap=True)
        if marks.strip():
            stdout.print(f"{'':10} [red]{marks}[/]  ^ flagged", no_wrap=True)
        stdout.print(f"The newest day, {total.days[-1]}, may not be complete.")
    if facts.flagged:
        table = TextTable("day", "what", "cost", "expected", "why", box=None)
        for flag in facts.flagged[-_SHOWN:]:
            what = " in ".join(part for part in flag.key if part) or "all"
            table.add_row(str(flag.day), safe(what, 80), f"{flag.amount:,.2f}", f"{flag.expected:,.2f}", flag.why)
        stdout.print()
        stdout.print(table)
        if len(facts.flagged) > _SHOWN:
            stdout.print(f"… {len(facts.flagged) - _SHOWN} earlier ones: --json has all")
    for driver in facts.drivers:
        new = ", new" if driver.new else ""
        stdout.print(f"{safe(driver.by)} {safe(driver.name) or '(none)'}: {driver.extra:+,.2f}{new}")
    for note in facts.not_looked_at:
        stdout.print(f"[yellow]not looked at:[/] {safe(note.what)}: {safe(note.why)}")
