"""What a person says at a gate, and what a gate shows: `Answer` in, `GateView` out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import msgspec

from firebreak.clients.policies.redaction import without_secrets
from firebreak.model.approval import Approval

_LONGEST_NAME: Final = 200
_LONGEST_TEXT: Final = 2000
_LATEST_READ: Final = timedelta(minutes=10)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer as it came from a form or a command line: nothing in it is trusted yet.

    `decision` is approve, reject or skip; `leave_out` are action ids; `confirm` is the typed confirmation; `channel` is ui, cli or
    demo. `given_at` is when the server that passed it on took it, by its own clock; None where nothing passed it on. Its repr has no code.
    """

    approver: str
    code: str
    decision: str
    plan_digest: str
    reason: str = ""
    leave_out: tuple[str, ...] = ()
    confirm: str = ""
    channel: str = "ui"
    given_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Answer(approver={self.approver!r}, decision={self.decision!r}, channel={self.channel!r})"


def code_time(answer: Answer, now: datetime) -> datetime:
    """When a code has to have been right: when the person gave it. A form's answer lies on the server until a process has started to read it,
    which takes longer than a code lives where a host is busy. Never later than `now`, nor older than ten minutes.
    """
    given = answer.given_at
    return given if given is not None and now - _LATEST_READ <= given <= now else now


class GateView(msgspec.Struct, frozen=True, kw_only=True):
    """A gate as it stands.

    `state` is open, approved, rejected, skipped or expired (open, but its time is over: ask again with `reopen_expired`). `ask` is
    the number of the current question, from 1; an answer must name it. `last_problem` says why it is asked again. `confirm` is the
    text that must be typed to approve, "" when none. `choices` are the action ids that may be left out. `roles` are those that may
    answer now; after `escalates_at` (None: never) they include those the gate escalates to.
    `unknown_requester` is the name under which somebody asked who may be one of those who answer, so that one more has to; "" when not.
    """

    id: str
    incident: str
    stage: str
    round: int
    gate: str
    title: str
    plan_digest: str
    state: str
    ask: int
    approvals: tuple[Approval, ...]
    required: int
    roles: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    last_problem: str
    optional: bool
    confirm: str
    choices: tuple[str, ...]
    closed_by: str = ""
    closing_reason: str = ""
    escalates_at: datetime | None = None
    escalated: bool = False
    unknown_requester: str = ""


def readable(answer: Answer) -> Answer:
    """Return the answer as it can be kept: no NUL, no half of a surrogate pair, no secret in the reason, which is cut to 2000 characters, a
    name to 200.

    Nobody's answer is refused for its prose, and no database fails on it. A name is never cut into another person's: what is longer than
    any name can be stays longer than that.
    """
    return msgspec.structs.replace(
        answer,
        approver=kept(answer.approver, _LONGEST_NAME),
        code=kept(answer.code, 64),
        decision=kept(answer.decision, 32),
        plan_digest=kept(answer.plan_digest, 128),
        reason=kept(without_secrets(answer.reason), _LONGEST_TEXT),
        leave_out=tuple(kept(action, _LONGEST_NAME) for action in answer.leave_out),
        confirm=kept(answer.confirm, _LONGEST_TEXT),
    )


def kept(text: str, longest: int) -> str:
    """Text that every database and encoder takes, at most so long."""
    clean = text[: longest + 1].encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"
