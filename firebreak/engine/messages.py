"""Which messages about an incident went over which channels, as its audit log tells."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from firebreak.audit import AuditRecord
from firebreak.report.told import MessageRow

_DELIVERED, _UNDELIVERED, _GIVEN_UP = "notice.delivered", "notice.undelivered", "notice.given_up"
KINDS: Final = (_DELIVERED, _UNDELIVERED, _GIVEN_UP)


def messages_of(records: Iterable[AuditRecord]) -> tuple[MessageRow, ...]:
    """Every message that was tried, in the order of the first try. A channel that took it later is no failure any more."""
    tried: dict[tuple[str, str, int], list[AuditRecord]] = {}
    for record in records:
        if record.kind in KINDS:
            data = record.data
            key = (str(data.get("about", "")), str(data.get("notice", "")), int(data.get("number", 0)))
            tried.setdefault(key, []).append(record)
    return tuple(_message(*key, mine) for key, mine in tried.items())


def _message(about: str, kind: str, number: int, records: list[AuditRecord]) -> MessageRow:
    told = tuple(dict.fromkeys(str(one.data.get("channel", "")) for one in records if one.kind == _DELIVERED))
    failed = {
        str(one.data.get("channel", "")): str(one.data.get("problem", ""))
        for one in records
        if one.kind == _UNDELIVERED and one.data.get("channel") not in told
    }
    return MessageRow(
        about=about,
        kind=kind,
        number=number,
        at=datetime.fromisoformat(records[0].at),
        told_over=told,
        failed=tuple(failed.items()),
        given_up=any(one.kind == _GIVEN_UP for one in records),
    )
