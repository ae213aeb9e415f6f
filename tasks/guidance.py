"""The rows of `guidance.yaml`: what Microsoft recommends to partners, what this release does about each, and what it asks of people."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from ruamel.yaml import YAML

from firebreak.errors import ContentError
from firebreak.model.todo import DONE, Instruction
from firebreak.report.prepared import DATA, OCCASIONS

_ROW = re.compile(r"S[0-9]{2,3}")
_WORD = re.compile(r"[a-z][a-z_]*")
KINDS = ("detect", "decide", "contain", "eradicate", "recover", "harden", "report")
COULD = ("auto", "gate", "assist", "human")
MODES = {
    "auto": "automatic",
    "gate": "after an approval",
    "assist": "prepared, a person does it",
    "human": "by people",
    "none": "not yet: by hand",
}
PHASES = ("investigate", "contain", "eradicate", "recover", "harden", "notify")


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a responder is asked to do for a row: see `Instruction`."""

    how: str
    shows: tuple[str, ...] = ()
    when: str = "always"
    answers: tuple[str, ...] = DONE
    before: tuple[str, ...] = ()


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One recommendation: what a program could do about it and what this release does; `note` says what is missing."""

    id: str
    kind: str
    could: str
    mode: str
    text: str
    by: tuple[str, ...] = ()
    note: str = ""
    asks: Asked | None = None


def guidance_rows(data: bytes | None = None) -> tuple[Row, ...]:
    """Return the rows of `tasks/guidance.yaml` in order.

    Raises:
        ContentError: an unknown key or word, a row twice or out of order.
    """
    text = data if data is not None else (Path(__file__).parent / "guidance.yaml").read_bytes()
    try:
        rows = msgspec.convert(YAML(typ="safe").load(text), tuple[Row, ...])
    except msgspec.ValidationError as exc:
        raise ContentError(f"guidance.yaml: {exc}.") from exc
    for number, row in enumerate(rows, start=1):
        if not _ROW.fullmatch(row.id) or int(row.id[1:]) != number:
            raise ContentError(f"guidance.yaml: row {number} is called {row.id!r}.", hint="Rows are never renumbered.")
        words = [(row.kind, KINDS), (row.could, COULD), (row.mode, tuple(MODES))]
        if row.asks is not None:
            words += [(row.asks.when, tuple(OCCASIONS)), *((name, tuple(DATA)) for name in row.asks.shows)]
            words += [(phase, PHASES) for phase in row.asks.before]
        for word, known in words:
            if word not in known:
                raise ContentError(f"guidance.yaml: {row.id} says {word!r}.", hint=f"Known: {', '.join(known)}.")
        answers = row.asks.answers if row.asks is not None else DONE
        if not answers or len(set(answers)) != len(answers) or not all(map(_WORD.fullmatch, answers)):
            raise ContentError(
                f"guidance.yaml: {row.id} has the answers {', '.join(answers)}.",
                hint="Answers are different words of small letters.",
            )
    return rows


def instructions() -> tuple[Instruction, ...]:
    """What the rows ask of people, in order."""
    return tuple(
        Instruction(row=row.id, text=row.text, **msgspec.structs.asdict(row.asks))
        for row in guidance_rows()
        if row.asks is not None
    )
