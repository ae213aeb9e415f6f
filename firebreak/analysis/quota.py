"""Quota as an attacker sees it: who asked for more, and how many vCPUs could still be started where. Facts in, answers out.

A request is known from up to three places, none of them complete: the activity log (who and from where), the service's own list of
requests (what became of it) and support tickets (what people at Microsoft are asked to do by hand). Here they become one row each.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.model.facts import ActivityFacts, Operation, QuotaFacts, QuotaUsage

TOTAL, SPOT = "cores", "lowprioritycores"
GPU, HPC, OTHER = "gpu", "hpc", ""
# The log and the service stamp one request some seconds apart; a second request of the same limit usually comes later.
_SAME = timedelta(minutes=10)
_LATE = datetime.max.replace(tzinfo=UTC)
_LIMIT_ID = re.compile(
    r"/locations/(?P<region>[^/]+)/providers/microsoft\.quota/quotas/(?P<name>[^/]+)$", re.IGNORECASE
)
_CAPACITY_ID = re.compile(r"/microsoft\.capacity/.*/locations/(?P<region>[^/]+)/servicelimits/(?P<name>[^/]+)$", re.I)
_REGION = re.compile(r"/locations/([^/]+)/", re.IGNORECASE)
_ASKS = re.compile(
    r"(?:^|/)microsoft\.quota/quotas/write$|^microsoft\.capacity/.*servicelimits/write$|^microsoft\.support/supporttickets/write$"
)
_FAMILY = re.compile(r"^standard[ _]?(?P<letters>[a-z]+)")
_GPU = ("nc", "nd", "ng", "nm", "np", "nv")
_HPC = ("hb", "hc", "hx")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request for more quota. `source` is request or ticket; `state` is Azure's word in lower case, "" when nothing tells it.

    `operation` is None when the log does not show the request: then nobody knows who asked. `limit` is None when no place tells it.
    """

    id: str
    source: str
    at: datetime | None = None
    region: str = ""
    name: str = ""
    limit: int | None = None
    state: str = ""
    operation: Operation | None = None


class OpenQuota(msgspec.Struct, frozen=True, kw_only=True):
    """What could be started in one region now, in vCPUs: with the limits of families, on Spot, and of it GPU and high-performance.

    The region's total bounds the families; Spot has a total of its own that any size may use. `in_use` is whether the customer works there.
    """

    region: str
    vcpus: int
    spot: int
    gpu: int
    hpc: int
    in_use: bool


def asked_for(facts: QuotaFacts, activity: ActivityFacts | None) -> tuple[Asked, ...]:
    """Every request for more quota in the window once, the oldest first; those without a time at the end."""
    rows = [row for document in facts.requests for row in _from_request(document)]
    rows += [row for document in facts.tickets for row in _from_ticket(document)]
    for operation in activity.operations if activity is not None else ():
        if _ASKS.search(operation.name.lower()):
            _add(rows, operation, tickets_were_read=facts.tickets_were_read)
    return tuple(sorted(rows, key=lambda row: (row.at or _LATE, row.region, row.name, row.id)))


def limits_named(operations: Iterable[Operation]) -> set[str]:
    """The regions that requests in the log are about: they stand in the id of the limit, not in the operation's region."""
    named = set()
    for operation in operations:
        match = _REGION.search(operation.resource_id) if _ASKS.search(operation.name.lower()) else None
        if match:
            named.add(doc.region_name(match[1]))
    return named - {""}


def kind_of_family(name: str) -> str:
    """Return `gpu`, `hpc` or "" for a limit's name: `standardNCADSA100v4Family` and `Standard NCASv3_T4 Family` are GPUs.

    Names of families follow no strict rule; what does not begin like a GPU or high-performance size counts as any other.
    """
    match = _FAMILY.match(name.strip().lower())
    letters = match["letters"].removesuffix("family") if match else ""
    if letters.startswith(_GPU):
        return GPU
    # H alone is a size series of its own; what merely begins with H is not.
    return HPC if letters.startswith(_HPC) or letters in ("h", "hpromo") else OTHER


def folded(name: str) -> str:
    """A limit's name in the one spelling that the quota service and support tickets share.

    >>> folded("standardNCADSA100v4Family") == folded("NCADS_A100_v4 Series")
    True
    """
    bare = re.sub(r"[^a-z0-9]", "", name.lower()).removeprefix("standard").removesuffix("vcpus")
    return bare.removesuffix("family").removesuffix("series")


def is_family(name: str) -> bool:
    """Whether a usage row counts vCPUs of one family, and not machines, a total or disks."""
    lowered = name.lower()
    return lowered.endswith("family") or lowered.startswith("standard ")


def free(usage: QuotaUsage) -> int:
    return max(0, usage.limit - usage.used)


def open_quota(usages: Iterable[QuotaUsage], in_use: Iterable[str]) -> tuple[OpenQuota, ...]:
    """Return the regions where anything could be started, those with the most GPU vCPUs first."""
    own = {region.lower() for region in in_use}
    by_region: dict[str, list[QuotaUsage]] = defaultdict(list)
    for usage in usages:
        by_region[usage.region.lower()].append(usage)
    rows = [_open(region, rows, region in own) for region, rows in by_region.items()]
    rows = [row for row in rows if row.vcpus or row.spot]
    return tuple(sorted(rows, key=lambda row: (-row.gpu - row.hpc, -row.vcpus - row.spot, row.region)))


