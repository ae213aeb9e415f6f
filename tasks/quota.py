"""Which vCPU limits to lower after an attack, and to what: shared by the step that tries and the step that writes the ticket."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from firebreak.analysis import quota as quotas
from firebreak.analysis.sizes import parse_size
from firebreak.model.case import Case
from firebreak.model.facts import ActivityFacts, Attribution, Class, Inventory, QuotaFacts, QuotaUsage
from firebreak.model.hardening import CapacityFacts
from tasks.judged import Judged
from tasks.words import plain

STEP_ID = "harden.reduce_quota"
REDUCE = "quota.reduce"
HEAD_ROOM = 10
UNUSED_FROM = 100
TOTAL = quotas.TOTAL
_CHIP = "a10|a100|h100|h200|t4|mi300x"
_QUOTA_NAME = re.compile(
    rf"standard_?(?P<letters>[a-z]+?)_?(?P<before>{_CHIP})?_?(?P<version>(?:v[0-9]+)?)_?(?P<behind>{_CHIP})?family"
)
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
    """Return the limits worth lowering, and (target, reason) of those considered and left alone.

    Worth it are limits that the attacker used or tried to use, those that were asked for in the window by anybody but a session judged
    legitimate, and, once the verdict is fraud, GPU and high-performance limits of which nobody uses anything.
    """
    touched, taken, asked = _used_by_attacker(case), _taken(case), _requested(case)
    reserved = _reserved(case)
    if isinstance(reserved, str):
        return [], [(f"/subscriptions/{case.incident.subscription_id}", reserved)]
    room = int(case.parameter(STEP_ID, "head_room", HEAD_ROOM))
    lower: list[Reduction] = []
    keep: list[tuple[str, str]] = []
    for usage in sorted(case[QuotaFacts].usages, key=lambda u: (u.region.lower(), u.name.lower())):
        key = (usage.region.lower(), usage.name.lower())
        rogue = min(usage.used, taken[(key[0], TOTAL)] if key[1] == TOTAL else taken[key])
        kept = usage.used - rogue
        requests = asked.get((key[0], quotas.folded(usage.name)), [])
        reasons, against = _reasons(case, usage, key in touched, requests, kept)
        target = (
            f"/subscriptions/{case.incident.subscription_id}/providers/Microsoft.Compute/locations/{usage.region}"
            f"/providers/Microsoft.Quota/quotas/{usage.name}"
        )
        if not reasons:
            if against:
                keep.append((target, against))
            continue
        if held := reserved.get(key):
            keep.append((target, f"{held}: its limit stays as it is."))
            continue
        wanted = kept + room if kept else 0
        if wanted >= usage.limit:
            keep.append(
                (
                    target,
                    f"{kept} of {usage.limit} vCPUs are in legitimate use: nothing to take away with {room} as head-room.",
                )
            )
            continue
        still = f", {rogue} of them by machines of the attacker that still exist" if rogue else ""
        lower.append(
            Reduction(
                target=target,
                region=usage.region,
                name=usage.name,
                title=usage.title,
                used=usage.used,
                limit=usage.limit,
                wanted=wanted,
                reasons=(*reasons, f"{usage.used} vCPUs are in use now{still}."),
            )
        )
    return lower, keep


def _reasons(
    case: Case, usage: QuotaUsage, was_used: bool, asked: list[quotas.Asked], kept: int
) -> tuple[list[str], str]:
    """Why this limit should be lowered, and when nothing says so, why it was looked at and left: "" when it was not."""
    reasons = ["The attacker used this family in this region, or tried to."] if was_used else []
    attribution = case[Attribution]
    by_attacker = [a for a in asked if a.operation is not None and attribution.did(a.operation)]
    honest = [a for a in asked if a.operation is not None and _is_honest(attribution, a)]
    if by_attacker:
        reasons.append("The attacker asked for a higher limit.")
    elif asked and len(honest) < len(asked):
        reasons.append("A higher limit was asked for during the incident; who asked is not known.")
    if reasons:
        return reasons, ""
    if honest:
        who = plain(honest[0].operation.caller) if honest[0].operation else ""
        return [], f"{who} asked for this limit, and is judged legitimate."
    least = int(case.parameter(STEP_ID, "unused_from", UNUSED_FROM))
    kind = quotas.kind_of_family(usage.name)
    whatever = bool(case.parameter(STEP_ID, "whatever_verdict", False))
    if not kind or not least or quotas.free(usage) < least or (kept and not whatever):
        return [], ""
    if attribution.verdict != "fraud" and not whatever:
        return [], ""
    words = "GPU" if kind == quotas.GPU else "high-performance"
    if kept:
        return [
            f"{quotas.free(usage)} vCPUs of this {words} family are free beyond what is used: an intruder could start them."
        ], ""
    return [f"Nobody uses this {words} family here: an intruder could start {quotas.free(usage)} vCPUs of it."], ""


def _reserved(case: Case) -> dict[tuple[str, str], str] | str:
    """(region, quota name) of what capacity is reserved in, with the reservation in words; a sentence when they should have been read and were not."""
    facts = case.get(CapacityFacts)
    if facts is None:
        return {}  # the playbook does not read them
    if facts.reservations is None:
        return "Capacity reservations could not be read: no limit is lowered while it is not known what is reserved."
    found: dict[tuple[str, str], str] = {}
    for one in facts.reservations:
        words = f"Capacity for {one.count} {plain(one.size, 60)} is reserved here"
        found[(one.region, quota_name(case, one.region, one.size))] = words
        found[(one.region, TOTAL)] = words
    return found


def _is_honest(attribution: Attribution, asked: quotas.Asked) -> bool:
    """Whether a session judged legitimate asked, from an address that is its own."""
    operation = asked.operation
    if operation is None:
        return False
    names = {operation.caller.lower(), operation.principal_id.lower()} - {""}
    return any(
        actor.cls is Class.LEGITIMATE
        and names & ({actor.id.lower(), actor.principal_id.lower()} - {""})
        and actor.address == operation.address
        for actor in attribution.actors
    )


def _used_by_attacker(case: Case) -> set[tuple[str, str]]:
    """(region, quota name) of what attacker-class machines use, used when they were created, or would have used."""
    judged, activity = Judged(case), case.get(ActivityFacts)
    sizes = {(region.lower(), size) for _, region, size, _ in _rogue(case, judged)}
    rogue = {j.id.lower() for j in case[Attribution].resources if j.cls is Class.ATTACKER}
    creators = activity.creators if activity is not None else {}
    for operation in (*creators.values(), *(activity.operations if activity is not None else ())):
        own = operation.resource_id.lower() in rogue
        tried = operation.name.lower().endswith("/write") and judged.of(operation.resource_id) is None
        if own or (tried and judged.attacker_did(operation)):
            sizes.update((operation.region.lower(), size) for size in _sizes(operation.properties))
    return {(region, name) for region, size in sizes if (name := quota_name(case, region, size))}


def _taken(case: Case) -> Counter[tuple[str, str]]:
    """vCPUs of the attacker's machines that still exist, by (region, quota name) and by (region, total)."""
    taken: Counter[tuple[str, str]] = Counter()
    for _, region, size, count in _rogue(case, Judged(case)):
        cores = parse_size(size).cpus * count
        taken[(region.lower(), quota_name(case, region.lower(), size))] += cores
        taken[(region.lower(), TOTAL)] += cores
    return taken


