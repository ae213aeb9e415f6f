"""Which Azure Resource Manager paths a connection may ask for: the incident's subscription, and a short list above it.

Ids come from an attacked tenant, so a path is checked segment by segment before it becomes an address. `ResourceId` refuses tricks;
this module decides about the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from firebreak.clients.policies.redaction import shown
from firebreak.errors import ScopeError
from firebreak.model.ids import ResourceId, guid, is_assignment_above

_PLAIN = re.compile(r"[^/\\?#%\x00-\x1f\x7f]+")

_POLICY = r"/providers/microsoft\.authorization/policy(set)?definitions/[^/]+(/versions/[^/]+)?"
# Reads above the subscription; nothing is ever written there but role assignments of management groups (`is_assignment_above`).
_ABOVE = re.compile(
    "|".join(
        (
            r"/subscriptions",
            r"/tenants",
            r"/providers/microsoft\.support/services(/[^/]+(/problemclassifications(/[^/]+)?)?)?",
            r"/providers/microsoft\.resourcegraph/resources",
            r"/providers/microsoft\.authorization/(policydefinitions|policysetdefinitions|roledefinitions)(/[^/]+)?",
            # What policies that are assigned above the subscription say, which bind it all the same; never a list.
            rf"(/providers/microsoft\.management/managementgroups/[^/]+)?{_POLICY}",
            # The tenant's activity log: the only place that shows elevateAccess.
            r"/providers/microsoft\.insights/eventtypes/management/values",
        )
    ),
    re.IGNORECASE,
)


class Scope:
    """The place one connection may look at and change: one subscription."""

    def __init__(self, subscription_id: str) -> None:
        self.subscription_id = guid(subscription_id, "Subscription")

    def readable(self, path: str) -> str:
        """Return `path` when it may be read.

        Raises:
            ScopeError: another subscription, or not a plain path.
        """
        if _is_plain(path) and _ABOVE.fullmatch(path):
            return path
        return self.writable(path)

    def writable(self, path: str) -> str:
        """Return `path` when it is at or below the subscription, or a role assignment at a management group, which holds in it as well.

        Raises:
            ScopeError: another subscription, above it, or not a plain path.
        """
        if _is_plain(path) and is_assignment_above(path):
            return path
        resource = ResourceId.parse(path)
        if resource.subscription != self.subscription_id:
            raise ScopeError(
                f"{shown(path)} is not in subscription {self.subscription_id}, which this incident is about.",
                hint="Another subscription needs an incident of its own.",
            )
        return path

    def link(self, url_path: str) -> None:
        """Check the path of a link that Azure sent (still encoded).

        Raises:
            ScopeError: it names another subscription.
        """
        found = re.search(r"/subscriptions/([^/?]+)", url_path, re.IGNORECASE)
        if found and found.group(1).lower() != self.subscription_id:
            raise ScopeError(
                f"A link into subscription {shown(found.group(1), 60)} was not followed: this incident is about {self.subscription_id}.",
                hint="Keep the answer that carried it as evidence.",
            )

    def query(self, path: str, body: Mapping[str, Any]) -> None:
        """Check that a Resource Graph query asks about this subscription alone.

        Raises:
            ScopeError: it asks about more.
        """
        if not path.lower().endswith("/providers/microsoft.resourcegraph/resources"):
            return
        asked = [str(item).lower() for item in body.get("subscriptions") or ()]
        if asked != [self.subscription_id] or body.get("managementGroups"):
            raise ScopeError(
                f"A Resource Graph query must name exactly the subscription {self.subscription_id}.",
                hint='Set "subscriptions" to the incident\'s subscription and leave "managementGroups" out.',
            )


def _is_plain(path: str) -> bool:
    segments = path.split("/")
    return path.startswith("/") and all(_PLAIN.fullmatch(s) and s.strip(". ") for s in segments[1:])
