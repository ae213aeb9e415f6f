"""How reading steps read: what could not be read becomes a `NotLookedAt`, and many small reads go on a few at a time."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from firebreak.errors import AccessError, MissingPermissionError, RemoteError, ResponseError, ScopeError, SettingsError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.finding import NotLookedAt
from firebreak.model.texts import cut

_LONGEST, _LONGEST_ADDRESS = 300, 200
_ADDRESS, _QUERY = re.compile(r"https?://\S+"), re.compile(r"(?<=\S)\?\S*")
_REQUEST = re.compile(r"\s*\(request [^)]*\)\.?")

T = TypeVar("T")
U = TypeVar("U")


class Notes:
    """The list of what was not looked at, filled while a step reads; duplicates are dropped, order does not matter."""

    def __init__(self) -> None:
        self._notes: set[tuple[str, str]] = set()

    def add(self, what: str, why: str) -> None:
        self._notes.add((what, why))

    async def attempt(self, what: str, reading: Awaitable[T], default: T) -> T:
        """Await one read; when the cloud or the access refuses it, note it and return `default`.

        Programming errors and broken promises pass through.
        """
        try:
            return await reading
        except (AccessError, RemoteError, ScopeError, SettingsError) as error:
            self.add(what, why(error))
            return default

    @property
    def all(self) -> tuple[NotLookedAt, ...]:
        return tuple(NotLookedAt(what, because) for what, because in sorted(self._notes))


async def without_deleted(
    eyes: Eyes, case: Case, items: list[dict[str, Any]], version: str | Callable[[dict[str, Any]], str]
) -> list[dict[str, Any]]:
    """Drop from a list what was deleted in this incident and is gone when read alone: lists lag behind.

    `version` is the api-version to read an item with, "" when none is known. What cannot be read alone stays, as listed.
    """

    async def stays(item: dict[str, Any]) -> bool:
        name = str(item.get("id") or "")
        with_version = version if isinstance(version, str) else version(item)
        if not with_version or not case.was_deleted(name):
            return True
        try:
            return await eyes.arm.get(name, with_version) is not None
        except (AccessError, RemoteError):
            return True

    kept = await each(stays, items)
    return [item for item, stay in zip(items, kept, strict=True) if stay]


def why(error: ResponseError) -> str:
    """A one-line reason: the error's code and message, without request ids, which differ from run to run; of Partner Center's refusals what to do too."""
    text = _REQUEST.sub("", f"{error.code}: {error.message}")
    if len(text) > _LONGEST:  # rather the address is cut than what was answered
        text = _ADDRESS.sub(lambda found: cut(found.group(), _LONGEST_ADDRESS), _QUERY.sub("", text, count=1), count=1)
    text = cut(text, _LONGEST)
    is_told_in_digits = isinstance(error, MissingPermissionError) and error.remote_code.isdigit()
    return f"{text} {error.hint}" if is_told_in_digits else text


async def each(function: Callable[[T], Awaitable[U]], values: Iterable[T], *, at_once: int = 8) -> list[U]:
    """Await `function` for every value, at most `at_once` at a time; results in the order of the values."""
    turns = asyncio.Semaphore(at_once)

    async def one(value: T) -> U:
        async with turns:
            return await function(value)

    started = [asyncio.ensure_future(one(value)) for value in values]
    try:
        return list(await asyncio.gather(*started))
    except BaseException:  # cancellation too: no read goes on alone after its step ended
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
        raise
