"""What a playbook file may contain, as data: each form reads a YAML node and writes its own JSON schema.

Reading never stops at the first problem. A form returns None where it found one; the problem, with its place, is in the `Reading`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from firebreak.errors import PlaybookError

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_DURATION = re.compile(r"([1-9][0-9]*)(m|h|d)")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
MAX_DEPTH = 12


@dataclass
class Reading:
    """One pass over one file: the problems found so far and where each value, and each key, stood."""

    file: str
    problems: list[PlaybookError] = field(default_factory=list)
    places: dict[Path, Node] = field(default_factory=dict)
    keys: dict[Path, Node] = field(default_factory=dict)
    _seen: set[int] = field(default_factory=set)

    def problem(self, node: Node | None, message: str, hint: str = "") -> None:
        line, column = (node.start_mark.line + 1, node.start_mark.column + 1) if node is not None else (1, 1)
        self.problems.append(PlaybookError(message, file=self.file, line=line, column=column, hint=hint))

    def enter(self, node: Node, path: Path) -> bool:
        """Note where `path` stands; False, and a problem, when the node was met before (an alias) or nests too deep."""
        self.places[path] = node
        if id(node) in self._seen:
            self.problem(node, "Anchors and aliases are not used in playbooks.", "Write the value out.")
            return False
        self._seen.add(id(node))
        if len(path) > MAX_DEPTH:
            self.problem(node, f"Values nest deeper than {MAX_DEPTH} levels.", "Flatten it.")
            return False
        return True


class Form(Protocol):
    def read(self, node: Node, reading: Reading, path: Path) -> Any: ...
    def schema(self) -> dict[str, Any]: ...


def kind_of(node: Node) -> str:
    """Return what a person would call the node: text, a whole number, a list, ..."""
    if isinstance(node, MappingNode):
        return "a mapping"
    if isinstance(node, SequenceNode):
        return "a list"
    tag = str(node.tag or "")
    names = {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "nothing"}
    short = tag.removeprefix(_TAG)
    return names.get(short, f"a value tagged {short}")


def _text(node: Node) -> str:
    """The text of a scalar. In folded ones (`>`) ruamel.yaml marks every fold with a bell, to write the document again as it was."""
    return str(node.value).replace("\a", "") if getattr(node, "style", None) == ">" else str(node.value)


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a did-you-mean hint, or the list of what is known when nothing is near."""
    known = sorted(words)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return "Known here: " + ", ".join(known) + "." if len(known) <= 20 else ""


def _scalar(node: Node, reading: Reading, path: Path, wanted: str, tags: tuple[str, ...]) -> str | None:
    if not reading.enter(node, path):
        return None
    if isinstance(node, ScalarNode) and str(node.tag or "").removeprefix(_TAG) in tags:
        return _text(node)
    hint = "Put it in quotes." if wanted == "text" and isinstance(node, ScalarNode) else ""
    shown = f" {node.value!r}" if isinstance(node, ScalarNode) and node.value != "" else ""
    reading.problem(node, f"{_name(path)} must be {wanted}, not {kind_of(node)}{shown}.", hint)
    return None


def _name(path: Path) -> str:
    words = [str(part) for part in path if isinstance(part, str)]
    return f"'{words[-1]}'" if words else "The file"


