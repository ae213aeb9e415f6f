"""vCPU quota and its use in every region, and the requests for more that were made."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.errors import RemoteError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import ActivityFacts, Inventory, QuotaFacts, QuotaUsage
from firebreak.model.finding import Finding, Severity
from firebreak.model.step import Effect, Step
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.quota",
    title="Read quota and its use in all regions",
    effect=Effect.READ,
    description=(
        "Reads the vCPU quota of every region and the quota requests of those where something stands or was tried: how far an intruder "
        "could still go, and what was asked for."
    ),
    permissions=("Microsoft.Compute/locations/usages/read", "Microsoft.Quota/quotaRequests/read"),
    guidance=("S69", "S71", "S73"),
    produces=QuotaFacts,
    needs=(Inventory, ActivityFacts),
)

_AT_ONCE = 6


async def collect(eyes: Eyes, case: Case) -> QuotaFacts:
    """Read the usages of all regions, a few at a time, and the quota requests of the regions of interest.

    The parameter `regions` (a list) limits the regions that are read beyond those of interest; by default all are.
    """
    interest, everything = regions_to_read(case)
    notes = Notes()
    base = f"/subscriptions/{eyes.arm.subscription_id}/providers/Microsoft.Compute/locations"

    async def usages(region: str) -> list[QuotaUsage]:
        what = f"quota of {region}"
        rows = await notes.attempt(what, eyes.arm.list(f"{base}/{region}/usages", "2026-04-01"), [])
        return [_usage(region, row) for row in rows]

    async def requests(region: str) -> list[dict[str, Any]]:
        rows = await notes.attempt(f"quota requests of {region}", _requests(eyes, f"{base}/{region}"), [])
        return [{**row, "region": region} for row in rows]

    found = await each(usages, everything, at_once=_AT_ONCE)
    asked = await each(requests, interest, at_once=_AT_ONCE)
    since = case[ActivityFacts].window_start
    return QuotaFacts(
        usages=tuple(sorted((u for rows in found for u in rows), key=lambda usage: (usage.region, usage.name.lower()))),
        requests=tuple(
            sorted(
                (row for rows in asked for row in rows if _is_since(row, since)),
                key=lambda row: (doc.path(row, "id").lower(), row["region"]),
            )
        ),
        not_looked_at=notes.all,
    )


def assess(facts: QuotaFacts, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Tell requests for more quota, and how many more vCPUs could be started at once."""
    found = []
    if facts.requests:
        found.append(
            Finding(
                id="quota-requests",
                step=STEP.id,
                title="Quota requests in the incident's window",
                severity=Severity.MEDIUM,
                reasons=tuple(
                    f"{row['region']}: {doc.shown(_asked(row))}, {doc.text(row, 'properties', 'provisioningState') or 'state unknown'}."
                    for row in facts.requests
                ),
                resources=tuple(doc.path(row, "id") for row in facts.requests if doc.path(row, "id")),
                techniques=("T1578.005",),
            )
        )
    totals = [usage for usage in facts.usages if usage.name.lower() == "cores"]
    free = sum(max(0, usage.limit - usage.used) for usage in totals)
    if free:
        found.append(
            Finding(
                id="quota-free",
                step=STEP.id,
                title="vCPUs that could still be started",
                severity=Severity.INFORMATIONAL,
                reasons=(f"{free} vCPUs are free in {len(totals)} regions; less unused quota is less to abuse.",),
            )
        )
    return found


def regions_to_read(case: Case) -> tuple[list[str], list[str]]:
    """Regions of interest (something stands there, or the log names them), and all regions to read with those first."""
    inventory, activity = case[Inventory], case[ActivityFacts]
    interest = {machine.region for machine in inventory.machines} | {item.region for item in inventory.scale_sets}
    interest |= {resource.region for resource in inventory.resources}
    # Regions in the log are a stranger's text: only names of regions go into a path.
    interest |= {doc.region_name(operation.region) for operation in activity.operations}
    known = set(inventory.regions)
    interest = {region for region in interest if region and region != "global" and (not known or region in known)}
    chosen = case.parameter(STEP.id, "regions", None)
    rest = known if chosen is None else {doc.region_name(str(region)) for region in chosen} - {""}
    return sorted(interest), [*sorted(interest), *sorted(rest - interest)]


async def _requests(eyes: Eyes, location: str) -> list[dict[str, Any]]:
    """The quota requests of one region; where the provider is not registered, none can have been made."""
    try:
        return await eyes.arm.list(f"{location}/providers/Microsoft.Quota/quotaRequests", "2025-09-01")
    except RemoteError as error:
        if error.remote_code == "MissingSubscriptionRegistration":
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


def _is_since(row: dict[str, Any], since: Any) -> bool:
    """A request without a readable time is kept: better one too many than one hidden."""
    at = doc.moment(doc.text(row, "properties", "requestSubmitTime"))
    return at is None or at >= since


def _asked(row: dict[str, Any]) -> str:
    values = doc.items(row, "properties", "value") or [row]
    parts = [
        f"{doc.text(value, 'name')} to {doc.text(value, 'limit', 'value') or doc.text(value, 'limit') or '?'}"
        for value in values
        if isinstance(value, dict)
    ]
    return ", ".join(parts) or "a limit"
