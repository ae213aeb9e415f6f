"""Azure ids, parsed once at the edge and compared without regard to case.

An id made by an attacker may carry tricks: encoded slashes, `..`, empty segments, trailing slashes, control characters. Such an id
is refused here with `ScopeError`, so nothing behind this module ever builds a URL from one.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise
from typing import NewType

import msgspec

from firebreak.errors import ScopeError

PlanDigest = NewType("PlanDigest", str)
IncidentId = NewType("IncidentId", str)

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SEGMENT = re.compile(r"[^/\\?#%\x00-\x1f\x7f]+")
_UNSEEN = frozenset(
    {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
)  # controls, direction and zero-width marks, separators of lines


def guid(text: str, what: str = "id") -> str:
    """Return `text` as a lower-case GUID.

    Raises:
        ScopeError: it is not one.
    """
    lowered = text.strip().lower()
    if not _GUID.fullmatch(lowered):
        raise ScopeError(f"{what} {text!r} is not a GUID.", hint="Use the form 33333333-3333-4333-8333-333333333333.")
    return lowered


_ABOVE = re.compile(
    r"/providers/microsoft\.management/managementgroups/[a-z0-9][a-z0-9_().-]{0,88}[a-z0-9_()-]?/providers/microsoft\.authorization/roleassignments/"
    + _GUID.pattern
)


def is_assignment_above(text: str) -> bool:
    """Whether an id is of a role assignment at a management group: the one thing above the subscription that may be changed."""
    return _ABOVE.fullmatch(text.lower()) is not None


def folded(text: str) -> str:
    """Return `text` so that whatever a person could take for the same is the same: full-width and other look-alike forms, the Kelvin sign,
    the Turkish i, any case. For protecting by name: coarser than Azure's comparison, so it protects too much rather than too little.
    """
    return unicodedata.normalize("NFKC", text).casefold().replace("\u0307", "").replace("\u0131", "i")


def is_plain_segment(segment: str) -> bool:
    """Whether one segment of a path is what it looks like: not empty, dotted, encoded, padded, nor with characters that nobody sees."""
    if not _SEGMENT.fullmatch(segment) or not segment.strip(". "):
        return False
    return segment.isascii() or not any(
        unicodedata.category(c) in _UNSEEN or (c != " " and unicodedata.category(c) == "Zs") for c in segment
    )


class ResourceId(msgspec.Struct, frozen=True, order=True):
    """One ARM resource id. `text` keeps Azure's spelling, `key` is what is compared.

    >>> ResourceId.parse("/subscriptions/.../resourceGroups/rg/providers/Microsoft.Compute/disks/d1").type
    'microsoft.compute/disks'
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Accept a plain absolute ARM id of any scope at or below a subscription.

        Raises:
            ScopeError: not below `/subscriptions/{guid}`, not plain (encoded, dotted, empty segments, characters that nobody sees), or
                with another subscription's id inside.
        """
        segments = text.split("/")
        plain = (
            text.startswith("/")
            and len(segments) >= 3
            and all(is_plain_segment(s) for s in segments[1:])
            and segments[1].lower() == "subscriptions"
        )
        if not plain:
            raise ScopeError(
                f"{text!r} is not a plain Azure resource id.",
                hint="Ids begin with /subscriptions/<guid>; encoded or dotted paths are refused.",
            )
        lowered = [segment.lower() for segment in segments]
        if lowered[2] != guid(segments[2], "Subscription in resource id"):
            raise ScopeError(f"{text!r} has blanks around its subscription.", hint="Such an id is refused.")
        inner = [b for a, b in pairwise(lowered) if a == "subscriptions" and _GUID.fullmatch(b)]
        if any(one != lowered[2] for one in inner):
            raise ScopeError(f"{text!r} names two subscriptions.", hint="An id inside another id is refused.")
        return cls(text)

    @property
    def key(self) -> str:
        return self.text.lower()

    @property
    def subscription(self) -> str:
        return self.text.split("/")[2].lower()

    @property
    def resource_group(self) -> str:
        """The group's name as spelt, or "" above group level."""
        parts = self.text.split("/")
        return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""

    @property
    def name(self) -> str:
        return self.text.rsplit("/", 1)[-1]

    @property
    def type(self) -> str:
        """`provider/type[/subtype]` in lower case of the last provider in the id; `microsoft.resources/...` for the two outer scopes."""
        rest = self.text.lower().split("/")[3:]
        if rest[:1] == ["resourcegroups"]:
            kind, rest = "microsoft.resources/resourcegroups", rest[2:]
        else:
            kind = "microsoft.resources/subscriptions"
        # Pair by pair, because a thing may itself be called "providers".
        while rest[:1] == ["providers"] and len(rest) > 1:
            kind, rest = rest[1], rest[2:]
            while rest and rest[0] != "providers":
                kind, rest = f"{kind}/{rest[0]}", rest[2:]
        return kind

    def is_within(self, scope: str) -> bool:
        """Whether this id is the scope itself or below it."""
        outer = scope.lower().rstrip("/")
        return self.key == outer or self.key.startswith(outer + "/")
