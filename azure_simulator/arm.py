"""How ARM reads an id: scopes, types, groups. Plain functions over strings; nothing here looks at the world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What a path is about. `kind` is the full type (`Microsoft.Compute/virtualMachines`), "" for subscriptions and groups;
    `name` the last name; `collection` True when the path names a list of `kind`, not one of them."""

    path: str
    subscription_id: str
    group: str
    namespace: str
    kind: str
    name: str
    collection: bool


def target(path: str) -> Target:
    """Read a path or id. Extension resources (`.../providers/Microsoft.Authorization/locks/x`) are of their own, last type."""
    segments = path.strip("/").split("/")
    low = [segment.lower() for segment in segments]
    subscription = segments[1] if low[0] == "subscriptions" and len(segments) > 1 else ""
    group = segments[3] if subscription and len(segments) > 3 and low[2] == "resourcegroups" else ""
    at = max((i for i, segment in enumerate(low[:-1]) if segment == "providers"), default=-1)
    if at < 0:
        return Target(path, subscription, group, "", "", segments[-1], False)
    tail = segments[at + 2 :]
    kinds, names = tail[0::2], tail[1::2]
    return Target(
        path,
        subscription,
        group,
        segments[at + 1],
        "/".join([segments[at + 1], *kinds]) if kinds else "",
        names[-1] if names else "",
        bool(kinds) and len(kinds) != len(names),
    )


def covers(outer: str, inner: str) -> bool:
    """True when `inner` is the scope `outer` or below it. The root "/" and management groups are above every subscription."""
    outside = outer.lower().rstrip("/")
    if not outside or outside.startswith("/providers/microsoft.management/"):
        return True
    inside = inner.lower().rstrip("/")
    return inside == outside or inside.startswith(outside + "/")


def scope_of(identifier: str) -> str:
    """What an extension resource is attached to: the id up to its last `/providers/`; "/" for tenant-level ones."""
    at = identifier.lower().rfind("/providers/")
    return identifier[:at] or "/" if at >= 0 else identifier


def subject(path: str) -> str:
    """The resource a request is about: the path without a trailing collection or action name, so
    `{vm}/deallocate` -> `{vm}`, `{s}/providers/Microsoft.Compute/disks` -> `{s}`."""
    segments = path.rstrip("/").split("/")
    low = [segment.lower() for segment in segments]
    at = max((i for i, segment in enumerate(low[:-1]) if segment == "providers"), default=-1)
    if at < 0:
        return "/".join(segments if len(segments) % 2 else segments[:-1]) or "/"
    tail = segments[at + 2 :]
    if len(tail) % 2:
        tail = tail[:-1]
    return "/".join([*segments[: at + 2], *tail] if tail else segments[:at]) or "/"
