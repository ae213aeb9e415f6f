"""What the partner may do in the customer's tenant: delegated relationships with their roles, and the old unrestricted kind."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.identity import delegation
from firebreak.errors import ScopeError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.finding import Finding
from firebreak.model.identity import DelegatedAccess
from firebreak.model.ids import guid, is_plain_segment
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.delegated_access",
    title="Review the partner's delegated access",
    effect=Effect.READ,
    description=(
        "Lists the partner's granular delegated relationships with this customer, their roles, age and end, and whether unrestricted delegated "
        "administration of the old kind is on. Other partners' relationships show in the customer's portal only."
    ),
    graph_permissions=directory.permissions_of(directory.RELATIONSHIPS),
    guidance=("S98", "S99"),
    produces=DelegatedAccess,
)


async def collect(eyes: Eyes, case: Case) -> DelegatedAccess:
    """Ask Graph for the relationships with the alert's customer, and Partner Center for the old kind."""
    notes = Notes()
    relationships, unrestricted = None, None
    try:
        customer = guid(case.incident.alert.customer_tenant_id, "Customer tenant")
    except ScopeError as error:
        notes.add("the partner's delegated access", error.message)
    else:
        relationships = await _relationships(eyes, notes, customer)
        found = await notes.attempt(
            "unrestricted delegated administration (DAP)", eyes.partner_center.get(f"/v1/customers/{customer}"), None
        )
        allowed = doc.field(found, "allowDelegatedAccess")
        unrestricted = allowed if isinstance(allowed, bool) else None
    return DelegatedAccess(
        window_start=directory.window_of(eyes, case),
        relationships=relationships,
        unrestricted=unrestricted,
        not_looked_at=notes.all,
    )


def assess(facts: DelegatedAccess, case: Case) -> list[Finding]:
    return delegation.find(facts, now=case.now)


async def _relationships(eyes: Eyes, notes: Notes, customer: str) -> tuple[Any, ...] | None:
    read = directory.RELATIONSHIPS
    params = {"$filter": f"customer/tenantId eq '{customer}'"}
    rows = await directory.attempt(notes, read, directory.everything(eyes, read, params), None)
    if rows is None:
        return None
    theirs = [row for row in rows if doc.text(row, "customer", "tenantId").lower() in (customer, "")]

    async def groups(row: dict[str, Any]) -> int | None:
        identifier = doc.text(row, "id")
        if doc.text(row, "status").lower() not in delegation.LIVING or not is_plain_segment(identifier):
            return None
        path = f"{read.path}/{identifier}/accessAssignments"
        found = await directory.attempt(
            notes, read, directory.everything(eyes, read, path=path), None, what="groups with delegated roles"
        )
        return None if found is None else len(found)

    counts = await each(groups, theirs)
    return tuple(delegation.relationship_of(row, groups=count) for row, count in zip(theirs, counts, strict=True))
