"""Facts of request and reply bodies, the quick way: `request_facts` of `events.py` for the shape that machines and other resources come in.

A body is JSON in a string. What is not in that shape, or spells its keys in another way, is read as `request_facts` reads it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from firebreak.analysis.events import request_facts
from firebreak.analysis.interned import MOST, Saying, Sayings
from firebreak.analysis.normal import NAMING


class Sku(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    name: str | None = None
    capacity: int | None = None


class Hardware(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    vm_size: str | None = None


class Profile(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    priority: str | None = None


class Limit(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    value: int | None = None


class Asked(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, rename="camel"):
    """The `properties` of a body."""

    hardware_profile: Hardware | None = None
    vm_size: str | None = None
    priority: str | int | None = None  # of a machine Regular or Spot, of a security rule a number
    virtual_machine_profile: Profile | None = None
    type: str | None = None
    principal_id: str | None = None
    principal_type: str | None = None
    role_definition_id: str | None = None
    level: str | None = None
    limit: int | Limit | None = None
    enforcement_mode: str | None = None


class Body(msgspec.Struct, gc=False):
    location: str | None = None
    sku: Sku | None = None
    properties: Asked | None = None
    tags: dict[str, str] | None = None


class Bodies:
    """Sayings of bodies; what the same few fields say is worked out once."""

    def __init__(self, sayings: Sayings) -> None:
        self._sayings = sayings
        self._numbers: dict[bytes, int] = {}
        self._by_essence: dict[tuple[bytes, bytes], int] = {}

    def saying(self, name: str, reply: str | None, request: str | None) -> int:
        """The number of what an operation of that lower-case name asked for."""
        if not name.startswith(_NO_MAKERS) and not (reply and request):
            text = request or reply or ""
            key = _key(text)
            if key is not None:
                number = self._numbers.get(key)
                if number is None:
                    if len(self._numbers) >= MOST:
                        self._numbers.clear()
                    number = self._numbers[key] = self._sayings.add(Saying(_facts(text)))
                return number
        of_reply, of_request = essence(reply), essence(request)
        if of_reply is None or of_request is None:
            return self._sayings.add(Saying(facts_in(reply, request)))
        both = of_reply, of_request
        number = self._by_essence.get(both)
        if number is None:
            if len(self._by_essence) >= MOST // 4:
                self._by_essence.clear()
            number = self._by_essence[both] = self._sayings.add(Saying(facts_in(reply, request)))
        return number


def essence(text: str | None, without: Collection[str] = NAMING) -> bytes | None:
    """What a body says apart from some of its parts (in lower case): where it is the same, so is all that follows from the others.

    None when it is no plain JSON object.
    """
    if not text:
        return b""
    if len(text) > _LONGEST or text[:64].lstrip()[:1] != "{":
        return None
    try:
        found = msgspec.json.decode(text)
        return _encode({key: value for key, value in found.items() if key.lower() not in without})
    except (msgspec.DecodeError, RecursionError):
        return None


def facts_in(reply: str | None, request: str | None) -> dict[str, Any]:
    """The facts of both bodies; those of the request count before those of the reply."""
    return {**_facts(reply), **_facts(request)}


def _key(text: str) -> bytes | None:
    """What the facts of a body follow from: equal keys, equal facts. None when that cannot be said."""
    try:
        body = _body(text)
    except msgspec.MsgspecError:
        return None
    asked, sku, tags = body.properties, body.sku, body.tags
    if asked is None or (asked == _NOTHING and "{}" in text):
        return None  # without properties the facts stand in the body itself
    if body.location is None or tags is None or not asked.hardware_profile:
        # Azure does not mind how keys are spelled; whoever wants not to be seen may spell them in another way.
        lowered = text.lower()
        has_size = asked.hardware_profile or asked.vm_size or (sku and sku.name)
        if (
            (not asked.hardware_profile and '"hardwareprofile"' in lowered)
            or (not has_size and ('"vmsize"' in lowered or '"sku"' in lowered))
            or (body.location is None and '"location"' in lowered)
            or (tags is None and '"tags"' in lowered)
        ):
            return None
    return _encode(body)


def _facts(text: str | None) -> dict[str, Any]:
    if not text or text[:64].lstrip()[:1] != "{":
        return {}
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return request_facts(found) if isinstance(found, dict) else {}


_LONGEST = 4096  # letters of a body that is remembered
# Roles, quotas and the like: few, and their bodies say other things.
_NO_MAKERS = ("microsoft.authorization/", "microsoft.quota/", "microsoft.capacity/", "microsoft.subscription/")
_NOTHING = Asked()
_encode = msgspec.json.Encoder().encode
_body = msgspec.json.Decoder(Body).decode
