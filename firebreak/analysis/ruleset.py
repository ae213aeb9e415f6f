"""All detections together: the shipped rules, the public ones, and an operator's own. An operation's name picks the few worth asking.

Shipped rules lie in `playbooks/detections/`: ours at the top, public ones with their licence in folders below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from firebreak.analysis.normal import COMMON, Document, document_of
from firebreak.analysis.operations import OperationLike
from firebreak.analysis.properties import facts_of
from firebreak.analysis.sigma import Problem, Rule, read_rules
from firebreak.errors import ContentError

_MOST_NAMES = 20_000
# What is there without looking through the whole event: the name, and the facts of `properties.py`.
_GIVEN = frozenset(
    {"operationname", "resourceprovider", "role", "rolekind", "rolescope", "opens", "opensadministration", "expensive"}
)


# What the reader of events finds, under the normal event's names.
KNOWN = frozenset({"caller", "address", "resourceid", "status", "category", "appid"})


class Candidates(msgspec.Struct, frozen=True):
    """What an operation's name says of the rules: those it settles, and those that must see the rest of the event."""

    settled: tuple[Rule, ...] = ()
    open: tuple[Rule, ...] = ()
    wanted: frozenset[str] = frozenset()  # the fields that the open ones look at

    @property
    def any(self) -> bool:
        return bool(self.settled or self.open)

    @property
    def ask_little(self) -> bool:
        """Whether the open ones look at an event's bodies and at what its reader knows anyhow, and at nothing else."""
        return all(field.startswith("body.") or field in KNOWN or field in _GIVEN for field in self.wanted)

    @property
    def unasked(self) -> frozenset[str]:
        """The parts of a body, of those that any resource has, that none of them looks at."""
        return COMMON - {field.split(".")[1] for field in self.wanted if field.startswith("body.")}


