"""What repeats from event to event in a log, kept once and told by its number: what was done, by whom, what was asked for."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

MOST = 4000  # entries of a memory that only saves work


class Kind(msgspec.Struct, frozen=True, gc=False):
    """What an event says of itself, apart from who, when and on what. `status` as in `Event`; `lowered` is the name in lower case."""

    name: str
    lowered: str
    status: str
    created: bool | None = None
    category: str = ""


class Who(msgspec.Struct, frozen=True, gc=False):
    """Who is behind an event, as far as it says. `token` and `mfa` are of the access token: its id, and whether it names a second factor."""

    caller: str = ""
    principal_id: str = ""
    app_id: str = ""
    address: str = ""
    token: str = ""
    mfa: bool | None = None


def first_said(parts: Sequence[Who]) -> Who:
    """Who it is by several accounts of it: of each detail the first that is said."""
    return Who(
        caller=next((part.caller for part in parts if part.caller), ""),
        principal_id=next((part.principal_id for part in parts if part.principal_id), ""),
        app_id=next((part.app_id for part in parts if part.app_id), ""),
        address=next((part.address for part in parts if part.address), ""),
        token=next((part.token for part in parts if part.token), ""),
        mfa=next((part.mfa for part in parts if part.mfa is not None), None),
    )


def known_of(kind: Kind, who: Who, resource: str) -> dict[str, str]:
    """What is known of an event without looking into it, under the normal event's names."""
    return {
        "caller": who.caller,
        "address": who.address,
        "resourceid": resource,
        "status": kind.status,
        "category": kind.category,
        "appid": who.app_id,
    }


def unknown_part(document: Mapping[str, tuple[str, ...]], known: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """A document less what is known of its event anyhow."""
    left = {field: tuple(text for text in texts if text != known.get(field)) for field, texts in document.items()}
    return {field: texts for field, texts in left.items() if texts}


class Deed(msgspec.Struct, frozen=True, gc=False):
    """What an operation came to. `matched` are the ids of the rules it falls under."""

    name: str = ""
    status: str = ""
    created: bool | None = None
    category: str = ""
    matched: tuple[str, ...] = ()


class Saying(msgspec.Struct, frozen=True, gc=False):
    """What was asked for: the facts of a body (see `request_facts`), and what else of the event rules look at."""

    facts: dict[str, Any] = {}
    detail: dict[str, tuple[str, ...]] = {}


class Numbered(Generic[T]):
    """Things by number, equal ones once; counting goes on behind `first`."""

    def __init__(self, *first: T) -> None:
        self.all: list[T] = list(first)
        self._numbers = {thing: number for number, thing in enumerate(first)}

    def add(self, thing: T) -> int:
        number = self._numbers.get(thing)
        if number is None:
            number = self._numbers[thing] = len(self.all)
            self.all.append(thing)
        return number


class Sayings:
    """Sayings by number, as JSON one behind the other; number 0 says nothing. Of those that come again soon one copy is kept."""

    def __init__(self) -> None:
        self._regions = Numbered("")
        self._region = array("I", [0])
        self._ends = array("Q", [0, 0])
        self._texts = bytearray()
        self._numbers: dict[bytes, int] = {}
        self._read: dict[int, Saying] = {0: Saying()}

    def add(self, saying: Saying) -> int:
        if not saying.facts and not saying.detail:
            return 0
        text = _encode(saying)
        number = self._numbers.get(text)
        if number is None:
            if len(self._numbers) >= MOST:
                self._numbers.clear()
            number = self._numbers[text] = len(self._region)
            self._region.append(self._regions.add(str(saying.facts.get("region", ""))))
            self._texts += text
            self._ends.append(len(self._texts))
        return number

    def __getitem__(self, number: int) -> Saying:
        found = self._read.get(number)
        if found is None:
            if len(self._read) >= MOST // 4:
                self._read = {0: self._read[0]}
            found = self._read[number] = _decode(self._texts[self._ends[number] : self._ends[number + 1]])
        return found

    def region(self, number: int) -> str:
        """The region that a saying names, quicker to have than the saying."""
        return self._regions.all[self._region[number]]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Saying).decode
