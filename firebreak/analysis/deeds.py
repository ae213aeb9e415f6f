"""What the attacker did, in few words: the operations of each session put together by kind, so that a person can read them at a glance.

Facts in, deeds out. It judges nothing: whose a session is was decided by attribution, and what is grave by the detections.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from firebreak.analysis import documents as doc
from firebreak.model.facts import ActivityFacts, Attribution, Class, Judgement, Operation

# Pauses longer than this make two deeds of one kind.
PAUSE = timedelta(minutes=60)
_LIMIT_REGION = re.compile(r"/locations/([a-z0-9]+)/providers/microsoft\.quota/", re.IGNORECASE)
_MACHINES = (
    r"microsoft\.(?:compute/(?:virtualmachines|virtualmachinescalesets|cloudservices)|batch/batchaccounts(?:/pools)?"
    r"|containerinstance/containergroups|containerservice/managedclusters(?:/agentpools)?|machinelearningservices/workspaces(?:/computes)?"
    r"|app/(?:containerapps|jobs)|web/(?:sites|serverfarms)|hdinsight/clusters|databricks/workspaces|synapse/workspaces/bigdatapools)"
)
# kind, what it is called, operations by name; the first that fits counts
_KINDS: tuple[tuple[str, str, re.Pattern[str]], ...] = tuple(
    (kind, title, re.compile(pattern))
    for kind, title, pattern in (
        ("elevate", "took rights over everything", r"elevateaccess/action$"),
        ("transfer", "moved or cancelled the subscription", r"^microsoft\.subscription/(?!register)"),
        ("register", "switched on kinds of resources", r"/register/action$"),
        (
            "grant",
            "gave roles",
            r"/(?:roleassignments|roleeligibilityschedulerequests|roleassignmentschedulerequests)/write$",
        ),
        ("evict", "took roles away from others", r"/roleassignments/delete$"),
        ("invite", "added accounts, secrets or consents", r"^(?:add|invite|consent|update application|create) .*"),
        ("quota", "asked for more quota", r"(?:microsoft\.quota/quotas|servicelimits|supporttickets)/write$"),
        (
            "unguard",
            "took protections away",
            r"/(?:locks|policyassignments|policyexemptions|diagnosticsettings|activitylogalerts|metricalerts|automaticexports)/delete$|/pricings/write$|alertssuppressionrules/write$|policyexemptions/write$",
        ),
        (
            "policy",
            "changed policies or roles",
            r"/(?:policyassignments|policydefinitions|roledefinitions)/(?:write|delete)$",
        ),
        ("lock", "placed locks", r"/locks/write$"),
        (
            "keys",
            "read keys or secrets",
            r"/(?:listkeys|listsecrets|listaccountsas|listservicesas|listclusteradmincredential|listclusterusercredential|listcredentials|regeneratekey|list)/action$|vaults/(?:secrets|keys)/.*(?:read|get)",
        ),
        ("run", "ran code on machines", r"/(?:runcommand/action|runcommands/write|extensions/write|customscript.*)$"),
        (
            "export",
            "copied disks or data out",
            r"/(?:begingetaccess/action|snapshots/write|restorepoints/.*write|export.*action)$",
        ),
        (
            "network",
            "changed network rules",
            r"/(?:networksecuritygroups(?:/securityrules)?|firewallrules|azurefirewalls)/write$",
        ),
        (
            "persist",
            "left ways to come back",
            r"microsoft\.(?:automation|logic)/.*write$|federatedidentitycredentials/write$|userassignedidentities/.*write$",
        ),
        ("compute", "created machines and other compute", rf"^{_MACHINES}/write$"),
        ("delete", "deleted resources", r"/delete$"),
        ("create", "created other resources", r"/write$"),
    )
)
_OTHER = ("other", "did other things")


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """Operations of one session and one kind, one after another. `failed` of the `count` did not succeed.

    `actor` is the index of the judgement in `Attribution.actors`, `targets` are resource ids (or what the log names instead), the oldest
    first; `regions` those it was done in, with how often.
    """

    kind: str
    title: str
    actor: int
    caller: str
    address: str
    first: datetime
    last: datetime
    count: int
    failed: int = 0
    regions: tuple[tuple[str, int], ...] = ()
    targets: tuple[str, ...] = ()
    event_ids: tuple[str, ...] = ()
    granted_to: tuple[str, ...] = ()


def deeds(activity: ActivityFacts, found: Attribution) -> tuple[Deed, ...]:
    """Everything the attacker's sessions did in the window, the oldest first. A kind is one deed until an hour passes without it."""
    open_: dict[tuple[int, str], list[Operation]] = {}
    made: list[Deed] = []
    for operation, actor in _theirs(activity, found):
        kind, _ = kind_of_deed(operation.name)
        together = open_.setdefault((actor, kind), [])
        if together and operation.at - together[-1].at > PAUSE:
            made.append(_deed(kind, actor, together))
            together = open_[actor, kind] = []
        together.append(operation)
    made += [_deed(kind, actor, together) for (actor, kind), together in open_.items()]
    return tuple(sorted(made, key=lambda deed: (deed.first, deed.actor, deed.kind)))


