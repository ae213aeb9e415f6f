"""What Azure would refuse of a plan, before a human is asked: missing permissions, locks, deny assignments, deny policies. Pure.

In go a plan, its steps and the case it was made from; out come `Obstacle`s, one for each kind of action and reason, and the Markdown that stands
above the plan's page. What guard rails leave alone (locks of others, say) is not in the plan any more and not repeated here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from firebreak.analysis import rights
from firebreak.engine.policy_obstacles import PolicyView, type_of
from firebreak.guardrails import is_arm
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, SubscriptionFacts
from firebreak.model.ids import ResourceId
from firebreak.model.plan import Action, Plan
from firebreak.model.step import LoadedStep, Step
from firebreak.report.hostile import markdown

_TAKES_AWAY = ("delete", "remove")
_MOST = 12
# Which permissions of its step an action of a kind needs to be sent, by the last word of the kind; what is left serves the undo.
_ENDINGS = {
    "delete": ("/delete",),
    "remove": ("/delete",),
    "deallocate": ("/deallocate/action",),
    "start": ("/start/action",),
    "stop": ("/stop/action",),
    "end": ("/endgetaccess/action",),
    "snapshot": ("/begingetaccess/action", "/snapshots/write"),
}
_READING = ("/read", "/listkeys/action")


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """Something that Azure would refuse, or perhaps would. `kind` is permission, undo, deny, lock or policy.

    `group` says which actions, in words; `count` how many of them; `what` stands in the way; `todo` is what to grant or do before approving.
    """

    kind: str
    group: str
    count: int
    what: str
    todo: str
    sure: bool = True


def obstacles(plan: Plan, steps: Mapping[str, LoadedStep], case: Case) -> tuple[Obstacle, ...]:
    """Everything known to stand in the way of the plan's actions, in the plan's order."""
    found: dict[tuple[str, str, str, str, bool], int] = {}
    policies = PolicyView(case)
    removed = {
        action.target.lower(): place for place, action in enumerate(plan.actions) if action.kind == "lock.remove"
    }
    for place, action in enumerate(plan.actions):
        if not is_arm(action.target) or action.step not in steps:
            continue
        step = steps[action.step].step
        gone = {lock for lock, at in removed.items() if at < place}
        ways = (
            _rights(action, step, case),
            _denials(action, step, case),
            _locks(action, case, gone),
            policies.refused(action),
        )
        for kind, what, todo, sure in dict.fromkeys(one for way in ways for one in way):
            key = (kind, step.title, what, todo, sure)
            found[key] = found.get(key, 0) + 1
    return tuple(
        Obstacle(kind=kind, group=group, count=count, what=what, todo=todo, sure=sure)
        for (kind, group, what, todo, sure), count in found.items()
    )


def not_allowed(plan: Plan, steps: Mapping[str, LoadedStep], case: Case) -> str:
    """Return the Markdown to put above a plan's page, "" when nothing is known to stand in the way."""
    found = obstacles(plan, steps, case)
    certain = [one for one in found if one.sure and one.kind != "undo"]
    perhaps = [one for one in found if not one.sure and one.kind != "undo"]
    parts = (
        ("**Not allowed now.** Azure would refuse these; grant or do what is said before you approve:", certain),
        ("**Perhaps not allowed.** It cannot be told from here:", perhaps),
        ("**Could not be undone** by Firebreak's identity as it is now:", [one for one in found if one.kind == "undo"]),
    )
    lines: list[str] = []
    for head, group in parts:
        if group:
            lines += ["> " + head, ">", *(f"> - {_line(one)}" for one in group), ""]
    policies = PolicyView(case).not_judged(plan)
    if policies:
        lines += ["> **Policies not judged.** Azure may refuse what they forbid; Firebreak could not tell:", ">"]
        lines += [f"> - {markdown(name, 120)} ({count}): {markdown(why, 300)}" for name, why, count in policies[:_MOST]]
        if len(policies) > _MOST:
            lines.append(f"> - … and {len(policies) - _MOST} more")
        lines.append("")
    unread = _unread(plan, case)
    if unread:
        lines += ["> " + unread, ""]
    return "\n".join([*lines, ""]) if lines else ""


def _line(one: Obstacle) -> str:
    return f"{markdown(one.group)} ({one.count}): {one.what}. {one.todo}"


