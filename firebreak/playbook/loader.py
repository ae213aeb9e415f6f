"""From the bytes of a playbook file to a `Playbook`, or to the full list of what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node

from firebreak.errors import PlaybookError
from firebreak.model.plan import Limits
from firebreak.model.playbook import Gate, GuardRails, Playbook, PreAuthorised, Stage
from firebreak.model.step import Step
from firebreak.playbook.forms import Reading
from firebreak.playbook.rules import check
from firebreak.playbook.shape import PLAYBOOK

MAX_BYTES = 1_000_000


class InvalidPlaybookError(PlaybookError):
    """A playbook with several problems; each is in `problems`, the message has one line for each."""

    def __init__(self, problems: tuple[PlaybookError, ...]) -> None:
        first = problems[0]
        super().__init__(
            "\n".join(str(problem) for problem in problems),
            hint="Check the file with: firebreak playbooks validate FILE",
        )
        self.problems = problems
        self.file, self.line, self.column = first.file, first.line, first.column


def load_playbook(
    path_or_bytes: Path | str | bytes, *, file: str = "", steps: Mapping[str, Step] | None = None
) -> Playbook:
    """Read one playbook; `file` is the name used in messages, `steps` the declared steps (without them steps are not checked).

    Raises:
        PlaybookError: one problem. InvalidPlaybookError (its subclass): several; all are in its message.
    """
    if isinstance(path_or_bytes, bytes):
        data, name = path_or_bytes, file or "playbook"
    else:
        name = file or str(path_or_bytes)
        try:
            data = Path(path_or_bytes).read_bytes()
        except OSError as exc:
            raise PlaybookError(
                f"Playbook {name!r} cannot be read: {exc.strerror}.",
                hint="`firebreak playbooks list` shows the known ones.",
            ) from exc
    playbook, problems = read_playbook(data, file=name, steps=steps)
    if playbook is None:
        raise problems[0] if len(problems) == 1 else InvalidPlaybookError(problems)
    return playbook


def read_playbook(
    data: bytes, *, file: str, steps: Mapping[str, Step] | None = None
) -> tuple[Playbook | None, tuple[PlaybookError, ...]]:
    """Return the playbook and no problems, or None and all problems in the order of the file."""
    reading = Reading(file)
    node = _compose(data, reading)
    values = PLAYBOOK.read(node, reading, ()) if node is not None else None
    if isinstance(values, dict):
        check(values, reading, steps)
    if reading.problems or values is None:
        return None, tuple(sorted(reading.problems, key=lambda p: (p.line, p.column)))
    return _build(values), ()


def _compose(data: bytes, reading: Reading) -> Node | None:
    if len(data) > MAX_BYTES:
        reading.problem(None, f"The file has {len(data)} bytes; a playbook has at most {MAX_BYTES}.")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        reading.problem(None, f"The file is not UTF-8: byte {exc.start}.", "Save it as UTF-8.")
        return None
    try:
        node: Node | None = YAML(typ="rt").compose(text)
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        message = f"Not valid YAML: {exc.problem or exc.context}."
        reading.problems.append(PlaybookError(message, file=reading.file, line=line, column=column))
        return None
    except (YAMLError, RecursionError, ValueError) as exc:
        reading.problem(None, f"Not valid YAML: {str(exc).splitlines()[0] if str(exc) else type(exc).__name__}.")
        return None
    if node is None:
        reading.problem(
            None, "The file is empty.", "`firebreak playbooks export compromised-subscription` gives a start."
        )
    return node


def _build(values: dict[str, Any]) -> Playbook:
    rails: dict[str, Any] = dict(values["guard_rails"])
    limits = Limits(**rails.pop("limits"))
    lists: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in rails.items()}
    return Playbook(
        id=values["id"],
        version=values["version"],
        title=values["title"],
        description=values["description"].strip(),
        applies_to=tuple(values.get("applies_to", ())),
        stages=tuple(Stage(**(stage | {"steps": tuple(stage["steps"])})) for stage in values["stages"]),
        gates={name: _gate(name, gate) for name, gate in values.get("gates", {}).items()},
        guard_rails=GuardRails(limits=limits, **lists),
        parameters=values.get("parameters", {}),
    )


def _gate(name: str, values: dict[str, Any]) -> Gate:
    rest = dict(values)
    for key in ("expires_after", "remind_after", "escalate_after"):
        if key in rest:
            rest[f"{key}_minutes"] = rest.pop(key)
    if "pre_authorised" in rest:
        given = rest["pre_authorised"]
        rest["pre_authorised"] = PreAuthorised(**(given | {"steps": tuple(given["steps"])}))
    if "escalate_to" in rest:
        rest["escalate_to"] = tuple(rest["escalate_to"])
    return Gate(id=name, **(rest | {"approvers": tuple(rest["approvers"])}))