def kind_of_deed(name: str) -> tuple[str, str]:
    """The kind of an operation's name, and what it is called."""
    lowered = name.lower()
    return next(((kind, title) for kind, title, pattern in _KINDS if pattern.search(lowered)), _OTHER)


def _theirs(activity: ActivityFacts, found: Attribution) -> Iterator[tuple[Operation, int]]:
    attackers = [(number, actor) for number, actor in enumerate(found.actors) if actor.cls is Class.ATTACKER]
    alone = [(number, msgspec.structs.replace(found, actors=(actor,))) for number, actor in attackers]
    for operation in sorted(activity.operations, key=lambda one: (one.at, one.id)):
        mine = [number for number, only in alone if only.did(operation)]
        if mine:
            # An identity of the attacker's own may stand there once for each address.
            exact = [number for number in mine if found.actors[number].address == operation.address]
            yield operation, (exact or mine)[0]


def _deed(kind: str, actor: int, operations: list[Operation]) -> Deed:
    regions = Counter(region for operation in operations if (region := _region(operation)))
    return Deed(
        kind=kind,
        title=next((title for name, title, _ in _KINDS if name == kind), _OTHER[1]),
        actor=actor,
        caller=operations[0].caller,
        address=operations[0].address,
        first=operations[0].at,
        last=operations[-1].at,
        count=len(operations),
        failed=sum(operation.status == "failed" for operation in operations),
        regions=tuple(sorted(regions.items(), key=lambda pair: (-pair[1], pair[0]))),
        targets=tuple(dict.fromkeys(o.resource_id for o in operations if o.resource_id)),
        event_ids=tuple(dict.fromkeys(event for operation in operations for event in operation.event_ids)),
        granted_to=tuple(
            dict.fromkeys(
                str(o.properties["granted_to"])
                for o in operations
                if o.properties.get("granted_to") and o.status != "failed"
            )
        ),
    )


def _region(operation: Operation) -> str:
    match = _LIMIT_REGION.search(operation.resource_id)
    return doc.region_name(match[1] if match else operation.region)


def together(found: Iterable[Deed]) -> tuple[Deed, ...]:
    """The same deeds with those of one session and kind joined, whatever the pauses; the oldest first."""
    joined: dict[tuple[int, str], Deed] = {}
    for deed in found:
        before = joined.get((deed.actor, deed.kind))
        joined[deed.actor, deed.kind] = deed if before is None else _joined(before, deed)
    return tuple(sorted(joined.values(), key=lambda deed: (deed.first, deed.actor, deed.kind)))


def _joined(one: Deed, other: Deed) -> Deed:
    regions = Counter(dict(one.regions)) + Counter(dict(other.regions))
    return msgspec.structs.replace(
        one,
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        count=one.count + other.count,
        failed=one.failed + other.failed,
        regions=tuple(sorted(regions.items(), key=lambda pair: (-pair[1], pair[0]))),
        targets=tuple(dict.fromkeys((*one.targets, *other.targets))),
        event_ids=tuple(dict.fromkeys((*one.event_ids, *other.event_ids))),
        granted_to=tuple(dict.fromkeys((*one.granted_to, *other.granted_to))),
    )


def principal_of(actor: Judgement) -> str:
    """What a grant names an actor by: the object id where it is known."""
    return (actor.principal_id or actor.id).lower()
