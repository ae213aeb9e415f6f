"""What an intruder could come back through without an account: automation, links, rules, agents. Produced by `investigate.footholds`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from firebreak.model.facts import Facts


class Foothold(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `kind` is its resource type in lower case, or `export` for a download link; `called` and `means` are for people.

    `is_theirs` when the attacker made it; what was there before is only shown. `caller`, `address`, `at` and `event_ids` are the newest
    deed that speaks for it. `content` identifies what was read, "" when nothing could be; `people` says what is left to a person, "" when
    a step removes it.
    """

    id: str
    kind: str
    called: str
    means: str
    is_theirs: bool
    version: str = ""
    region: str = ""
    caller: str = ""
    address: str = ""
    at: datetime | None = None
    event_ids: tuple[str, ...] = ()
    content: str = ""
    people: str = ""


class Footholds(Facts, frozen=True, kw_only=True):
    """All that is still there, sorted by id."""

    items: tuple[Foothold, ...] = ()
