"""What a step is: one file under `tasks/`, named by its id, that declares `STEP` and a few functions.

A reading step (effect READ) has
    async def collect(eyes: Eyes, case: Case) -> F     calls; F is the Facts type named in STEP.produces     (optional)
    def conclude(case: Case) -> F                       pure; instead of collect, when it only thinks
    def assess(facts: F, case: Case) -> list[Finding]   pure                                                  (optional)

A changing step has
    def plan(case: Case) -> list[Action | NoOp]                              pure
    async def look(actions, eyes: Eyes) -> dict[str, Target]                 reads the targets again, keyed by action id
    async def apply(action, hands: Hands) -> Sent                            one action, one request
    def undo(action, prior: dict) -> Action | NoOp | None                    pure: the inverse                (optional)
    def whose(action, case: Case) -> Class                                   pure: who had the target         (optional)
    def in_time(inverse, done_at, case: Case) -> Action | NoOp               pure: the inverse, or too late   (optional)

`undo` gives a no-op with the reason where there is nothing to take back, None where nothing can be. It is also put to its own inverse: an
undo can be undone. `whose` says whether a target was the attacker's, for targets that attribution does not judge by themselves.
`in_time` is for inverses with a deadline: it gets what `undo` gave and when the action was done, and adds the date or refuses with a sentence.

`look` serves three times: before the write (fingerprint, already so), after a crash (did it happen?), and as proof (P8).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Final

import msgspec

# The fingerprint of an action that creates its target, as a `Target` that is absent tells it: nothing else may have taken the place.
FREE: Final = {"place": "free"}
# Key of the prior state of what is deleted: ids, in lower case, of the managed identities that end with it. One made anew has another id.
PRINCIPALS: Final = "principals"


class Effect(StrEnum):
    READ = "read"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A step's declaration.

    `id` is `<phase>.<file name>`; a mismatch with the file is refused at load time. `produces` is the Facts type of a reading
    step; `needs` are Facts types that must have been collected. `permissions` are ARM actions the acting identity needs,
    `graph_permissions` permissions of Microsoft Graph; what a missing one of these costs is said by the step's facts, and stops nothing.
    `guidance` names rows of the guidance checklist. `description` is one or two sentences for people. `parameters` maps the names a
    playbook may set to their meaning. `comes_after` are steps that must stand before this one in a playbook (P9).
    """

    id: str
    title: str
    effect: Effect
    description: str
    permissions: tuple[str, ...] = ()
    graph_permissions: tuple[str, ...] = ()
    guidance: tuple[str, ...] = ()
    produces: type[Any] | None = None
    needs: tuple[type[Any], ...] = ()
    parameters: dict[str, str] = {}
    comes_after: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The target of an action as it is now.

    `fingerprint` holds the values that identify it (vmId, timeCreated, uniqueId, ...), compared with the action's before a write.
    `already_so` means that what the action promises already holds. `in_progress` means Azure is still at it: wait, do not send.
    `prior` is the state to restore on undo, saved before the write. `state` is for people ("running", "deallocated", "absent").
    `etag` is the target's version in this look: `apply` gets it as the parameter `etag` of its action, and a service that answers 412 to
    it has changed meanwhile, so that the target is looked at again before anything else. `conflict` says in a sentence why the action no
    longer fits although the fingerprint does; it is refused as stale then.
    """

    exists: bool
    already_so: bool
    in_progress: bool = False
    failed: str = ""
    state: str = ""
    fingerprint: dict[str, str] = {}
    prior: dict[str, Any] = {}
    etag: str = ""
    conflict: str = ""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A write that got an answer. `operation_url` follows a long-running operation, "" when it was done at once."""

    status: int
    request_id: str = ""
    operation_url: str = ""
    note: str = ""


class LoadedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step's declaration with its functions, as `tasks.registry` found them; absent ones are None. Signatures: module docstring."""

    step: Step
    collect: Callable[..., Awaitable[Any]] | None = None
    conclude: Callable[..., Any] | None = None
    assess: Callable[..., Any] | None = None
    plan: Callable[..., Any] | None = None
    look: Callable[..., Awaitable[dict[str, Target]]] | None = None
    apply: Callable[..., Awaitable[Sent]] | None = None
    undo: Callable[..., Any] | None = None
    whose: Callable[..., Any] | None = None
    in_time: Callable[..., Any] | None = None
