"""Which keys, links and passwords the attacker was told: searched in what their sessions asked for. The keys themselves are never read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Attribution, Class, Operation
from firebreak.model.finding import Finding, Severity
from firebreak.model.keys import KeyHolder, ListedKeys
from firebreak.model.step import Effect, Step
from tasks.arm import moment, text_at, value_at
from tasks.keys import KEY_NAMES, STORAGE, STORAGE_VERSION, holder_of, tells_a_secret, told_of
from tasks.platform import type_of
from tasks.reading import Notes
from tasks.words import plain

STEP = Step(
    id="investigate.listed_keys",
    title="Find the keys that the attacker was told",
    effect=Effect.READ,
    description=(
        "Goes through everything the attacker's sessions asked for that answers keys, links or passwords: storage, databases, registries, queues, "
        "clusters, apps. Reads of storage accounts when each key was made; no key is read."
    ),
    permissions=("Microsoft.Storage/storageAccounts/read",),
    guidance=("S37", "S48"),
    produces=ListedKeys,
    needs=(ActivityFacts, Attribution),
)

_USERS = 5
# A key that is made anew is told in the answer, and made at about the time of the record.
_MAKING = timedelta(minutes=2)


async def collect(eyes: Eyes, case: Case) -> ListedKeys:
    """Each resource once, by the newest time that something of it was told; storage accounts as the subscription's list shows them."""
    notes, told = Notes(), _told(case)
    path, nothing = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Storage/storageAccounts", None
    rows: list[dict[str, Any]] | None = nothing
    if any(one.kind == STORAGE and not one.is_attackers for one in told):
        rows = await notes.attempt(
            "storage accounts whose keys were told", eyes.arm.list(path, STORAGE_VERSION), nothing
        )
    by_id = {doc.path(row, "id").lower(): row for row in rows or ()}

    def as_it_is(one: KeyHolder) -> KeyHolder | None:
        if one.kind != STORAGE or one.is_attackers or rows is None:
            return one
        document = by_id.get(one.id.lower())
        if document is None:
            return None  # its keys open nothing any more
        return msgspec.structs.replace(
            one,
            region=doc.region_name(text_at(document, "location")) or one.region,
            created=moment(text_at(document, "properties", "creationTime")),
            # https://learn.microsoft.com/rest/api/storagerp/storage-accounts/list: keyCreationTime may be missing.
            made={name: moment(text_at(document, "properties", "keyCreationTime", name)) for name in KEY_NAMES},
            switched_off=value_at(document, "properties", "allowSharedKeyAccess") is False,
        )

    found = (as_it_is(one) for one in told)
    return ListedKeys(items=tuple(one for one in found if one is not None), not_looked_at=notes.all)


def assess(facts: ListedKeys, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for all keys of the customer's."""
    lost = [one for one in facts.items if not one.is_attackers]
    if not lost:
        return []
    return [
        Finding(
            id="keys-told",
            step=STEP.id,
            title="Keys and passwords that the attacker was told",
            severity=Severity.HIGH,
            reasons=tuple(
                f"{one.called} {doc.shown(one.id.rsplit('/', 1)[-1], 80)}, {one.at:%Y-%m-%d %H:%M}Z by {plain(one.caller, 80)}. Whoever has them "
                "needs no account."
                for one in lost
            ),
            event_ids=tuple(dict.fromkeys(event for one in lost for event in one.event_ids)),
            resources=tuple(one.id for one in lost),
            techniques=("T1552", "T1528"),
        )
    ]


def _told(case: Case) -> list[KeyHolder]:
    activity, attribution = case[ActivityFacts], case[Attribution]
    newest: dict[str, Operation] = {}
    users: dict[str, set[str]] = {}
    for operation in sorted(activity.operations, key=lambda one: (one.at, one.id)):
        name = operation.name.lower()
        if operation.status == "failed" or not tells_a_secret(name) or not operation.resource_id:
            continue
        key = holder_of(operation.resource_id).lower()
        if attribution.did(operation):
            newest[key] = operation
        elif operation.caller:
            users.setdefault(key, set()).add(operation.caller)
    return [_holder(newest[key], case, sorted(users.get(key, ()))) for key in sorted(newest)]


def _holder(operation: Operation, case: Case, users: list[str]) -> KeyHolder:
    identity = holder_of(operation.resource_id)
    kind = type_of(identity)
    judgement = case[Attribution].of(identity)
    makes = "regenerate" in operation.name.lower()
    return KeyHolder(
        id=identity,
        kind=kind,
        called=told_of(kind).called,
        at=operation.at + (_MAKING if makes else timedelta(0)),
        caller=operation.caller,
        address=operation.address,
        event_ids=operation.event_ids,
        region=doc.region_name(operation.region),
        users=tuple(users[:_USERS]),
        is_attackers=judgement is not None and judgement.cls is Class.ATTACKER,
    )
