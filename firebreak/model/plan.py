"""Plans: what would be done, to which exact thing, why; as a value with one digest.

The mode of the run is not part of a plan: live and dry run of the same case make the same plan.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from firebreak.model.canonical import digest_of
from firebreak.model.ids import PlanDigest
from firebreak.model.step import Effect

UNDO: Final = "undo"  # the stage of plans that take back; no playbook has a stage of this name
UNDOES: Final = "undoes"  # parameter of an undo's action: ids of the actions that it takes back
GIVES_BACK_TO: Final = (
    "gives_back_to"  # parameter of an undo's action: customer or attacker, "" when an undo itself is undone
)

HOLDER: Final = "principal_id"  # parameter of an action about something that a principal has: its id

ENDS_WITH_IT: Final = "disks"  # parameter of a deletion: what Azure may delete together with its target

GIVE_BACK: Final = "taken.restore"  # kind of action that makes again what the attacker deleted

NEEDS_TWO: Final = "needs_two"  # parameter of an action that two people must approve, though it is not irreversible

ENDS_RELATIONSHIP: Final = "relationship.end"  # the one kind of action that may touch a delegated relationship


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One change to one target.

    `id` is stable: derived from step, kind and target key by `action_id`. `fingerprint` must still match when the action is carried
    out (P1). `params` are what `apply` needs. `after` are ids of actions that must have ended done or already_so first.
    `per_hour` is what it saves per hour; `irreversible_because` is said in the gate; `reasons` are sentences with their proof.
    """

    id: str
    step: str
    kind: str  # e.g. machine.deallocate, disk.delete
    target: str  # ARM id or other system's path
    title: str
    effect: Effect
    reasons: tuple[str, ...]
    fingerprint: dict[str, str] = {}
    params: dict[str, Any] = {}
    after: tuple[str, ...] = ()
    per_hour: Decimal | None = None
    region: str = ""
    irreversible_because: str = ""


class NoOp(msgspec.Struct, frozen=True, kw_only=True):
    """Considered and left alone, because."""

    step: str
    target: str
    reason: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Blast radius of one plan (P5). `max_share` is a fraction of the subscription's resources of the kinds acted on."""

    max_actions: int
    max_share: Decimal
    max_per_hour: Decimal
    max_regions: int


class Protection(msgspec.Struct, frozen=True, kw_only=True):
    """What no plan may touch (P4), as a playbook or the operator names it; all compared without case.

    `tags` are `key` or `key=value`; `groups` names or ids of resource groups; `resources` ids, or names of any part of an id;
    `principals` object ids.
    """

    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    principals: tuple[str, ...] = ()
    respect_locks: bool = True

    def joined(self, other: Protection) -> Protection:
        """What either protects, in one order whatever the order of the two."""
        return Protection(
            tags=_union(self.tags, other.tags),
            groups=_union(self.groups, other.groups),
            resources=_union(self.resources, other.resources),
            principals=_union(self.principals, other.principals),
            respect_locks=self.respect_locks or other.respect_locks,
        )


NOTHING_MORE = Protection(respect_locks=False)  # what an operator protects who names nothing


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All changes of one stage. `round` counts fresh looks at the same stage, from 1.

    `complete`: everything in scope was considered. `applyable`: there is something to do and nothing forbids it.
    `errored`: planning failed; may be read, never applied. `problems` explains the two.
    `protection` is what playbook and operator protected together when it was made; so it is in the digest.
    `over_limits`: sentences on the limits it exceeds; then it is not applyable until people lift the limits in the gate (P5).
    """

    case: str
    subscription_id: str
    playbook: str
    playbook_digest: str
    stage: str
    round: int
    engine_version: str
    limits: Limits
    protection: Protection
    actions: tuple[Action, ...]
    no_ops: tuple[NoOp, ...] = ()
    complete: bool = True
    applyable: bool = True
    errored: bool = False
    problems: tuple[str, ...] = ()
    over_limits: tuple[str, ...] = ()
    currency: str = "USD"

    @property
    def digest(self) -> PlanDigest:
        return PlanDigest(digest_of(self))

    @property
    def is_irreversible(self) -> bool:
        return any(action.effect is Effect.IRREVERSIBLE for action in self.actions)

    @property
    def needs_two(self) -> bool:
        return self.is_irreversible or any(action.params.get(NEEDS_TWO) for action in self.actions)

    @property
    def gives_back_to_attacker(self) -> bool:
        """Whether an undo would start or restore what was judged the attacker's."""
        return any(action.params.get(GIVES_BACK_TO) == "attacker" for action in self.actions)


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def action_id(step: str, kind: str, target: str) -> str:
    """Return a short stable id: the same step, kind and target (in any case) give the same id."""
    return f"{kind}:{digest_of([step, kind, target.lower()])[:10]}"
