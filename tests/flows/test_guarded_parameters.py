"""Every threshold of a detection and every guard rail of the shipped playbooks is guarded: a change of it shows in the replay of a shipped incident.

A parameter that nothing shows is a finding: record an incident that does, or make it no parameter.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from firebreak.analysis.conduct import Thresholds
from firebreak.analysis.evidence import Weights
from firebreak.analysis.identity.guesses import Limits as GuessLimits
from firebreak.analysis.identity.seeds import IdentityWeights
from firebreak.analysis.spend import Sensitivity
from firebreak.errors import ContentError
from firebreak.model.plan import Limits
from firebreak.model.playbook import GuardRails, Playbook
from firebreak.playbook import find_playbooks
from tasks.registry import load_steps
from tests.flows.test_library import LIBRARY, TOP
from tests.support.rehearsal import Rehearsal, rehearsal

pytestmark = pytest.mark.timeout(3000)

# Parameters by step: those that are fields of a struct, with their defaults.
STRUCTS: Mapping[str, tuple[type[msgspec.Struct], ...]] = {
    "investigate.activity_log": (Thresholds,),
    "investigate.attribution": (Weights, IdentityWeights),
    "investigate.sign_ins": (GuessLimits,),
    "investigate.spend": (Sensitivity,),
}
# Those that a step asks for by name, with the default it falls back to.
NAMED: Mapping[str, Mapping[str, Any]] = {
    "investigate.activity_log": {"window_days_before": 7},
    "investigate.spend": {"days": 90},
    "harden.reduce_quota": {"head_room": 10, "unused_from": 100},
    "eradicate.delete_resources": {"scale_set_snapshots": 2},
}
# No threshold and no guard rail: what the parameter is instead.
NOT_A_THRESHOLD: Mapping[str, str] = {
    "amount": "of a budget, which people set",
    "api": "an address",
    "api_versions": "addresses",
    "contact": "whom Microsoft calls back",
    "credential_kind": "made by the engine",
    "detections": "a folder",
    "emails": "who is told",
    "evidence_group": "where snapshots lie",
    "group": "where alert rules lie",
    "handled_types": "which kinds of compute a playbook of one's own takes care of",
    "known_good": "whom people vouch for",
    "lift": "asks for an action",
    "most_issuers": "how much is read",
    "most_pages": "how much is read",
    "most_people": "how much is read",
    "needed_permissions": "made by the engine",
    "own_customers": "made by the engine",
    "plans": "which plans of Defender are proposed",
    "reactivate": "asks for an action",
    "reactivation_days": "a rule of Microsoft's, and a setting",
    "region": "where alert rules lie",
    "regions": "which regions are read",
    "resource_types": "what is denied",
    "severity": "of a ticket",
    "snapshot_sku": "storage of snapshots",
    "vault": "where new secrets are handed over",
    "whatever_verdict": "asks for actions",
    "young_days": "how many people an answer to Microsoft takes",
}
_COLLECTING = {"investigate.activity_log", "investigate.sign_ins", "investigate.spend"}
_ORDER = (
    "stolen-token-mining", "many-hands", "young-tenant", "hijacked-owner", "quiet-persistence", "leaked-pipeline-secret", "throttled-cloud",
)  # fmt: skip


@dataclass(frozen=True)
class Parameter:
    """One parameter: of a step, or with step "" a guard rail."""

    step: str
    name: str
    default: Any

    def __str__(self) -> str:
        return f"{self.step}.{self.name}" if self.step else f"guard_rails.{self.name}"


def parameters() -> list[Parameter]:
    found = [Parameter("", field.name, None) for field in msgspec.structs.fields(Limits)]
    found += [Parameter("", field.name, None) for field in msgspec.structs.fields(GuardRails) if field.name != "limits"]
    for step, kinds in STRUCTS.items():
        found += [
            Parameter(step, field.name, field.default) for kind in kinds for field in msgspec.structs.fields(kind)
        ]
    return found + [Parameter(step, name, value) for step, named in NAMED.items() for name, value in named.items()]


def changes(book: Playbook, one: Parameter) -> Iterator[Playbook]:
    """The playbook with other values of one parameter, the likeliest to show first."""
    if not one.step:
        yield from (msgspec.structs.replace(book, guard_rails=rails) for rails in _rails(book.guard_rails, one.name))
        return
    given = book.parameters.get(one.step, {})
    usual = given.get(one.name, one.default)
    kind = type(usual)
    for value in (usual + 1, usual * 3 + 1, kind(1), kind(300), kind(10**4), kind(0), kind(-(10**4))):
        if value != usual:
            yield msgspec.structs.replace(book, parameters={**book.parameters, one.step: {**given, one.name: value}})


def _rails(rails: GuardRails, name: str) -> Iterator[GuardRails]:
    limits: dict[str, Any] = {
        "max_actions": 3, "max_share": Decimal("0.0001"), "max_per_hour": Decimal("0.01"), "max_regions": 1
    }  # fmt: skip
    if name in limits:
        yield msgspec.structs.replace(rails, limits=msgspec.structs.replace(rails.limits, **{name: limits[name]}))
    elif name == "respect_locks":
        yield msgspec.structs.replace(rails, respect_locks=not rails.respect_locks)
    elif name == "protected_tags":
        yield msgspec.structs.replace(rails, protected_tags=())


def naming(book: Playbook, name: str, targets: tuple[str, ...], principals: tuple[str, ...]) -> Playbook:
    """The playbook that protects what an incident's own plan acts on."""
    values = {
        "protected_groups": tuple(sorted({target.split("/")[4] for target in targets if target.count("/") > 4})),
        "protected_resources": targets,
        "protected_principals": principals,
    }
    return msgspec.structs.replace(book, guard_rails=msgspec.structs.replace(book.guard_rails, **{name: values[name]}))


