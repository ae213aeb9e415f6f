"""The order of stages: the playbook's, but what needs nobody goes before gates that may be skipped; decided once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from firebreak.engine.order import next_stage
from firebreak.model.playbook import Gate, PreAuthorised, Stage

FIRST = PreAuthorised(steps=("contain.stop",), goes_first=True)
DOORS, LETTERS = (Stage(id=name, title=name, steps=("contain.close",), gate=name) for name in ("doors", "letters"))
STOP = Stage(id="stop", title="Stop", steps=("contain.stop",), gate="stop")
LOOK = Stage(id="look", title="Look", steps=("investigate.all",))


class Told:
    """What of an engine the order asks: the playbook's gates, why people would be asked, what was planned, and a store."""

    def __init__(self, *, why: str = "", optional: bool = True, first: PreAuthorised = FIRST) -> None:
        gates = [Gate(id="stop", title="?", approvers=("lead",), pre_authorised=first)]
        gates += [Gate(id=name, title="?", approvers=("lead",), optional=optional) for name in ("doors", "letters")]
        self.playbook = SimpleNamespace(id="drill", gates={gate.id: gate for gate in gates})
        self.incident = SimpleNamespace(id="INC-1")
        self.why, self.planned, self.kept, self.records = why, set[str](), dict[str, Any](), list[dict[str, str]]()
        self.room = SimpleNamespace(store=self, audit=self)
        self.values = self

    def value(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, _incident: str, key: str, value: Any, *, tx: object) -> None:
        assert tx
        self.kept[key] = value

    def append(self, _incident: str, kind: str, *, who: str, data: dict[str, str], tx: object) -> None:
        assert (kind, who, bool(tx)) == ("stage.put_off", "engine", True)
        self.records.append(data)

    @contextmanager
    def write(self) -> Iterator[object]:
        yield object()

    def reads(self, stage: Stage) -> tuple[str, ...]:
        return tuple(step for step in stage.steps if step.startswith("investigate."))

    def has_planned(self, stage: Stage, _attempt: int) -> bool:
        return stage.id in self.planned

    def why_ask(self, _stage: Stage, _number: int) -> str:
        return self.why


def order_of(told: Any, *stages: Stage) -> list[str]:
    waiting, found = list(stages), []
    while waiting:
        stage = next_stage(told, waiting, 1)
        waiting.remove(stage)
        found.append(stage.id)
    return found


def test_what_needs_nobody_goes_first_and_the_others_keep_their_order() -> None:
    told = Told()
    assert order_of(told, LOOK, DOORS, LETTERS, STOP) == ["look", "stop", "doors", "letters"]
    assert told.records == [{"stage": "doors", "behind": "stop", "playbook": "drill"}]


def test_a_later_run_keeps_the_order_whatever_has_changed() -> None:
    told = Told()
    order_of(told, DOORS, STOP)
    told.why = "Switched off since."
    assert order_of(told, DOORS, STOP) == ["stop", "doors"]
    asked = Told(why="Not sure enough.")
    assert order_of(asked, DOORS, STOP) == ["doors", "stop"]
    asked.why = ""
    assert order_of(asked, DOORS, STOP) == ["doors", "stop"]
    assert asked.records == []


def test_the_playbooks_order_holds_without_a_yes_or_when_people_were_asked_before() -> None:
    assert order_of(Told(first=PreAuthorised(steps=("contain.stop",))), DOORS, STOP) == ["doors", "stop"]
    assert order_of(Told(optional=False), DOORS, STOP) == ["doors", "stop"]
    assert order_of(Told(), DOORS, LOOK, STOP) == ["doors", "look", "stop"]
    planned = Told()
    planned.planned.add("doors")
    assert order_of(planned, DOORS, STOP) == ["doors", "stop"]
