"""What a record tells beside resources: who is who in the directory, what the activity log says, and the alert. Documents come from anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from azure_simulator.recorded_directory import take_credentials
from azure_simulator.services.graph.store import put
from azure_simulator.world import Document, Principal, World

_PEOPLE = re.compile(r"/(?:v1\.0|beta)/(users|servicePrincipals)(?:/([0-9a-f-]{36}))?/?$", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NEEDED = ("eventTimestamp", "correlationId", "resourceId")


def take_events(world: World, subscription: str, rows: Iterable[Document]) -> int:
    """Put events of the subscription's activity log into the world's, each once; return how many came."""
    known: set[str] = world.memory.setdefault("recorded_events", set())
    before = len(world.events)
    for row in rows:
        name = str(row.get("eventDataId", ""))
        is_event = all(isinstance(row.get(key), str) for key in _NEEDED) and isinstance(row.get("claims", {}), dict)
        if not name or name in known or not is_event or str(row.get("subscriptionId", "")).lower() != subscription:
            continue
        known.add(name)
        world.events.append({**row, "claims": {"ipaddr": "", "appid": "", **row.get("claims", {})}})
    return len(world.events) - before


def take_people(world: World, path: str, rows: Iterable[Any]) -> tuple[str, int]:
    """Put users and service principals of a Graph answer into the directory; return what they are and how many, "" for other answers."""
    asked = _PEOPLE.search(path)
    if asked is None:
        return "", 0
    count = 0
    is_user = asked[1].lower() == "users"
    for name, row in _with_ids(rows):
        shown = str(row.get("displayName") or name)
        world.principals[name] = Principal(
            object_id=name,
            kind="User" if is_user else "ServicePrincipal",
            name=shown,
            upn=str(row.get("userPrincipalName") or "") if is_user else "",
            app_id="" if is_user else str(row.get("appId") or ""),
            tenant_id=world.tenant_id,
            enabled=row.get("accountEnabled") is not False,
        )
        kept = {k: v for k, v in row.items() if not k.startswith(("_", "@"))}
        take_credentials(world, name, kept)
        put(world, "users" if is_user else "servicePrincipals", name, kept)
        count += 1
    return "users of the directory" if is_user else "service principals of the directory", count


def take_alert(world: World, document: Document) -> None:
    """Keep the alert as it came, for whoever responds to it there; one of Graph's shape is in Graph's list, too."""
    world.memory["recorded_alert"] = document
    if isinstance(document.get("id"), str) and isinstance(document.get("alertType"), str):
        world.alerts[document["id"]] = dict(document)


def _with_ids(rows: Iterable[Any]) -> Iterator[tuple[str, Document]]:
    for row in rows:
        if isinstance(row, dict) and isinstance(row.get("id"), str) and _GUID.fullmatch(row["id"]):
            yield row["id"].lower(), row
