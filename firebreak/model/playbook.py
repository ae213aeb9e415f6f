"""A playbook as a value. `firebreak.playbook` reads it from YAML and reports every error with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from firebreak.model.canonical import digest_of
from firebreak.model.plan import Limits


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """Who must agree before a stage is carried out.

    `required` different people; `approvers` are roles that may answer; `optional` gates have the extra answer "skip" and nothing
    preselected; `expires_after_minutes` after the plan was shown, the gate is asked again.
    """

    id: str
    title: str
    approvers: tuple[str, ...]
    required: int = 1
    requester_may_approve: bool = False
    optional: bool = False
    confirm: bool = False  # typed confirmation of the subscription id
    expires_after_minutes: int = 24 * 60


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
