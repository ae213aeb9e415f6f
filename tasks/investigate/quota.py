"""vCPU quota and its use in every region, the requests for more that were made, and what could still be started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis import quota
from firebreak.analysis.history import Familiarity, History
from firebreak.errors import RemoteError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Inventory, QuotaFacts, QuotaUsage
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.arm import QUOTA, SUPPORT
from tasks.reading import Notes, each
from tasks.tickets import ticket_path

STEP = Step(
    id="investigate.quota",
    title="Read quota and its use in all regions",
    effect=Effect.READ,
    description=(
        "Reads the vCPU quota of every region, the quota requests of those where something stands or was tried, and the support tickets "
        "for quota: how far an intruder could still go, what was asked for, and by whom."
    ),
    permissions=(
        "Microsoft.Compute/locations/usages/read",
        "Microsoft.Quota/quotaRequests/read",
        "Microsoft.Support/supportTickets/read",
    ),
    guidance=("S69", "S71", "S73"),
    produces=QuotaFacts,
    needs=(Inventory, ActivityFacts),
    parameters={
        "regions": "A list of regions to read beyond those of interest. All regions of the subscription when not given."
    },
)

# One read for each of about sixty regions: at this pace a quarter of the 250 reads at once that Azure grants, and far below its refill.
_AT_ONCE = 6
_FEW = 8
# A region of the subscription where the compute provider does not work; nothing can be started there.
_NOT_OFFERED = frozenset({"NoRegisteredProviderFound", "LocationNotAvailableForResourceType", "InvalidLocation"})


async def collect(eyes: Eyes, case: Case) -> QuotaFacts:
    """Read the usages of all regions, a few at a time, the quota requests of the regions of interest, and the tickets for quota."""
    interest, everything = regions_to_read(case)
    notes = Notes()
    base = f"/subscriptions/{eyes.arm.subscription_id}"
    places = f"{base}/providers/Microsoft.Compute/locations"
    closed: list[str] = []

    async def usages(region: str) -> list[QuotaUsage]:
        rows = await notes.attempt(f"quota of {region}", _usages(eyes, f"{places}/{region}"), [])
        if rows is None:
            closed.append(region)
        return [_usage(region, row) for row in rows or []]

    async def requests(region: str) -> list[dict[str, Any]]:
        rows = await notes.attempt(f"quota requests of {region}", _requests(eyes, f"{places}/{region}"), [])
        return [{**row, "region": region} for row in rows]

    if not case[Inventory].regions and case.parameter(STEP.id, "regions", None) is None:
        notes.add("quota of regions where nothing stands", "the subscription's regions could not be read")
    found = await each(usages, everything, at_once=_AT_ONCE)
    if closed and not any(found):
        # The same words answer a version that Azure no longer knows: not one region that works is no region without compute.
        notes.add(
            "quota of all regions",
            f"{len(closed)} regions answered that compute is not offered there, and no other did",
        )
        closed.clear()
    asked = await each(requests, interest, at_once=_AT_ONCE)
    since = case[ActivityFacts].window_start
    listed = eyes.arm.list(
        f"{base}/providers/Microsoft.Support/supportTickets",
        SUPPORT,
        {"$filter": f"CreatedDate ge {since:%Y-%m-%dT%H:%M:%SZ}"},
    )
    tickets = await notes.attempt("support tickets for quota", listed, None)
    own = {ticket_path(case).lower(), ticket_path(case, "-quota").lower()}
    return QuotaFacts(
        usages=tuple(sorted((u for rows in found for u in rows), key=lambda usage: (usage.region, usage.name.lower()))),
        requests=_by_id(row for rows in asked for row in rows if _is_since(row, "requestSubmitTime", since)),
        tickets=_by_id(
            row
            for row in tickets or ()
            if doc.items(row, "properties", "quotaTicketDetails", "quotaChangeRequests")
            and doc.path(row, "id").lower() not in own
            and _is_since(row, "createdDate", since)
        ),
        tickets_were_read=tickets is not None,
        without_compute=tuple(sorted(closed)),
        not_looked_at=notes.all,
    )


def assess(facts: QuotaFacts, case: Case) -> list[Finding]:
    """Tell requests for more quota, by who made them, and how many more vCPUs could be started where."""
    activity, inventory = case.get(ActivityFacts), case.get(Inventory)
    history = History(activity, inventory) if activity is not None else None
    askers = quota.by_asker(quota.asked_for(facts, activity))
    found = [_asked(who, rows, activity, history) for who, rows in sorted(askers.items())]
    return [*found, *_open(facts, history.regions if history is not None else frozenset())]


def _asked(
    who: tuple[str, str], rows: list[quota.Asked], activity: ActivityFacts | None, history: History | None
) -> Finding:
    caller, address = who
    known = [row.operation for row in rows if row.operation is not None]
    regions = sorted({row.region for row in rows if row.region})
    granted = sum(row.state == "succeeded" for row in rows)
    reasons = [f"Requests for {', '.join(regions) or 'no region named'}: {len(rows)}; known to be granted: {granted}."]
    if not known:
        reasons.append("The log does not show who asked.")
    waiting = sum(row.source == "ticket" and row.state == "open" for row in rows)
    if waiting:
        reasons.append(f"In open support tickets: {waiting}. Microsoft may still raise these limits.")
    reasons += [f"{quota.in_words(row)}." for row in rows[:_FEW]]
    reasons += [f"… and {len(rows) - _FEW} more."] if len(rows) > _FEW else []
    return Finding(
        id=":".join(filter(None, ("quota-requests", caller.lower(), address))),
        step=STEP.id,
        title="Quota requests in the incident's window",
        severity=Severity.LOW if known and _is_usual(who, activity, history) else Severity.MEDIUM,
        reasons=tuple(reasons),
        event_ids=tuple(dict.fromkeys(event for operation in known for event in operation.event_ids)),
        resources=tuple(dict.fromkeys(row.id for row in rows if row.id)),
        actor=caller,
        address=address,
        techniques=("T1578.005",),
    )


def _is_usual(who: tuple[str, str], activity: ActivityFacts | None, history: History | None) -> bool:
    """Whether the caller works from this address every day, as somebody who grows their own platform does."""
    if activity is None or history is None:
        return False
    sessions = [s for s in activity.sessions if (s.caller.lower(), s.address) == (who[0].lower(), who[1])]
    return bool(sessions) and all(history.familiarity(session) is Familiarity.USUAL for session in sessions)


def _open(facts: QuotaFacts, in_use: frozenset[str]) -> list[Finding]:
    rows = quota.open_quota(facts.usages, in_use)
    found = []
    if rows:
        away = [row for row in rows if not row.in_use and in_use]  # without any history nothing is known of regions
        reasons = [
            f"{_sum(rows)} vCPUs could be started in {len(rows)} regions, and {sum(row.spot for row in rows)} more on Spot."
        ]
        if away:
            spot = sum(row.spot for row in away)
            reasons.append(
                f"{_sum(away)} of them, and {spot} on Spot, where nothing stood before the incident ({len(away)} of these regions)."
            )
        reasons.append("Less unused quota is less to abuse.")
        found.append(_finding("quota-free", "vCPUs that could still be started", Severity.INFORMATIONAL, reasons))
    grave = [row for row in rows if row.gpu or row.hpc]
    if grave:
        reasons = [
            f"{row.region}: {row.gpu} vCPUs of GPU sizes, {row.hpc} of high-performance sizes{'; nothing stood there before' if in_use and not row.in_use else ''}."
            for row in grave[:_FEW]
        ]
        reasons += [f"… and {len(grave) - _FEW} more regions."] if len(grave) > _FEW else []
        title = "GPU and high-performance quota that could still be used"
        found.append(_finding("quota-expensive", title, Severity.LOW, reasons))
    return found


def _finding(name: str, title: str, severity: Severity, reasons: list[str]) -> Finding:
    return Finding(id=name, step=STEP.id, title=title, severity=severity, reasons=tuple(reasons), techniques=("T1496",))


def _sum(rows: Iterable[quota.OpenQuota]) -> int:
    return sum(row.vcpus for row in rows)


def regions_to_read(case: Case) -> tuple[list[str], list[str]]:
    """Regions of interest (something stands there, or the log names them), and all regions to read with those first."""
    inventory, activity = case[Inventory], case[ActivityFacts]
    interest = {machine.region for machine in inventory.machines} | {item.region for item in inventory.scale_sets}
    interest |= {resource.region for resource in inventory.resources}
    # Regions in the log are a stranger's text: only names of regions go into a path.
    interest |= {doc.region_name(operation.region) for operation in activity.operations}
    interest |= quota.limits_named(activity.operations)
    known = set(inventory.regions)
    interest = {region for region in interest if region and region != "global" and (not known or region in known)}
    chosen = case.parameter(STEP.id, "regions", None)
    rest = known if chosen is None else {doc.region_name(str(region)) for region in chosen} - {""}
    return sorted(interest), [*sorted(interest), *sorted(rest - interest)]


async def _usages(eyes: Eyes, location: str) -> list[dict[str, Any]] | None:
    """The usages of one region; None where Azure offers no compute."""
    try:
        return await eyes.arm.list(f"{location}/usages", "2026-04-01")
    except RemoteError as error:
        if error.remote_code in _NOT_OFFERED:
            return None
        raise


async def _requests(eyes: Eyes, location: str) -> list[dict[str, Any]]:
    """The quota requests of one region; where the provider is not registered or works not at all, none can have been made."""
    try:
        return await eyes.arm.list(f"{location}/providers/Microsoft.Quota/quotaRequests", QUOTA)
    except RemoteError as error:
        if error.remote_code == "MissingSubscriptionRegistration" or error.remote_code in _NOT_OFFERED:
            return []
        raise


def _usage(region: str, row: dict[str, Any]) -> QuotaUsage:
    return QuotaUsage(
        region=region,
        name=doc.text(row, "name", "value") or doc.text(row, "name"),
        title=doc.text(row, "name", "localizedValue"),
        used=doc.whole(row, "currentValue"),
        limit=doc.whole(row, "limit"),
    )


def _by_id(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(sorted(rows, key=lambda row: (doc.path(row, "id").lower(), str(row.get("region", "")))))


def _is_since(row: dict[str, Any], name: str, since: Any) -> bool:
    """A document without a readable time is kept: better one too many than one hidden."""
    at = doc.moment(doc.text(row, "properties", name))
    return at is None or at >= since
