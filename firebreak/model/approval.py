"""An accepted answer to a gate, and the only value that execution takes: a plan with enough of them.

`ApprovedPlan` is made by `firebreak.approval` alone, after it has checked everything again from the store.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, final

import msgspec

from firebreak.errors import ApprovalError
from firebreak.model.plan import Action, Plan


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """One person's yes to one plan at one gate. `left_out` are action ids this person did not agree to.

    `limits_lifted` says that the person typed the override of the plan's limits; `channel` is ui, cli or demo.

    `pre_authorised`: no person but the playbook and the operator beforehand; `approver` then says which, `channel` is engine.
    """

    gate: str
    ask: int
    approver: str
    roles: tuple[str, ...]
    at: datetime
    expires_at: datetime
    plan_digest: str
    reason: str = ""
    left_out: tuple[str, ...] = ()
    limits_lifted: bool = False
    channel: str
    pre_authorised: bool = False


_MINT: Final = object()


@final
class ApprovedPlan:
    """A plan that enough people approved. Immutable; `left_out` is what any of them left out; useless after `expires_at`.

    Raises:
        ApprovalError: made by anything but the gate desk's `bind`.
    """

    __slots__ = ("approvals", "digest", "expires_at", "gate", "incident", "left_out", "limits_lifted", "plan")

    incident: str
    gate: str
    plan: Plan
    digest: str
    approvals: tuple[Approval, ...]
    left_out: frozenset[str]
    limits_lifted: bool
    expires_at: datetime

    def __init__(self, mint: object, *, incident: str, gate: str, plan: Plan, approvals: tuple[Approval, ...]) -> None:
        if mint is not _MINT:
            raise ApprovalError(
                f"A plan of {incident} was not approved: only a gate makes an approved plan.",
                reason="not_bound",
                hint="Answer the gate and bind the plan to it.",
            )
        fields: dict[str, Any] = {
            "incident": incident,
            "gate": gate,
            "plan": plan,
            "digest": plan.digest,
            "approvals": approvals,
            "left_out": frozenset(action for approval in approvals for action in approval.left_out),
            "limits_lifted": bool(approvals) and all(approval.limits_lifted for approval in approvals),
            "expires_at": min(approval.expires_at for approval in approvals),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"An approved plan is frozen; {name} cannot be set.")

    @property
    def actions(self) -> tuple[Action, ...]:
        """The plan's actions without those left out."""
        return tuple(action for action in self.plan.actions if action.id not in self.left_out)

    def __repr__(self) -> str:
        return f"ApprovedPlan({self.gate}, {self.digest[:12]}, {len(self.actions)} actions)"
