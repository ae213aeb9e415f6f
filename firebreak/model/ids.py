"""Azure ids, parsed once at the edge and compared without regard to case.

An id made by an attacker may carry tricks: encoded slashes, `..`, empty segments, trailing slashes, control characters. Such an id
is refused here with `ScopeError`, so nothing behind this module ever builds a URL from one.
"""

from __future__ import annotations

import re
from typing import NewType

import msgspec

from firebreak.errors import ScopeError

PlanDigest = NewType("PlanDigest", str)
IncidentId = NewType("IncidentId", str)

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SEGMENT = re.compile(r"[^/\\?#%\x00-\x1f\x7f]+")


def guid(text: str, what: str = "id") -> str:
    """Return `text` as a lower-case GUID.

    Raises:
        ScopeError: it is not one.
    """
    lowered = text.strip().lower()
    if not _GUID.fullmatch(lowered):
        raise ScopeError(f"{what} {text!r} is not a GUID.", hint="Use the form 33333333-3333-4333-8333-333333333333.")
    return lowered


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
            ScopeError: not below `/subscriptions/{guid}`, or not plain (encoded, dotted, empty segments, control characters).
        """
        segments = text.split("/")
        plain = (
            text.startswith("/")
            and len(segments) >= 3
            and all(_SEGMENT.fullmatch(s) and s.strip(". ") for s in segments[1:])
            and segments[1].lower() == "subscriptions"
        )
        if not plain:
            raise ScopeError(
                f"{text!r} is not a plain Azure resource id.",
                hint="Ids begin with /subscriptions/<guid>; encoded or dotted paths are refused.",
            )
        guid(segments[2], "Subscription in resource id")
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
        parts = self.text.lower().split("/")
        if "providers" not in parts:
            return "microsoft.resources/resourcegroups" if len(parts) > 4 else "microsoft.resources/subscriptions"
        tail = parts[len(parts) - 1 - parts[::-1].index("providers") + 1 :]
        return "/".join([tail[0], *tail[1::2]])

    def is_within(self, scope: str) -> bool:
        """Whether this id is the scope itself or below it."""
        outer = scope.lower().rstrip("/")
        return self.key == outer or self.key.startswith(outer + "/")