@dataclass(frozen=True)
class Text:
    """Text on one or several lines, not empty, that matches `pattern` whole when there is one."""

    pattern: str = ""
    example: str = ""
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> str | None:
        value = _scalar(node, reading, path, "text", ("str",))
        if value is None:
            return None
        if not value.strip():
            reading.problem(node, f"{_name(path)} is empty.")
            return None
        if self.pattern and not re.fullmatch(self.pattern, value):
            reading.problem(node, f"{_name(path)} {value!r} has the wrong form.", f"Write it like {self.example}.")
            return None
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1} | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`."""

    least: int = 0
    most: int = 10**9
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> int | None:
        value = _scalar(node, reading, path, "a whole number", ("int",))
        if value is None:
            return None
        try:
            number = int(value.replace("_", ""), 0)
        except ValueError:
            reading.problem(
                node, f"{_name(path)} must be a whole number, not {value!r}.", "Write it in decimal digits."
            )
            return None
        if not self.least <= number <= self.most:
            reading.problem(node, f"{_name(path)} must be from {self.least} to {self.most}, not {number}.")
            return None
        return number

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Exact:
    """A decimal number, kept exactly as written: money and shares never pass through a float."""

    over: Decimal
    most: Decimal
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> Decimal | None:
        value = _scalar(node, reading, path, "a number", ("int", "float", "str"))
        if value is None:
            return None
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            reading.problem(node, f"{_name(path)} must be a number, not {value!r}.")
            return None
        if not self.over < number <= self.most:
            reading.problem(node, f"{_name(path)} must be over {self.over} and at most {self.most}, not {number}.")
            return None
        return number

    def schema(self) -> dict[str, Any]:
        number = {"type": "number", "exclusiveMinimum": int(self.over), "maximum": int(self.most)}
        return {"anyOf": [number, {"type": "string", "pattern": r"^[0-9]+(?:\.[0-9]+)?$"}]}


@dataclass(frozen=True)
class Flag:
    """true or false."""

    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> bool | None:
        value = _scalar(node, reading, path, "true or false", ("bool",))
        return None if value is None else value.lower() == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Duration:
    """A length of time like 90m, 24h or 2d; read as minutes."""

    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> int | None:
        value = _scalar(node, reading, path, "a duration", ("str",))
        if value is None:
            return None
        match = _DURATION.fullmatch(value)
        if match is None:
            reading.problem(node, f"{_name(path)} {value!r} is not a duration.", "Write it like 90m, 24h or 2d.")
            return None
        return int(match[1]) * _MINUTES[match[2]]

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{_DURATION.pattern})$"}


@dataclass(frozen=True)
class Each:
    """A list of one form; `unique` refuses the same value twice."""

    item: Form
    least: int = 0
    unique: bool = False
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> list[Any] | None:
        if not reading.enter(node, path):
            return None
        if not isinstance(node, SequenceNode):
            reading.problem(node, f"{_name(path)} must be a list, not {kind_of(node)}.", "Begin each entry with '- '.")
            return None
        if len(node.value) < self.least:
            reading.problem(node, f"{_name(path)} needs at least {self.least} entry.")
        values = []
        for index, child in enumerate(node.value):
            value = self.item.read(child, reading, (*path, index))
            if self.unique and value is not None and value in values:
                reading.problem(child, f"{value!r} stands twice in {_name(path)}.", "Remove one.")
            values.append(value)
        return values

    def schema(self) -> dict[str, Any]:
        unique = {"uniqueItems": True} if self.unique else {}
        return {"type": "array", "items": self.item.schema(), "minItems": self.least} | unique


@dataclass(frozen=True)
class Named:
    """A mapping from names of the author's choice to one form."""

    item: Form
    pattern: str
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> dict[str, Any] | None:
        if not reading.enter(node, path):
            return None
        values: dict[str, Any] = {}
        for key, child in pairs(node, reading, path):
            if not re.fullmatch(self.pattern, str(key.value)):
                reading.problem(key, f"{key.value!r} is not a name for an entry of {_name(path)}.")
                continue
            values[str(key.value)] = self.item.read(child, reading, (*path, str(key.value)))
        return values

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "patternProperties": {f"^(?:{self.pattern})$": self.item.schema()},
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Record:
    """A mapping with known keys; any other key is a problem."""

    fields: dict[str, Form]
    required: tuple[str, ...] = ()
    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> dict[str, Any] | None:
        if not reading.enter(node, path):
            return None
        if not isinstance(node, MappingNode):
            reading.problem(node, f"{_name(path)} must be a mapping, not {kind_of(node)}.")
            return None
        values: dict[str, Any] = {}
        for key, child in pairs(node, reading, path):
            name = str(key.value)
            if name not in self.fields:
                reading.problem(key, f"Unknown key {name!r}.", nearest(name, self.fields))
                continue
            values[name] = self.fields[name].read(child, reading, (*path, name))
        for name in self.required:
            if name not in values:
                reading.problem(node, f"Key {name!r} is missing.")
        return values

    def schema(self) -> dict[str, Any]:
        properties = {}
        for name, form in self.fields.items():
            text = getattr(form, "doc", "")
            properties[name] = form.schema() | ({"description": text} if text else {})
        return {
            "type": "object",
            "properties": properties,
            "required": list(self.required),
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Free:
    """Any plain value: text, numbers, true or false, lists and mappings of them. Fractions become Decimals."""

    doc: str = ""

    def read(self, node: Node, reading: Reading, path: Path) -> Any:
        if not reading.enter(node, path):
            return None
        if isinstance(node, MappingNode):
            return {str(k.value): self.read(v, reading, (*path, str(k.value))) for k, v in pairs(node, reading, path)}
        if isinstance(node, SequenceNode):
            return [self.read(child, reading, (*path, index)) for index, child in enumerate(node.value)]
        text, tag = _text(node), str(node.tag or "").removeprefix(_TAG)
        value = _plain(text, tag)
        if value is not None:
            return value
        reading.problem(node, f"{_name(path)} must be text, a number, true or false, not {kind_of(node)} {text!r}.")
        return None

    def schema(self) -> dict[str, Any]:
        return {}


def _plain(text: str, tag: str) -> str | int | bool | Decimal | None:
    try:
        match tag:
            case "str":
                return text
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text.replace("_", ""), 0)
            case "float" if Decimal(text).is_finite():
                return Decimal(text)
    except (InvalidOperation, ValueError):
        return None
    return None


def pairs(node: Node, reading: Reading, path: Path) -> list[tuple[ScalarNode, Node]]:
    """Return the entries of a mapping node with plain text keys; says what is wrong with the others, duplicates included."""
    if not isinstance(node, MappingNode):
        reading.problem(node, f"{_name(path)} must be a mapping, not {kind_of(node)}.")
        return []
    seen: dict[str, int] = {}
    entries = []
    for key, child in node.value:
        if not isinstance(key, ScalarNode) or str(key.tag or "").removeprefix(_TAG) != "str":
            reading.problem(key, f"A key must be text, not {kind_of(key)}.")
        elif key.value in seen:
            reading.problem(key, f"Key {key.value!r} stands twice, first on line {seen[key.value]}.", "Remove one.")
        else:
            seen[key.value] = key.start_mark.line + 1
            reading.keys[(*path, str(key.value))] = key
            entries.append((key, child))
    return entries