class RuleSet:
    """Rules by id, with the question which of them an event falls under."""

    def __init__(self, rules: Iterable[Rule], problems: Iterable[Problem] = ()) -> None:
        self.rules: dict[str, Rule] = {}
        for rule in rules:
            self.rules[rule.id] = rule
        self.problems = tuple(problems)
        self._by_name: dict[str, Candidates] = {}
        self._by_ids: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self._families: dict[tuple[str, ...], frozenset[str]] = {}

    def candidates(self, name: str) -> Candidates:
        """The rules worth asking for an operation's name, in any case."""
        found = self._by_name.get(name)
        if found is None:
            found = self._for_name(name)
            if len(self._by_name) < _MOST_NAMES:
                self._by_name[name] = found
        return found

    def _for_name(self, name: str) -> Candidates:
        known: Document = {"operationname": (name,), "resourceprovider": (name.split("/", 1)[0],)}
        settled, unsure = [], []
        of_azure = "/" in name
        for rule in self.rules.values():
            if of_azure and not speaks_of_activity(rule):
                continue
            said = rule.test(known, False)
            if said:
                settled.append(rule)
            elif said is None:
                unsure.append(rule)
        return Candidates(tuple(settled), tuple(unsure), frozenset[str]().union(*(rule.fields for rule in unsure)))

    def document(self, event: Mapping[Any, Any], name: str, known: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        """What the open rules for this name look at, out of an event: a small part of it."""
        candidates = self.candidates(name)
        wanted = candidates.wanted
        found = document_of(event, known, whole=not candidates.ask_little)
        for field, text in facts_of(found, name.lower(), event).items():
            found[field] = (text,)
        return found if "" in wanted else {field: found[field] for field in wanted & found.keys()}

    def matches(self, name: str, document: Document) -> tuple[str, ...]:
        """The ids of the rules that an operation falls under; of one family only the gravest, public ones as well."""
        candidates = self.candidates(name)
        full = {**document, "operationname": (name, *document.get("operationname", ()))}
        full.setdefault("resourceprovider", (name.split("/", 1)[0],))
        met = [*candidates.settled, *(rule for rule in candidates.open if rule.test(full, True))]
        best: dict[str, Rule] = {}
        for rule in met:
            held = best.get(rule.family)
            if held is None or _ORDER[rule.severity] > _ORDER[held.severity]:
                best[rule.family] = rule
        return tuple(rule.id for rule in best.values())

    def of(self, ids: Iterable[str]) -> tuple[Rule, ...]:
        """The rules of some ids; one that is not known any more is left out."""
        key = tuple(ids)
        found = self._by_ids.get(key)
        if found is None:
            found = tuple(self.rules[one] for one in key if one in self.rules)
            if len(self._by_ids) < _MOST_NAMES:
                self._by_ids[key] = found
        return found

    def families(self, ids: tuple[str, ...]) -> frozenset[str]:
        """The families of the rules of some ids."""
        found = self._families.get(ids)
        if found is None:
            found = frozenset(rule.family for rule in self.of(ids))
            if len(self._families) < _MOST_NAMES:
                self._families[ids] = found
        return found

    def coverage(self) -> dict[str, Any]:
        """How many rules there are, and those that cannot match an activity log since they speak of other logs."""
        elsewhere = [rule for rule in self.rules.values() if not speaks_of_activity(rule)]
        return {
            "rules": len(self.rules),
            "public": sum(rule.public for rule in self.rules.values()),
            "not_in_activity_log": sorted(rule.title for rule in elsewhere),
            "problems": [str(problem) for problem in self.problems],
        }


def speaks_of_activity(rule: Rule) -> bool:
    """Whether a rule can match an event of the activity log, as opposed to a sign-in or a directory's audit record."""
    return rule.service in {"", "activitylogs"} and (rule.speaks_of_operations or not rule.public)


_ORDER = {severity: rank for rank, severity in enumerate(("informational", "low", "medium", "high", "critical"))}


def rules_of(operation: OperationLike, rules: RuleSet | None = None) -> tuple[Rule, ...]:
    """The rules that an operation falls under; asked here where the facts were made without asking."""
    known = rules or shipped_rules()
    matched = operation.matched
    if matched is not None:
        return known.of(matched) if matched else ()
    facts = operation.properties
    body = {
        "sku": {"name": facts.get("size")},
        "properties": {
            "roleDefinitionId": facts.get("role"),
            "principalId": facts.get("granted_to"),
            "type": facts.get("extension"),
            "enforcementMode": facts.get("enforcement"),
            "level": facts.get("level"),
        },
    }
    event = {"resourceId": operation.resource_id, "properties": {"requestbody": body}}
    return known.of(known.matches(operation.name, known.document(event, operation.name, {"caller": operation.caller})))


def is_of(family: str, operation: OperationLike, rules: RuleSet | None = None) -> bool:
    """Whether an operation falls under a rule of that family."""
    matched = operation.matched
    if matched is None:
        return any(rule.family == family for rule in rules_of(operation, rules))
    return bool(matched) and family in (rules or shipped_rules()).families(matched)


@lru_cache(maxsize=1)
def shipped_rules() -> RuleSet:
    """The rules that come with the program.

    Raises:
        ContentError: one of them does not load, which is a mistake of ours.
    """
    found = RuleSet(*_shipped())
    if found.problems:
        raise ContentError(f"A shipped detection is broken: {found.problems[0]}", hint="Install the program anew.")
    return found


def rules_with(folder: Path | None) -> RuleSet:
    """The shipped rules and those of a folder (all `.yml` and `.yaml` below it); one of the same id replaces a shipped one.

    Raises:
        ContentError: the folder is not there. A broken rule is no error: it is in `problems`.
    """
    if folder is None:
        return shipped_rules()
    if not folder.is_dir():
        raise ContentError(f"The folder of detections {folder} is not there.", hint="Name a folder with Sigma rules.")
    rules, problems = _shipped()
    files: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".yml", ".yaml"} and path.is_file():
            try:
                files[str(path)] = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(Problem(str(path), 1, f"It cannot be read: {error}."))
    own, own_problems = read_rules(files)
    return RuleSet([*rules, *own], [*problems, *own_problems])


def _shipped() -> tuple[list[Rule], list[Problem]]:
    top = resources.files("playbooks") / "detections"
    ours = {entry.name: entry.read_text(encoding="utf-8") for entry in top.iterdir() if entry.name.endswith(".yml")}
    rules, problems = read_rules(ours)
    for folder in top.iterdir():
        if folder.is_dir():
            files = {
                f"{folder.name}/{entry.name}": entry.read_text(encoding="utf-8")
                for entry in folder.iterdir()
                if entry.name.endswith(".yml")
            }
            public, public_problems = read_rules(files, public=True)
            rules += public
            problems += public_problems
    return rules, problems
