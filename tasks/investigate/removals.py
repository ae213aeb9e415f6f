"""What the attacker took away, to be alone or unseen: found by their deletions, with what the log still tells of each thing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Attribution, Operation
from firebreak.model.finding import Finding, Severity
from firebreak.model.removals import Removal, Removals
from firebreak.model.step import Effect, Step
from tasks.platform import type_of
from tasks.reading import Notes, each
from tasks.taken_away import ASSIGNMENTS, KEPT, last_known
from tasks.words import plain

STEP = Step(
    id="investigate.removals",
    title="Find what the attacker took away",
    effect=Effect.READ,
    description=(
        "Goes through what the attacker's sessions deleted: role assignments, custom roles, policy assignments, locks, diagnostic settings, alert "
        "rules and action groups. Reads from 90 days of the log what each held, and whether it is there again."
    ),
    permissions=("Microsoft.Insights/eventtypes/values/read", *sorted(f"{one.type}/read" for one in KEPT.values())),
    guidance=("S48", "S56"),
    produces=Removals,
    needs=(ActivityFacts, Attribution),
)

_REACH = timedelta(days=90) - timedelta(minutes=15)


async def collect(eyes: Eyes, case: Case) -> Removals:
    """Read the log of each deleted thing once, and the thing itself."""
    notes, log = (
        Notes(),
        f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Insights/eventtypes/management/values",
    )
    written = _written_by_them(case)
    since = f"{eyes.now() - _REACH:%Y-%m-%dT%H:%M:%SZ}"

    async def read(operation: Operation) -> Removal:
        identity, kind = operation.resource_id, type_of(operation.resource_id)
        kept, shown = KEPT[kind], doc.shown(operation.resource_id, 250)
        quoted = identity.replace("'", "''")
        nothing: list[dict[str, Any]] = []
        query = {"$filter": f"eventTimestamp ge '{since}' and resourceUri eq '{quoted}'"}
        events = await notes.attempt(f"what the log tells of {shown}", eyes.arm.list(log, "2015-04-01", query), nothing)
        theirs = written.get(identity.lower(), ())
        body, source = last_known(kind, identity, events, f"{operation.at:%Y-%m-%dT%H:%M:%S}Z", theirs)
        unread: dict[str, Any] = {}
        now = await notes.attempt(f"{kept.called} {shown}", eyes.arm.get(identity, kept.version), unread)
        return Removal(
            id=identity,
            type=kind,
            called=kept.called,
            version=kept.version,
            by=operation.caller,
            address=operation.address,
            at=operation.at,
            event_ids=operation.event_ids,
            document=body,
            source=source,
            rewritten=bool(theirs),
            principal_id=doc.text(body, "properties", "principalId").lower() if kind == ASSIGNMENTS else "",
            stands=bool(now),
        )

    found = await each(read, _deletions(case))
    return Removals(items=tuple(sorted(found, key=lambda one: one.id.lower())), not_looked_at=notes.all)


def _deletions(case: Case) -> list[Operation]:
    """The newest deletion of each thing by the attacker."""
    attribution, newest = case[Attribution], dict[str, Operation]()
    for operation in sorted(case[ActivityFacts].operations, key=lambda one: (one.at, one.id)):
        kind = type_of(operation.resource_id)
        deletes = kind in KEPT and operation.name.lower() == f"{kind}/delete" and operation.status == "succeeded"
        if deletes and attribution.did(operation):
            newest[operation.resource_id.lower()] = operation
    return list(newest.values())


def _written_by_them(case: Case) -> dict[str, set[str]]:
    """The ids of the attacker's writes, by the thing they wrote."""
    attribution, found = case[Attribution], dict[str, set[str]]()
    for operation in case[ActivityFacts].operations:
        kind = type_of(operation.resource_id)
        writes = kind in KEPT and operation.name.lower() == f"{kind}/write" and operation.status != "failed"
        if writes and attribution.did(operation):
            found.setdefault(operation.resource_id.lower(), set()).update(operation.event_ids)
    return found


def assess(facts: Removals, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for all of it."""
    gone = [one for one in facts.items if not one.stands]
    if not gone:
        return []
    return [
        Finding(
            id="taken-away",
            step=STEP.id,
            title="Protections and rights that the attacker took away",
            severity=Severity.HIGH,
            reasons=tuple(
                f"{one.called} {doc.shown(one.id.rsplit('/', 1)[-1], 80)}, {one.at:%Y-%m-%d %H:%M}Z by {plain(one.by, 80)}. {KEPT[one.type].means} "
                + (f"What it held is known from {one.source}." if one.document else "What it held is not known.")
                for one in gone
            ),
            event_ids=tuple(dict.fromkeys(event for one in gone for event in one.event_ids)),
            resources=tuple(one.id for one in gone),
            techniques=("T1531", "T1562.008"),
        )
    ]
