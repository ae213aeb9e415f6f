"""What an operation is, in the facts and in a log that is being read, and what can be said of one alone: whether it made something, whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import lt
from typing import Any, Protocol, TypeVar, overload

from firebreak.model.facts import Session

HOUR = timedelta(hours=1)
NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Done(Protocol):
    """What was done and how it ended."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def created(self) -> bool | None: ...


class OperationLike(Done, Protocol):
    """An operation; the fields are those of `firebreak.model.facts.Operation`."""

    @property
    def id(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def caller(self) -> str: ...
    @property
    def principal_id(self) -> str: ...
    @property
    def app_id(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def resource_id(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def event_ids(self) -> tuple[str, ...]: ...
    @property
    def properties(self) -> dict[str, Any]: ...
    @property
    def mfa(self) -> bool | None: ...
    @property
    def category(self) -> str: ...
    @property
    def matched(self) -> tuple[str, ...] | None: ...


class ActivityLike(Protocol):
    """The review of a log, as `firebreak.model.facts.ActivityFacts` has it or as it is told from the log itself."""

    @property
    def window_start(self) -> datetime: ...
    @property
    def operations(self) -> Sequence[OperationLike]: ...
    @property
    def sessions(self) -> Sequence[Session]: ...
    def made_before(self) -> Iterable[OperationLike]: ...


Op = TypeVar("Op", bound=OperationLike)


def is_write(name: str) -> bool:
    return name.lower().endswith("/write")


def is_creation(operation: Done) -> bool:
    """Whether the operation may have made its resource: a write that did not fail and was not answered as an update.

    Role assignments, locks and policies are left out: they cost nothing and are judged by their own rules.
    """
    return operation.status != "failed" and operation.created is not False and _makes(operation.name)


@lru_cache(maxsize=4096)
def _makes(name: str) -> bool:
    lowered = name.lower()
    elsewhere = ("microsoft.authorization/", "microsoft.insights/", "microsoft.quota/", "microsoft.resources/")
    return lowered.endswith("/write") and not lowered.startswith(elsewhere)


def session_key(operation: OperationLike) -> tuple[str, str, str]:
    return operation.caller.lower(), operation.address, operation.app_id


def group_of(resource_id: str) -> str:
    """The resource group of an id, lower case; "" for what is above or outside of groups."""
    parts = resource_id.lower().split("/", 5)
    return parts[4] if len(parts) > 4 and parts[3] == "resourcegroups" else ""


@overload
def densest(times: Iterable[datetime], span: timedelta = HOUR) -> int: ...
@overload
def densest(times: Iterable[float], span: float) -> int: ...
def densest(times: Iterable[Any], span: Any = HOUR) -> int:
    """The most times that fall within any stretch of length `span`."""
    ordered = sorted(times)
    best = start = 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] > span:
            start += 1
        best = max(best, end - start + 1)
    return best


def in_order(operations: Sequence[Op]) -> Sequence[Op]:
    """The operations by time, at the same time by id; as they are when that is their order already."""
    times = [operation.at for operation in operations]
    if all(map(lt, times, times[1:])):
        return operations
    return sorted(operations, key=lambda operation: (operation.at, operation.id))
