"""What the attacker took away: roles, policies, locks, diagnostic settings, alert rules. Produced by `investigate.removals`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from firebreak.model.facts import Facts


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was deleted. `type` is its resource type in lower case, `called` what people call it, `version` the api-version.

    `document` is the body that makes it again, None when nothing tells what it held; `source` says where that was read. `stands` when
    something is there under its id by now. `rewritten`: the attacker had written it before, so the document is that of somebody's before them. `by`, `address`, `at` and `event_ids` are the deletion's; `principal_id` is who lost a role.
    """

    id: str
    type: str
    called: str
    version: str
    by: str
    at: datetime
    address: str = ""
    event_ids: tuple[str, ...] = ()
    document: dict[str, Any] | None = None
    source: str = ""
    principal_id: str = ""
    stands: bool = False
    rewritten: bool = False


class Removals(Facts, frozen=True, kw_only=True):
    """All of them, sorted by id."""

    items: tuple[Removal, ...] = ()
