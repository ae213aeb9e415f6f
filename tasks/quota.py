"""Which vCPU limits to lower after an attack, and to what: shared by the step that tries and the step that writes the ticket."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from firebreak.analysis.sizes import quota_family
from firebreak.model.case import Case
from firebreak.model.facts import ActivityFacts, Attribution, Class, Inventory, QuotaFacts
from tasks.arm import items_at, text_at, value_at
from tasks.judged import Judged

STEP_ID = "harden.reduce_quota"
REDUCE = "quota.reduce"
HEAD_ROOM = 10
_LOCATION = re.compile(r"/providers/microsoft\.compute/locations/([a-z0-9]+)/", re.IGNORECASE)
_SIZE_KEYS = ("vmsize", "size", "sku", "skuname")


class Reduction(msgspec.Struct, frozen=True, kw_only=True):
    """One limit: what is used, what is allowed now, what would be allowed, and why."""

    target: str
    region: str
    name: str
    title: str
    used: int
    limit: int
    wanted: int
    reasons: tuple[str, ...]


def reductions(case: Case) -> tuple[list[Reduction], list[tuple[str, str]]]:
    """Return the limits worth lowering, and (target, reason) of those considered and left alone."""
    touched = _attacker_families(case)
    asked = _requested(case[QuotaFacts])
    room = int(case.parameter(STEP_ID, "head_room", HEAD_ROOM))
    lower: list[Reduction] = []
    keep: list[tuple[str, str]] = []
    for usage in sorted(case[QuotaFacts].usages, key=lambda u: (u.region.lower(), u.name.lower())):
        key = (usage.region.lower(), usage.name.lower())
        if key not in touched and key not in asked:
            continue
        target = (
            f"/subscriptions/{case.incident.subscription_id}/providers/Microsoft.Compute/locations/{usage.region}"
            f"/providers/Microsoft.Quota/quotas/{usage.name}"
        )
        wanted = usage.used + room if usage.used else 0
        if wanted >= usage.limit:
            keep.append(
                (
                    target,
                    f"{usage.used} of {usage.limit} vCPUs are used: nothing to take away with {room} as head-room.",
                )
            )
            continue
        reasons = []
        if key in touched:
            reasons.append("The attacker used this family in this region.")
        if key in asked:
            reasons.append("A higher limit was asked for during the incident.")
        reasons.append(f"{usage.used} vCPUs are in use now.")
        lower.append(
            Reduction(
                target=target,
                region=usage.region,
                name=usage.name,
                title=usage.title,
                used=usage.used,
                limit=usage.limit,
                wanted=wanted,
                reasons=tuple(reasons),
            )
        )
    return lower, keep


def _attacker_families(case: Case) -> set[tuple[str, str]]:
    """(region, quota name) that attacker-class machines and scale sets use, or used when they were created."""
    judged = Judged(case)
    inventory, activity = case.get(Inventory), case.get(ActivityFacts)
    found: set[tuple[str, str]] = set()
    if inventory is not None:
        sized = [(m.id, m.region, m.size) for m in inventory.machines]
        sized.extend((s.id, s.region, s.size) for s in inventory.scale_sets)
        for resource_id, region, size in sized:
            if judged.is_attackers(resource_id):
                found.add((region.lower(), quota_family(size).lower()))
    rogue = {j.id.lower() for j in case[Attribution].resources if j.cls is Class.ATTACKER}
    creators = activity.creators if activity is not None else {}
    operations = [*creators.values(), *(activity.operations if activity is not None else ())]
    for operation in operations:
        if operation.resource_id.lower() in rogue or judged.attacker_did(operation):
            for size in _sizes(operation.properties):
                found.add((operation.region.lower(), quota_family(size).lower()))
    return {(region, family) for region, family in found if region and family}


def _sizes(properties: object) -> Iterable[str]:
    if isinstance(properties, dict):
        for key, value in properties.items():
            if str(key).lower() in _SIZE_KEYS and isinstance(value, str):
                yield value
            elif isinstance(value, (dict, list)):
                yield from _sizes(value)
    elif isinstance(properties, list):
        for item in properties:
            yield from _sizes(item)


def _requested(facts: QuotaFacts) -> set[tuple[str, str]]:
    found = set()
    for request in facts.requests:
        place = _LOCATION.search(text_at(request, "id"))
        for part in items_at(request, "properties", "value"):
            name = text_at(part, "name", "value") or text_at(value_at(part, "name"))
            if place is not None and name:
                found.add((place[1].lower(), name.lower()))
    return found
