"""Printing: JSON for machines on standard output, text for people, errors in three parts; hostile text is made plain first."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import ResponseError
from firebreak.report.hostile import plain, printable_json

_AT_ONCE = 500  # items of a long list that are written at once
_WIDE = 200  # where nobody's terminal says how wide it is, nothing is to be cut off

stderr = Console(stderr=True, highlight=False, soft_wrap=True, width=None if sys.stderr.isatty() else _WIDE)
stdout = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _WIDE)

Json = typer.Option(False, "--json", help="Print one JSON document for machines.")


def print_json(value: Any) -> None:
    """One JSON document, indented, stable key order as built."""
    sys.stdout.write(_indented(value) + "\n")
    sys.stdout.flush()


def print_long_json(members: Mapping[str, Any]) -> None:
    """One JSON object, as `print_json` writes it; a member that is an iterator is written as a list while it is walked."""
    write = sys.stdout.write
    for number, (name, value) in enumerate(members.items()):
        write(",\n" if number else "{\n")
        if isinstance(value, Iterator):
            _print_list(name, value)
        else:
            write(_indented({name: value}).removeprefix("{\n").removesuffix("\n}"))
    write("\n}\n")
    sys.stdout.flush()


def _print_list(name: str, items: Iterator[Any]) -> None:
    head, tail = f'{{\n  "{name}": [\n', "\n  ]\n}"
    begun = False
    while some := list(islice(items, _AT_ONCE)):
        sys.stdout.write(",\n" if begun else head.removeprefix("{\n"))
        sys.stdout.write(_indented({name: some}).removeprefix(head).removesuffix(tail))
        begun = True
    sys.stdout.write("\n  ]" if begun else f'  "{name}": []')


def _indented(value: Any) -> str:
    return printable_json(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_line(value: Any) -> None:
    """One JSON document on one line."""
    sys.stdout.write(printable_json(msgspec.json.encode(value)) + "\n")
    sys.stdout.flush()


def print_error(error: ResponseError, *, as_json: bool) -> None:
    """What was refused or failed, then what to do next."""
    error.message, error.hint = without_secrets(error.message), without_secrets(error.hint)
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": error.hint}})
        return
    colour = {2: "yellow", 3: "magenta"}.get(error.exit_code, "red")
    label = {2: "waiting", 3: "refused"}.get(error.exit_code, "error")
    stderr.print(f"[{colour} bold]{label}:[/] {safe(error.message, 2000)}")
    if error.hint:
        stderr.print("\n".join(escape("  " + plain(line, 2000)) for line in error.hint.splitlines()))


def safe(text: object, longest: int = 160) -> str:
    """Text that may come from Azure, for a terminal: no control characters, no markup."""
    return escape(plain(text, longest))


def say(text: str) -> None:
    """Progress for whoever watches, on standard error."""
    stderr.print(f"[dim]·[/] {safe(text, 400)}")