@pytest.fixture(scope="module")
def opened() -> Iterator[_Opened]:
    names = [*_ORDER, *(path.stem for path in sorted(LIBRARY.glob("*.zip")) if path.stem not in _ORDER)]
    with ExitStack() as stack:
        yield _Opened(stack, names)


class _Opened(dict[str, Rehearsal]):
    """Bundles, opened when they are first asked for."""

    def __init__(self, stack: ExitStack, names: list[str]) -> None:
        super().__init__()
        self.names, self._stack = names, stack

    def __missing__(self, name: str) -> Rehearsal:
        self[name] = self._stack.enter_context(rehearsal(LIBRARY / f"{name}.zip"))
        return self[name]


@pytest.mark.slow
@pytest.mark.parametrize("one", parameters(), ids=str)
def test_a_change_shows_in_a_shipped_incident(one: Parameter, opened: _Opened) -> None:
    seen = ""
    for name in opened.names:
        tried = opened[name]
        seen = next(filter(None, (_seen(tried, book, one) for book in _books(tried, one))), "")
        if seen:
            break
    assert seen, f"No shipped incident shows a change of {one}."


def _seen(tried: Rehearsal, book: Playbook, one: Parameter) -> str:
    """What shows; nothing does of a value that the step refuses."""
    try:
        return tried.differs(book, _COLLECTING & {one.step})
    except ContentError:
        return ""


def _books(tried: Rehearsal, one: Parameter) -> Iterator[Playbook]:
    if one.name in ("protected_groups", "protected_resources", "protected_principals"):
        yield naming(tried.playbook, one.name, *tried.acted_on())
    else:
        yield from changes(tried.playbook, one)


def test_every_parameter_that_a_step_asks_for_is_known_here() -> None:
    known = {one.name for one in parameters()} | set(NOT_A_THRESHOLD)
    asked = set()
    for path in (TOP / "tasks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and node.func.attr == "parameter" and isinstance(node.args[1], ast.Constant):
                asked.add(str(node.args[1].value))
    assert asked
    assert asked - known == set()
    declared = {name for loaded in load_steps().values() for name in loaded.step.parameters}
    assert declared - known == set()


def test_the_shipped_playbooks_set_no_parameter_of_another_name() -> None:
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    known = {one.name for one in parameters()} | set(NOT_A_THRESHOLD)
    for book in find_playbooks(Path("/nowhere"), steps=steps).values():
        assert {name for given in book.parameters.values() for name in given} <= known, book.id