def _rogue(case: Case, judged: Judged) -> list[tuple[str, str, str, int]]:
    """Id, region, size and number of everything of the attacker's that holds vCPUs."""
    inventory = case.get(Inventory)
    if inventory is None:
        return []
    sized = [(m.id, m.region, m.size, 1) for m in inventory.machines]
    sized.extend((s.id, s.region, s.size, s.capacity) for s in inventory.scale_sets if not s.flexible)
    return [entry for entry in sized if judged.is_attackers(entry[0])]


def quota_name(case: Case, region: str, size: str) -> str:
    """Return the region's limit that counts machines of `size`, in lower case, "" when none fits.

    Azure's names follow no rule without exception (`standardNCASv3_T4Family` counts `Standard_NC16as_T4_v3`), so the region's own names
    are searched: same family, version and accelerator, and no feature letter that the size lacks; the most letters win.
    """
    wanted = parse_size(size)
    fitting = []
    for usage in case[QuotaFacts].usages:
        match = _QUOTA_NAME.fullmatch("".join(usage.name.lower().split())) if usage.region.lower() == region else None
        if match is None or not wanted.family or not match["letters"].startswith(wanted.family):
            continue
        letters, chip = match["letters"].removeprefix(wanted.family), match["before"] or match["behind"] or ""
        if (
            match["version"] == (wanted.version or "")
            and chip == wanted.accelerator
            and set(letters) <= set(wanted.features)
        ):
            fitting.append((-len(letters), usage.name.lower()))
    return min(fitting)[1] if fitting else ""


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


def _requested(case: Case) -> dict[tuple[str, str], list[quotas.Asked]]:
    """Who asked for more in the window, by (region, folded name of the limit)."""
    found: dict[tuple[str, str], list[quotas.Asked]] = {}
    for asked in quotas.asked_for(case[QuotaFacts], case.get(ActivityFacts)):
        if asked.region and asked.name:
            found.setdefault((asked.region, quotas.folded(asked.name)), []).append(asked)
    return found
