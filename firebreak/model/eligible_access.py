"""Azure roles that somebody may take up when they want to. Produced by `investigate.eligible_access`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from firebreak.model.facts import Facts


class EligibleRole(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule of Privileged Identity Management at a scope of Azure. `request_id` is the request that made it, `ends_at` None for ever.

    `through_group` when the principal is a group, or the schedule is told for somebody in one.
    """

    id: str
    scope: str
    role_definition_id: str
    role_name: str
    principal_id: str
    principal_type: str = ""
    request_id: str = ""
    created_at: datetime | None = None
    ends_at: datetime | None = None
    through_group: bool = False


class EligibleAccess(Facts, frozen=True, kw_only=True):
    """All that hold in the subscription, sorted by id; those above it, too."""

    roles: tuple[EligibleRole, ...] = ()
