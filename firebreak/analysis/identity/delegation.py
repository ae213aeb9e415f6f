"""What a partner may do in the customer's tenant: granular delegated relationships, and delegated administration of the old kind.

Graph's documents in, facts and findings out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.telling import told
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import DelegatedAccess, Relationship

STEP = "investigate.delegated_access"
LIVING = frozenset({"active", "activating", "approved", "expiring", "terminationrequested"})
_SOON = timedelta(days=30)
_NO_RENEWAL = ("", "PT0S", "P0D")


def relationship_of(document: Any, *, groups: int | None = None) -> Relationship:
    """A relationship; `groups` is how many security groups of the partner it is given to."""
    ids = [doc.text(role, "roleDefinitionId").lower() for role in doc.items(document, "accessDetails", "unifiedRoles")]
    return Relationship(
        id=doc.text(document, "id"),
        name=doc.text(document, "displayName"),
        status=doc.text(document, "status"),
        roles=tuple(rights.role_name(one) or one for one in ids),
        wide=tuple(rights.role_name(one) for one in ids if rights.is_full(one)),
        created_at=doc.moment(doc.field(document, "createdDateTime")),
        activated_at=doc.moment(doc.field(document, "activatedDateTime")),
        ends_at=doc.moment(doc.field(document, "endDateTime")),
        renews=doc.text(document, "autoExtendDuration").upper() not in _NO_RENEWAL,
        groups=groups,
    )


def find(facts: DelegatedAccess, *, now: datetime) -> list[Finding]:
    """Return findings on delegated access, gravest first."""
    living = [one for one in facts.relationships or () if one.status.lower() in LIVING]
    found = [*_unrestricted(facts), *_wide(living), *_new(living, facts.window_start), *_ending(living, now)]
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def _unrestricted(facts: DelegatedAccess) -> Iterable[Finding]:
    if facts.unrestricted:
        reasons = [
            "Delegated administration of the old kind (DAP) is on: everybody in the partner's group of admin agents rules this tenant.",
            "Its removal is done in the portal, and the customer has to agree to a new one.",
        ]
        title = "The partner may do everything in this tenant"
        yield told(
            STEP, "delegated-unrestricted", title, Severity.MEDIUM, reasons, about=["dap"], techniques=("T1199",)
        )


def _wide(living: list[Relationship]) -> Iterable[Finding]:
    for one in living:
        if not one.wide:
            continue
        ends = f" until {one.ends_at:%Y-%m-%d}" if one.ends_at else ""
        reasons = [
            f"{shown(one.name, 80)} ({one.status}{ends}) holds {listed(one.wide, most=8)} of {len(one.roles)} roles.",
            f"It is given to {one.groups} groups of the partner." if one.groups is not None else "",
            "It renews itself." if one.renews else "",
        ]
        title = "A delegated relationship with roles that lead to everything"
        yield told(STEP, "delegated-wide", title, Severity.LOW, reasons, about=[one.id], techniques=("T1199",))


def _new(living: list[Relationship], start: datetime) -> Iterable[Finding]:
    for one in living:
        begun = max((time for time in (one.created_at, one.activated_at) if time), default=None)
        if begun and begun >= start:
            reasons = [
                f"{shown(one.name, 80)} began at {begun:%Y-%m-%d %H:%M}Z with {listed(one.roles, most=8)}.",
                "Ask who at the partner asked for it, and who at the customer agreed.",
            ]
            title = "A delegated relationship of the window"
            severity = Severity.MEDIUM if one.wide else Severity.LOW
            yield told(
                STEP, "delegated-new", title, severity, reasons, about=[one.id], techniques=("T1199", "T1484.002")
            )


def _ending(living: list[Relationship], now: datetime) -> Iterable[Finding]:
    ending = [one for one in living if one.ends_at and not one.renews and one.ends_at - now <= _SOON]
    if ending and len(ending) == len(living):
        names = listed((f"{one.name} on {one.ends_at:%Y-%m-%d}" for one in ending if one.ends_at), most=6)
        text = f"{names}: after the last one this access ends, and with it the response through it."
        title = "All delegated access ends within a month"
        yield told(STEP, "delegated-ending", title, Severity.LOW, [text], about=["all"])