def _open(region: str, rows: list[QuotaUsage], in_use: bool) -> OpenQuota:
    total = next((free(row) for row in rows if row.name.lower() == TOTAL), None)
    families = [row for row in rows if is_family(row.name)]
    if families:
        every = sum(free(row) for row in families)
        most = every if total is None else min(total, every)
    else:
        most = total or 0

    def of(kind: str) -> int:
        return min(most, sum(free(row) for row in families if kind_of_family(row.name) == kind))

    spot = next((free(row) for row in rows if row.name.lower() == SPOT), 0)
    return OpenQuota(region=region, vcpus=most, spot=spot, gpu=of(GPU), hpc=of(HPC), in_use=in_use)


def _from_request(document: Mapping[str, Any]) -> list[Asked]:
    identity = doc.path(document, "id")
    match = _REGION.search(identity)
    region = doc.region_name(match[1]) if match else doc.region_name(doc.text(document, "region"))
    at = doc.moment(doc.text(document, "properties", "requestSubmitTime"))
    state = doc.text(document, "properties", "provisioningState").lower()
    parts = [part for part in doc.items(document, "properties", "value") if isinstance(part, Mapping)]
    return [
        Asked(
            id=identity,
            source="request",
            at=at,
            region=region,
            name=doc.text(part, "name"),
            limit=_limit(part),
            state=doc.text(part, "provisioningState").lower() or state,
        )
        for part in parts or [{}]
    ]


def _limit(part: Mapping[str, Any]) -> int | None:
    found = doc.field(part, "limit")
    found = doc.field(found, "value") if isinstance(found, Mapping) else found
    try:
        return None if found is None or isinstance(found, bool) else int(found)
    except (TypeError, ValueError, OverflowError):
        return None


def _from_ticket(document: Mapping[str, Any]) -> list[Asked]:
    changes = doc.items(document, "properties", "quotaTicketDetails", "quotaChangeRequests")
    at = doc.moment(doc.text(document, "properties", "createdDate"))
    state = doc.text(document, "properties", "status").lower()
    rows = []
    for change in changes:
        payload = doc.mapping(change, "payload")
        wanted = doc.amount(doc.field(payload, "NewLimit"))
        rows.append(
            Asked(
                id=doc.path(document, "id"),
                source="ticket",
                at=at,
                region=doc.region_name(doc.text(change, "region")),
                name=doc.text(payload, "SKU") or doc.text(payload, "VMFamily"),
                limit=int(wanted) if wanted is not None else None,
                state=state,
            )
        )
    return rows


def _add(rows: list[Asked], operation: Operation, *, tickets_were_read: bool) -> None:
    """Put who asked to the request the service lists, or add a request that only the log shows."""
    is_ticket = operation.name.lower().endswith("supporttickets/write")
    match = _LIMIT_ID.search(operation.resource_id) or _CAPACITY_ID.search(operation.resource_id)
    region, name = (doc.region_name(match["region"]), match["name"]) if match else ("", "")
    if is_ticket:
        places = [n for n, row in enumerate(rows) if row.id.lower() == operation.resource_id.lower()]
    else:
        fitting = [n for n, row in enumerate(rows) if _is_same(row, region, name, operation)]
        places = sorted(fitting, key=lambda n: abs((rows[n].at or operation.at) - operation.at))[:1]
    for place in places:
        rows[place] = msgspec.structs.replace(rows[place], operation=operation)
    if places or (is_ticket and tickets_were_read):
        return
    limit = operation.properties.get("limit")
    rows.append(
        Asked(
            id=operation.resource_id,
            source="ticket" if is_ticket else "request",
            at=operation.at,
            region=region,
            name=name,
            limit=limit if isinstance(limit, int) else None,
            state="failed" if operation.status == "failed" else "",
            operation=operation,
        )
    )


def _is_same(row: Asked, region: str, name: str, operation: Operation) -> bool:
    if row.source != "request" or row.operation is not None or not name:
        return False
    if (row.region, folded(row.name)) != (region, folded(name)):
        return False
    # What the log calls failed and the service lists as granted are two requests.
    if row.state and (operation.status == "failed") != (row.state in ("failed", "invalid")):
        return False
    return row.at is None or abs(row.at - operation.at) <= _SAME


def in_words(asked: Asked) -> str:
    """`koreacentral: standardNDSv2Family to 2000, succeeded`; foreign text is made plain."""
    where = asked.region or "no region named"
    limit = f" to {asked.limit}" if asked.limit is not None else ""
    if asked.source == "ticket" and not asked.name:
        return f"{where}: a support ticket, which may ask for quota, {doc.shown(asked.state, 40) or 'outcome unknown'}"
    how = " by support ticket" if asked.source == "ticket" else ""
    state = doc.shown(asked.state, 40) or "outcome unknown"
    return f"{where}: {doc.shown(asked.name, 80) or 'a limit'}{limit}{how}, {state}"


def by_asker(rows: Iterable[Asked]) -> dict[tuple[str, str], list[Asked]]:
    """The requests by caller and address, both "" for those of which the log shows nothing."""
    found: dict[tuple[str, str], list[Asked]] = defaultdict(list)
    for row in rows:
        operation = row.operation
        found[(operation.caller, operation.address) if operation is not None else ("", "")].append(row)
    return dict(found)
