"""A playbook as a value. `firebreak.playbook` reads it from YAML and reports every error with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from firebreak.model.canonical import digest_of
from firebreak.model.plan import Limits, Protection


class PreAuthorised(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done at a gate without asking anybody, if the operator has switched it on for exactly this playbook.

    A plan qualifies as a whole or not at all: only actions of `steps`, each reversible, within the limits, and on a target that
    attribution takes for the attacker's with at least `min_score` points. `firebreak.approval.pre_authorised` has the whole rule.
    `goes_first`: a stage that so needs nobody does not wait for the stages right before it whose gates may be skipped; they are asked after it.
    """

    steps: tuple[str, ...]
    min_score: int = 80
    goes_first: bool = False


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Who must agree before a stage is carried out.

    `required` different people; `approvers` are roles that may answer; `optional` gates have the extra answer "skip" and nothing
    preselected; `expires_after_minutes` after the plan was shown, the gate is asked again.

    Counted from when the gate was first opened (0: never): after `remind_after_minutes` people are reminded once; from
    `escalate_after_minutes` on, people with a role of `escalate_to` may answer as well.
    """

    id: str
    title: str
    approvers: tuple[str, ...]
    required: int = 1
    requester_may_approve: bool = False
    optional: bool = False
    confirm: bool = False  # typed confirmation of the subscription id
    expires_after_minutes: int = 24 * 60
    remind_after_minutes: int = 0
    escalate_after_minutes: int = 0
    escalate_to: tuple[str, ...] = ()
    pre_authorised: PreAuthorised | None = None
    requested_by: str = ""  # who asked for what the gate is about, beside the incident's requester


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Steps that are carried out together. `gate` "" for reading stages. `rounds`: fresh looks until nothing new is found."""

    id: str
    title: str
    steps: tuple[str, ...]
    gate: str = ""
    rounds: int = 1


class GuardRails(msgspec.Struct, frozen=True, kw_only=True):
    """What no plan of this playbook may touch or exceed. `protected_tags` are `key` or `key=value`; all compared without case."""

    limits: Limits
    protected_tags: tuple[str, ...] = ()
    protected_groups: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    protected_principals: tuple[str, ...] = ()
    respect_locks: bool = True

    @property
    def protection(self) -> Protection:
        """What this playbook protects."""
        return Protection(
            tags=self.protected_tags,
            groups=self.protected_groups,
            resources=self.protected_resources,
            principals=self.protected_principals,
            respect_locks=self.respect_locks,
        )


class Playbook(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    version: str
    title: str
    description: str
    applies_to: tuple[str, ...]
    stages: tuple[Stage, ...]
    gates: dict[str, Gate]
    guard_rails: GuardRails
    parameters: dict[str, dict[str, Any]] = {}

    @property
    def digest(self) -> str:
        return digest_of(self)

    def stage(self, stage_id: str) -> Stage:
        return next(stage for stage in self.stages if stage.id == stage_id)


NO_LIMITS = Limits(max_actions=10**9, max_share=Decimal(1), max_per_hour=Decimal(10**12), max_regions=10**6)
