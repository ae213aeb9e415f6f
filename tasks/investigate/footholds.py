"""What the attacker could come back through without an account: searched in what the attacker's sessions did, then read as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Attribution, Class, Operation
from firebreak.model.finding import Finding, Severity
from firebreak.model.footholds import Foothold, Footholds
from firebreak.model.step import Effect, Step
from tasks.arm import DISKS, text_at
from tasks.footholds import EXPORT, EXPORTS, LEFT_TO_PEOPLE, WAYS, content_of
from tasks.platform import type_of
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.footholds",
    title="Find what the attacker could come back through",
    effect=Effect.READ,
    description=(
        "Goes through everything the attacker's sessions wrote or asked for: automation, logic apps, functions, scripts and agents on machines, "
        "custom roles, policy exemptions, event subscriptions, delegations, network openings and download links; reads what is still there."
    ),
    permissions=tuple(sorted({f"{way.type}/read" for way in WAYS.values()} | {"Microsoft.Compute/disks/read"})),
    guidance=("S48", "S56"),
    produces=Footholds,
    needs=(ActivityFacts, Attribution),
    parameters={"api_versions": "Api-versions to use instead of the built-in ones, by resource type in lower case."},
)


async def collect(eyes: Eyes, case: Case) -> Footholds:
    """Read each thing once that the attacker's deeds or the attribution point to; what is gone is left out, what is unread is said."""
    notes = Notes()
    versions = {str(k).lower(): str(v) for k, v in dict(case.parameter(STEP.id, "api_versions", {})).items()}

    async def as_it_is(one: Foothold) -> Foothold | None:
        version = versions.get(one.kind, one.version)
        if not version:
            return one
        unread: dict[str, Any] = {}
        what = f"{one.called} {doc.shown(one.id, 250)}"
        document = await notes.attempt(what, eyes.arm.get(one.id, version), unread)
        if document is None:
            return None
        if one.kind == EXPORT and document:
            state = text_at(document, "properties", "diskState").lower()
            if not state.startswith("activesas"):
                return None  # the link has ended; what was downloaded is gone all the same, the log says so
            return _with(one, version, text_at(document, "properties", "uniqueId").lower(), document)
        return _with(one, version, content_of(document) if document else "", document)

    found = await each(as_it_is, _suspected(case))
    return Footholds(
        items=tuple(sorted((one for one in found if one is not None), key=lambda one: (one.id.lower(), one.kind))),
        not_looked_at=notes.all,
    )


def assess(facts: Footholds, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for all that the attacker made, one for what people have to look at."""
    theirs = [one for one in facts.items if not one.people]
    left = [one for one in facts.items if one.people]
    found = []
    if theirs:
        found.append(_finding("footholds", "Ways back that the attacker left", Severity.HIGH, theirs))
    if left:
        found.append(_finding("footholds-by-hand", "Ways back that a person has to close", Severity.HIGH, left))
    return found


def _finding(name: str, title: str, severity: Severity, items: list[Foothold]) -> Finding:
    return Finding(
        id=name,
        step=STEP.id,
        title=title,
        severity=severity,
        reasons=tuple(
            f"{one.called} {doc.shown(one.id.rsplit('/', 1)[-1], 80)}: {one.means}"
            + (f" {one.people}" if one.people else "")
            for one in items
        ),
        event_ids=tuple(dict.fromkeys(event for one in items for event in one.event_ids)),
        resources=tuple(dict.fromkeys(one.id for one in items)),
        techniques=("T1098", "T1546"),
    )


def _suspected(case: Case) -> list[Foothold]:
    """Each thing once: by what the attacker's sessions did in the window, and by what the attribution says they made."""
    activity, attribution = case[ActivityFacts], case[Attribution]
    found: dict[tuple[str, str], Foothold] = {}
    for operation in activity.operations:
        if operation.status != "failed" and attribution.did(operation):
            for one in _by_deed(operation, case):
                found[one.id.lower(), one.kind] = one  # the newest deed is told
    for judgement in attribution.resources:
        kind = type_of(judgement.id)
        if judgement.cls is Class.ATTACKER and kind in WAYS and (judgement.id.lower(), kind) not in found:
            way = WAYS[kind]
            found[judgement.id.lower(), kind] = Foothold(
                id=judgement.id,
                kind=kind,
                called=way.called,
                means=way.means,
                is_theirs=True,
                version=way.version,
                caller=judgement.created_by,
                at=judgement.created_at,
                event_ids=tuple(e for reason in judgement.reasons if reason.points > 0 for e in reason.event_ids),
            )
    return [found[key] for key in sorted(found)]


def _by_deed(operation: Operation, case: Case) -> Iterator[Foothold]:
    name, kind = operation.name.lower(), type_of(operation.resource_id)
    told: dict[str, Any] = {
        "id": operation.resource_id,
        "caller": operation.caller,
        "address": operation.address,
        "at": operation.at,
        "event_ids": operation.event_ids,
        "region": operation.region,
    }
    if name in EXPORTS:
        means = "Whoever holds the link downloads the whole disk until it ends."
        yield Foothold(
            **told,
            kind=EXPORT,
            called=f"download link of a {EXPORTS[name]}",
            means=means,
            is_theirs=True,
            version=DISKS,
        )
    elif name in LEFT_TO_PEOPLE and not _is_attackers(operation.resource_id, case):
        called, means, people = LEFT_TO_PEOPLE[name]
        yield Foothold(**told, kind=name, called=called, means=means, is_theirs=False, people=people)
    elif kind in WAYS and name == f"{kind}/write":
        way, theirs = WAYS[kind], _made_by_attacker(operation, case)
        people = "" if theirs else "It was there before and was changed: compare it with what it should be."
        yield Foothold(
            **told, kind=kind, called=way.called, means=way.means, is_theirs=theirs, version=way.version, people=people
        )


def _is_attackers(resource_id: str, case: Case) -> bool:
    judgement = case[Attribution].of(resource_id)
    return judgement is not None and judgement.cls is Class.ATTACKER


def _made_by_attacker(operation: Operation, case: Case) -> bool:
    """By judgement; else when the attacker's is the first write that the log has of it, and Azure did not answer it as an update."""
    judgement = case[Attribution].of(operation.resource_id)
    if judgement is not None and judgement.cls is not Class.UNKNOWN:
        return judgement.cls is Class.ATTACKER
    first = case[ActivityFacts].creators.get(operation.resource_id.lower(), operation)
    return first.created is not False and case[Attribution].did(first)


def _with(one: Foothold, version: str, content: str, document: dict[str, Any]) -> Foothold:
    region = doc.region_name(text_at(document, "location")) or doc.region_name(one.region)
    return Foothold(
        id=one.id,
        kind=one.kind,
        called=one.called,
        means=one.means,
        is_theirs=one.is_theirs,
        version=version,
        region=region,
        caller=one.caller,
        address=one.address,
        at=one.at,
        event_ids=one.event_ids,
        content=content,
        people=one.people,
    )
