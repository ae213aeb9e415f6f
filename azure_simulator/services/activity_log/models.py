"""Finding events quickly: the log is kept in order of time beside `world.events`, which only grows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from azure_simulator.clock import stamp
from azure_simulator.services.activity_log.filters import Query
from azure_simulator.world import Document, World


@dataclass
class Index:
    """Event times (as text, which sorts as time does) and events, oldest first; `size` is how many of `world.events` are in it."""

    times: list[str] = field(default_factory=list)
    events: list[Document] = field(default_factory=list)
    size: int = 0


def index(world: World) -> Index:
    """The log in order of time, brought up to date. Replacing `world.events` by a shorter list starts anew."""
    held: Index = world.memory.setdefault("activity_log", Index())
    if len(world.events) < held.size:
        held = world.memory["activity_log"] = Index()
    if held.size < len(world.events):
        fresh = sorted(world.events[held.size :], key=lambda row: str(row["eventTimestamp"]))
        in_order = not held.times or str(fresh[0]["eventTimestamp"]) >= held.times[-1]
        held.events += fresh
        if not in_order:
            held.events.sort(key=lambda row: str(row["eventTimestamp"]))
            held.times = [str(row["eventTimestamp"]) for row in held.events]
        else:
            held.times += [str(row["eventTimestamp"]) for row in fresh]
        held.size = len(world.events)
    return held


def search(world: World, query: Query, subscription_id: str) -> list[Document]:
    """Events of a subscription (or, with "", of the tenant) that fit, newest first."""
    log = index(world)
    first = bisect_left(log.times, stamp(query.start))
    last = bisect_right(log.times, stamp(query.end)) if query.end else len(log.times)
    wanted = subscription_id.lower()
    found = []
    for row in reversed(log.events[first:last]):
        if str(row.get("subscriptionId", "")).lower() == wanted and _fits(row, query.equals):
            found.append(row)
    return found


def _fits(row: Document, equals: dict[str, str]) -> bool:
    for name, value in equals.items():
        low = value.lower()
        match name:
            case "resourcegroupname":
                held = str(row.get("resourceGroupName", ""))
            case "resourceuri" | "resourceid":
                held = str(row.get("resourceId", ""))
            case "resourceprovider":
                held = str((row.get("resourceProviderName") or {}).get("value", ""))
            case "resourcetype":
                held = str((row.get("resourceType") or {}).get("value", ""))
            case "status":
                held = str((row.get("status") or {}).get("value", ""))
            case "category":
                held = str((row.get("category") or {}).get("value", ""))
            case "levels":
                if str(row.get("level", "")).lower() not in {part.strip() for part in low.split(",")}:
                    return False
                continue
            case "operations":
                if str((row.get("operationName") or {}).get("value", "")).lower() not in {
                    part.strip() for part in low.split(",")
                }:
                    return False
                continue
            case "correlationid":
                held = str(row.get("correlationId", ""))
            case "caller":
                held = str(row.get("caller", ""))
            case _:
                continue  # eventChannels: every event here is an operation's
        if held.lower() != low:
            return False
    return True
