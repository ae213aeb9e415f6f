"""The case: everything known so far about one incident, handed to pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar, cast

from firebreak.errors import NotCollectedError
from firebreak.model.alert import Incident
from firebreak.model.outcome import Outcome
from firebreak.model.plan import NOTHING_MORE, Protection
from firebreak.model.playbook import Playbook

F = TypeVar("F")


class Case:
    """Incident, playbook, facts of the current round, outcomes so far. Immutable; made anew by the engine for each call.

    `case[Inventory]` returns the facts of that type or raises `NotCollectedError`; `case.get(Inventory)` returns None instead.
    `now` is the time the round began, not the wall clock. `left_out` are targets, in lower case, that people left out at a gate of this
    incident, with the sentence that says so: no later plan proposes them again. `changed` are targets, in lower case, with the kinds of
    actions that ended well on them: what a list says of these may be older than what was done, so they are read alone. `placed` are targets,
    in lower case, that this incident's own undo put where nothing was, with the time.
    `operator` is what this installation's settings protect, whatever the playbook. `said` are answers that people confirmed with their
    codes, by the row of the guidance, as they stood when the plan was made.
    """

    def __init__(
        self,
        *,
        incident: Incident,
        playbook: Playbook,
        now: datetime,
        facts: Mapping[type[Any], Any],
        outcomes: Mapping[str, Outcome] | None = None,
        round: int = 1,  # noqa: A002 - the field's word
        installation: Mapping[str, Mapping[str, Any]] | None = None,
        left_out: Mapping[str, str] | None = None,
        changed: Mapping[str, frozenset[str]] | None = None,
        placed: Mapping[str, datetime] | None = None,
        operator: Protection = NOTHING_MORE,
        said: Mapping[str, str] | None = None,
    ) -> None:
        self.incident = incident
        self.playbook = playbook
        self.now = now
        self.round = round
        self.outcomes: Mapping[str, Outcome] = dict(outcomes or {})
        self._facts = dict(facts)
        self._installation = installation or {}
        self.left_out: Mapping[str, str] = dict(left_out or {})
        self.changed: Mapping[str, frozenset[str]] = dict(changed or {})
        self.placed: Mapping[str, datetime] = dict(placed or {})
        self.operator = operator
        self.said: Mapping[str, str] = dict(said or {})

    @property
    def protection(self) -> Protection:
        """What playbook and operator protect together."""
        return self.playbook.guard_rails.protection.joined(self.operator)

    def with_facts(self, *facts: Any) -> Case:
        """The same case with other facts of these types."""
        return self._with({**self._facts, **{type(one): one for one in facts}}, self.said)

    def with_said(self, said: Mapping[str, str]) -> Case:
        """The same case with what people answered."""
        return self._with(self._facts, said)

    def _with(self, facts: Mapping[type[Any], Any], said: Mapping[str, str]) -> Case:
        return Case(
            incident=self.incident,
            playbook=self.playbook,
            now=self.now,
            facts=facts,
            outcomes=self.outcomes,
            round=self.round,
            installation=self._installation,
            left_out=self.left_out,
            changed=self.changed,
            placed=self.placed,
            operator=self.operator,
            said=said,
        )

    def __getitem__(self, kind: type[F]) -> F:
        if kind not in self._facts:
            raise NotCollectedError(
                f"{kind.__name__} of incident {self.incident.id} was not collected.",
                hint="See 'not looked at' on the case page for the reason.",
            )
        return cast(F, self._facts[kind])

    def get(self, kind: type[F]) -> F | None:
        return cast("F | None", self._facts.get(kind))

    def was_deleted(self, target: str) -> bool:
        """Whether a deletion of this target ended well in this incident."""
        return any(kind.endswith(".delete") for kind in self.changed.get(target.lower(), ()))

    def parameter(self, step: str, name: str, default: Any) -> Any:
        """A step's parameter: the playbook's (`parameters: {step: {name: value}}`), else this installation's, else the default."""
        return self.playbook.parameters.get(step, {}).get(name, self._installation.get(step, {}).get(name, default))