def _unread(plan: Plan, case: Case) -> str:
    facts = case.get(SubscriptionFacts)
    if plan.actions and facts is not None and not facts.permissions:
        return "**Not checked.** What Firebreak's identity may do could not be read."
    return ""


# Permissions ------------------------------------------------------------------------------------------------------------------


def needs(action: Action, step: Step) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The permissions of a step that one action needs, each with the scope it is needed at: (to be sent, to be undone)."""
    places = [action.target, *([str(action.params["snapshot"])] if "snapshot" in action.params else [])]
    kinds = {place: type_of(place) for place in places}
    endings = _ENDINGS.get(action.kind.rsplit(".", 1)[-1], ("/write",))
    sent: list[tuple[str, str]] = []
    undone: list[tuple[str, str]] = []
    for permission in step.permissions:
        lowered = permission.lower()
        place = next((p for p, kind in kinds.items() if _is_about(lowered, kind)), None)
        if place is None:
            continue
        own_write = lowered.endswith("/snapshots/write") or place == action.target
        serves = lowered.endswith(endings + _READING) and own_write
        (sent if serves else undone).append((permission, place))
    return sent, undone


def _is_about(permission: str, kind: str) -> bool:
    """Whether a permission is for a resource type or for what holds it: `t/delete` and `t/listKeys/action` are for `t`."""
    words = permission.split("/")
    subject = "/".join(words[:-2] if words[-1] == "action" else words[:-1])
    return kind == subject or kind.startswith(subject + "/")


def _rights(action: Action, step: Step, case: Case) -> Iterator[tuple[str, str, str, bool]]:
    facts = case.get(SubscriptionFacts)
    if facts is None:
        return
    to_send, to_undo = needs(action, step)
    for kind, wanted in (("permission", to_send), ("undo", to_undo)):
        for permission, place in wanted:
            if rights.allowed_at(facts, permission, place) is False:
                where = _where(place)
                todo = f"Give the identity a role with it on {where}." if kind == "permission" else ""
                yield kind, f"permission `{permission}` is missing", todo, True


def _denials(action: Action, step: Step, case: Case) -> Iterator[tuple[str, str, str, bool]]:
    access = case.get(AccessFacts)
    for permission, place in needs(action, step)[0] if access and access.deny_assignments else ():
        for denial in rights.denials(
            access.deny_assignments if access else (), case.get(SubscriptionFacts), permission, place
        ):
            what = f"deny assignment {markdown(denial.name, 80)} on {_where(denial.scope)} forbids `{permission}`"
            todo = "A managed application or blueprint made it: its owner must lift it."
            yield (
                "deny",
                what,
                todo if denial.sure else "It names a group: ask whether Firebreak's identity is in it.",
                denial.sure,
            )


def _where(scope: str) -> str:
    """A scope in words: the subscription, or its group, which is where roles are given."""
    parts = scope.rstrip("/").split("/")
    if len(parts) > 4 and parts[3].lower() == "resourcegroups":
        return f"resource group {markdown(parts[4], 90)}"
    return (
        "the subscription"
        if len(parts) >= 3 and parts[1].lower() == "subscriptions"
        else "a scope above the subscription"
    )


# Locks -----------------------------------------------------------------------------------------------------------


def _locks(action: Action, case: Case, gone: Iterable[str]) -> Iterator[tuple[str, str, str, bool]]:
    access, removed = case.get(AccessFacts), set(gone)
    if access is None or ResourceId.parse(action.target).type == "microsoft.authorization/locks":
        return
    deletes = action.kind.rsplit(".", 1)[-1] in _TAKES_AWAY
    places = [str(action.params["snapshot"])] if action.kind == "disk.snapshot" else [action.target]
    for lock in access.locks:
        above = any(rights.is_at_or_below(place, lock.scope) for place in places)
        below = deletes and rights.is_at_or_below(lock.scope, action.target)
        if lock.id.lower() in removed or not ((above and (deletes or lock.level.lower() == "readonly")) or below):
            continue
        what = f"lock {markdown(lock.id.rsplit('/', 1)[-1], 80)} ({markdown(lock.level, 20)}) on {_where(lock.scope)}"
        yield "lock", what, "Nothing in this plan removes it first: remove it, or leave these out.", True
