"""How changing steps read Azure Resource Manager: api-versions, tolerant access to documents, and one bulk look at many targets.

`look_at` reads a list when there are many actions and each document when there are few, and reads again one by one what the list shows
unchanged: lists of Azure lag behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from firebreak.model.clouds import Eyes
from firebreak.model.plan import Action
from firebreak.model.step import Target

COMPUTE = "2026-04-01"
DISKS = "2026-03-02"
NETWORK = "2026-03-01"
RESOURCES = "2025-04-01"
AUTHORIZATION = "2022-04-01"
LOCKS = "2020-05-01"
POLICY = "2026-06-01"
AUTOSCALE = "2022-10-01"
QUOTA = "2025-09-01"
SUPPORT = "2024-04-01"
ACTION_GROUPS = "2023-01-01"
ACTIVITY_ALERTS = "2020-10-01"
SECURITY_CONTACTS = "2023-12-01-preview"
PRICINGS = "2024-01-01"
SCORES = "2020-01-01"
BUDGETS = "2024-08-01"
COST = "2025-03-01"

FEW = 12
_AT_ONCE = 16

Document = dict[str, Any]
Judge = Callable[[Action, Document | None], Target]


def value_at(document: Any, *keys: str) -> Any:
    """Return the value below `keys`, names compared without regard to case; None where the way ends."""
    for key in keys:
        if not isinstance(document, Mapping):
            return None
        wanted = key.lower()
        document = next((v for k, v in document.items() if str(k).lower() == wanted), None)
    return document


def text_at(document: Any, *keys: str) -> str:
    """Return the text below `keys`, "" where there is none."""
    value = value_at(document, *keys)
    return "" if value is None else str(value)


def items_at(document: Any, *keys: str) -> list[Any]:
    """Return the list below `keys`, [] where there is none."""
    value = value_at(document, *keys)
    return value if isinstance(value, list) else []


def moment(value: str | datetime | None) -> str:
    """Return a time in one spelling (UTC, seconds), so that a listed one and a read one compare equal; "" for none or nonsense."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return ""
    if value is None:
        return ""
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def known(fingerprint: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprint without the values that the facts did not have."""
    return {key: value for key, value in fingerprint.items() if value}


def covers(wanted: Any, found: Any) -> bool:
    """Whether everything that is wanted stands there; Azure adds defaults of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(covers(value, found.get(key)) for key, value in wanted.items())
    return bool(wanted == found)


def identities_of(document: Document) -> list[str]:
    """Principals, in lower case, of the managed identities that end with a resource: its own, or what it is itself."""
    own = [text_at(document, "identity", "principalId")]
    if text_at(document, "type").lower() == "microsoft.managedidentity/userassignedidentities":
        own.append(text_at(document, "properties", "principalId"))
    return sorted({one.lower() for one in own} - {""})


def is_provisioning(document: Document | None) -> bool:
    """Whether Azure is still changing the resource."""
    return text_at(document, "properties", "provisioningState").lower() in (
        "creating",
        "updating",
        "deleting",
        "accepted",
    )


async def read_all(
    eyes: Eyes, paths: Iterable[str], version: str, params: Mapping[str, str] | None = None
) -> dict[str, Document | None]:
    """Read each path once, some at a time; keyed by the path in lower case."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def read(path: str) -> tuple[str, Document | None]:
        async with free:
            return path.lower(), await eyes.arm.get(path, version, params)

    unique = {path.lower(): path for path in paths}
    return dict(await asyncio.gather(*(read(path) for path in unique.values())))


async def look_at(
    actions: Sequence[Action],
    eyes: Eyes,
    judge: Judge,
    *,
    version: str,
    list_path: str,
    list_params: Mapping[str, str] | None = None,
    get_params: Mapping[str, str] | None = None,
) -> dict[str, Target]:
    """Judge the document of each action's target, read as few requests as honest. `list_path` is below the subscription."""
    targets: dict[str, Target] = {}
    again = list(actions)
    if len(actions) > FEW:
        rows = await eyes.arm.list(f"/subscriptions/{eyes.arm.subscription_id}/{list_path}", version, list_params)
        by_id = {text_at(row, "id").lower(): row for row in rows}
        targets = {action.id: judge(action, by_id.get(action.target.lower())) for action in actions}
        again = _worth_reading_again(actions, targets)
    documents = await read_all(eyes, (action.target for action in again), version, get_params)
    return targets | {action.id: judge(action, documents[action.target.lower()]) for action in again}


def _worth_reading_again(actions: Sequence[Action], targets: Mapping[str, Target]) -> list[Action]:
    unchanged = [action for action in actions if not targets[action.id].already_so]
    absent = [action for action in actions if targets[action.id].already_so and not targets[action.id].exists]
    return (unchanged if len(unchanged) <= FEW else []) + (absent if len(absent) <= FEW else [])


def absent(action: Action) -> Target:
    """The target of a deletion that is gone: what was promised holds."""
    return Target(exists=False, already_so=True, state="absent", fingerprint=dict(action.fingerprint))
