"""What Azure Policy would refuse of a plan's actions, and which policies could not be judged. Pure.

Deny policies judge what is written (PUT and PATCH), denyAction what is deleted; nothing judges a POST such as deallocate. A write is judged by
the document that will be sent, a deletion by what the inventory says of the thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from firebreak.analysis import policies
from firebreak.analysis.policies import Asked
from firebreak.analysis.policy_rules import UNKNOWN
from firebreak.guardrails import is_arm
from firebreak.model.case import Case
from firebreak.model.facts import AccessFacts, DiskFacts, Inventory
from firebreak.model.ids import ResourceId
from firebreak.model.plan import Action, Plan
from firebreak.report.hostile import markdown

_DELETES = ("delete", "remove")
_POSTS = ("start", "deallocate", "stop", "stop_resize", "end")
_ELSEWHERE = ("blob.delete",)  # the data plane, which Azure Policy does not see


def type_of(target: str) -> str:
    """The type of an ARM id, as policies name it."""
    kind = ResourceId.parse(target).type
    return "microsoft.resources/subscriptions/resourcegroups" if kind == "microsoft.resources/resourcegroups" else kind


class PolicyView:
    """What was read of policies and things in one case, to ask many actions by."""

    def __init__(self, case: Case) -> None:
        access = case.get(AccessFacts)
        inventory, disks = case.get(Inventory), case.get(DiskFacts)
        things: list[Any] = list(disks.disks if disks else ())
        if inventory is not None:
            things += [*inventory.resources, *inventory.groups, *inventory.machines, *inventory.scale_sets]
        self._things = {one.id.lower(): one for one in things}
        self._judge = policies.Judge(access, case.now) if access is not None else None
        self.were_read = access is None or access.policies_were_read

    def refused(self, action: Action) -> Iterator[tuple[str, str, str, bool]]:
        """(kind, what, todo, sure) of the policies that refuse an action, or may."""
        asked = self.asked_by(action)
        if asked is None or self._judge is None:
            return
        for one in self._judge(asked):
            if not one.unread:
                word = "denies" if one.refuses else "may deny"
                does, thing = "deleting" if asked.deletes else "writing", asked.type.rsplit("/", 1)[-1]
                what = f"policy {markdown(one.name, 120)} {word} {does} {thing} on {_where(asked.target)}"
                yield "policy", what, "Exempt it, or leave these out and what waits for them.", one.refuses is True

    def not_judged(self, plan: Plan) -> tuple[tuple[str, str, int], ...]:
        """(policy, why, number of actions it may concern) of what could not be judged, in the order of the assignments. Hostile text."""
        requests = [asked for action in plan.actions if (asked := self.asked_by(action)) is not None]
        if not requests or self._judge is None:
            return ()
        if not self.were_read:
            return (("All policies", "their assignments could not be read", len(requests)),)
        found: dict[tuple[str, str], int] = {}
        for asked in requests:
            for one in dict.fromkeys(self._judge(asked)):
                if one.unread:
                    found[one.name, one.unread] = found.get((one.name, one.unread), 0) + 1
        return tuple((name, why, count) for (name, why), count in found.items())

    def asked_by(self, action: Action) -> Asked | None:
        """The request of an action as policies judge it; None when none of them does."""
        verb = action.kind.rsplit(".", 1)[-1]
        if not is_arm(action.target) or verb in _POSTS or action.kind in _ELSEWHERE:
            return None
        if verb in _DELETES:
            return Asked(target=action.target, deletes=True, resource=self._as_found(action.target))
        document = action.params.get("document")
        target = str(action.params["snapshot"]) if verb == "snapshot" else action.target
        if not isinstance(document, Mapping):
            return Asked(target=target, deletes=False, resource=self._as_found(target))
        named = {"type": type_of(target), "name": target.rsplit("/", 1)[-1]}
        return Asked(target=target, deletes=False, resource={**document, **named})

    def _as_found(self, target: str) -> dict[str, Any]:
        thing = self._things.get(target.lower())
        known = {"location": thing.region or UNKNOWN, "tags": thing.tags} if thing is not None else {}
        named = {"type": type_of(target), "name": target.rsplit("/", 1)[-1]}
        return {"location": UNKNOWN, "tags": UNKNOWN, "kind": UNKNOWN, **known, **named}


def _where(target: str) -> str:
    parts = target.split("/")
    return (
        f"resource group {markdown(parts[4], 90)}"
        if len(parts) > 4 and parts[3].lower() == "resourcegroups"
        else "the subscription"
    )
