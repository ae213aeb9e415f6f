"""What the partner may do in its customers' tenants: unrestricted delegated access, and granular relationships with their roles, length and use."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.partner import customers
from firebreak.analysis.partner.judging import why_not
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.ids import is_plain_segment
from firebreak.model.partner import PartnerCustomers, PartnerRelationship
from firebreak.model.step import Effect, Step
from tasks import directory, partner
from tasks.reading import Notes, each

_CUSTOMERS, _ALONE = "the list of customers", "customers whose delegated access is not told in the list"
_MOST_ALONE = 200
_PAGE = {"size": "500"}

STEP = Step(
    id="investigate.partner_customers",
    title="Check what the partner may do at its customers",
    effect=Effect.READ,
    description=(
        "Lists customers with unrestricted delegated access (DAP), and granular relationships (GDAP) that hold roles to everything, last long, end "
        "soon, or are given to nobody."
    ),
    graph_permissions=partner.RELATIONSHIPS.permissions,
    guidance=("S98", "S99"),
    produces=PartnerCustomers,
)


async def collect(eyes: Eyes, case: Case) -> PartnerCustomers:
    """Read customers of Partner Center and relationships of Graph, each on its own."""
    notes = Notes()
    unrestricted, total = await _unrestricted(eyes, notes)
    refused = {note.what for note in notes.all}
    why = why_not(notes.all, _CUSTOMERS, _ALONE) if refused else ""
    checks = [
        customers.UNRESTRICTED.unread(why)
        if unrestricted is None
        else customers.unrestricted_check(unrestricted, total, why)
    ]
    relationships = await _relationships(eyes, notes)
    if relationships is None:
        reason = why_not(notes.all, partner.RELATIONSHIPS.what)
        checks += [claim.unread(reason) for claim in customers.RELATIONSHIP_CLAIMS]
    else:
        unread = any(one.groups is None and one.status.lower() in customers.LIVING for one in relationships)
        no_groups = why_not(notes.all, partner.ACCESS.what) if unread else ""
        checks += customers.relationship_checks(relationships, now=case.now, why_no_groups=no_groups)
    return PartnerCustomers(
        relationships=relationships,
        unrestricted=None if unrestricted is None else tuple(unrestricted),
        checks=tuple(checks),
        not_looked_at=notes.all,
    )


async def _unrestricted(eyes: Eyes, notes: Notes) -> tuple[list[str] | None, int]:
    """Names of customers with the old kind of access, and how many customers there are."""
    rows = await notes.attempt(_CUSTOMERS, eyes.partner_center.list("/v1/customers", _PAGE), None)
    if rows is None:
        return None, 0
    found, alone = [], []
    for row in rows:
        allowed = doc.field(row, "allowDelegatedAccess")
        if allowed is True:
            found.append(_name(row))
        elif allowed is not False and is_plain_segment(doc.text(row, "id")):
            alone.append(row)
    if len(alone) > _MOST_ALONE:
        notes.add(_ALONE, f"{len(alone)} would have to be asked for one by one; {_MOST_ALONE} were")
    for row in alone[:_MOST_ALONE]:
        full = await notes.attempt(_ALONE, eyes.partner_center.get(f"/v1/customers/{doc.text(row, 'id')}"), None)
        if doc.field(full, "allowDelegatedAccess") is True:
            found.append(_name(row))
    return found, len(rows)


def _name(row: dict[str, Any]) -> str:
    return f"{shown(doc.text(row, 'companyProfile', 'companyName'), 80)} ({shown(doc.text(row, 'id'), 40)})"


async def _relationships(eyes: Eyes, notes: Notes) -> tuple[PartnerRelationship, ...] | None:
    read = partner.RELATIONSHIPS
    rows = await directory.attempt(notes, read, directory.everything(eyes, read, {"$top": "300"}), None)
    if rows is None:
        return None

    async def groups(row: dict[str, Any]) -> int | None:
        identifier = doc.text(row, "id")
        if doc.text(row, "status").lower() not in customers.LIVING or not is_plain_segment(identifier):
            return None
        path = f"{read.path}/{identifier}/accessAssignments"
        found = await directory.attempt(
            notes, partner.ACCESS, directory.everything(eyes, partner.ACCESS, path=path), None
        )
        return None if found is None else sum(doc.text(one, "status").lower() != "deleted" for one in found)

    counts = await each(groups, rows)
    return tuple(customers.partner_relationship_of(row, groups=count) for row, count in zip(rows, counts, strict=True))
