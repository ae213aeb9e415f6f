"""Who and what is at stake: the subscription, our own permissions in it, and the partner objects that belong to it.

Partner Center is asked as far as it can be reached; what it does not tell is noted, and never fails the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis import rights
from firebreak.errors import RejectedError, ScopeError
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Permission, SubscriptionFacts
from firebreak.model.finding import Finding, Severity
from firebreak.model.ids import guid
from firebreak.model.step import Effect, Step
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.subscription",
    title="Identify the subscription, the customer and what we may do",
    effect=Effect.READ,
    description=(
        "Reads the subscription, compares the acting identity's permissions with what the playbook needs, and finds the customer, its "
        "indirect resellers and the one Azure entitlement in Partner Center."
    ),
    permissions=(
        "Microsoft.Resources/subscriptions/read",
        "Microsoft.Authorization/permissions/read",
        "Microsoft.Authorization/roleAssignments/read",
    ),
    guidance=("S19", "S20", "S21", "S22", "S28"),
    produces=SubscriptionFacts,
)

_AUTHORIZATION, _API = "providers/Microsoft.Authorization", "2022-04-01"
_MOST_SCOPES = 200
_AZURE_PLAN = re.compile(r"^DZH318Z0BPS6", re.IGNORECASE)


async def collect(eyes: Eyes, case: Case) -> SubscriptionFacts:
    """Read the subscription itself or fail; everything else is read as far as possible."""
    notes = Notes()
    subscription = eyes.arm.subscription_id
    found = await eyes.arm.get(f"/subscriptions/{subscription}", "2022-12-01")
    if found is None:
        raise RejectedError(
            f"Subscription {subscription} was not found.",
            status=404,
            hint="Check the alert's subscription and whether the acting identity has a role in it.",
        )
    needed = tuple(case.parameter(STEP.id, "needed_permissions", ()))
    granted = await notes.attempt(
        "the acting identity's permissions",
        eyes.arm.list(f"/subscriptions/{subscription}/providers/Microsoft.Authorization/permissions", "2022-04-01"),
        None,
    )
    own = await eyes.own_principal_ids()  # without it own access could not be protected, so nothing goes on
    rights_by_scope, groups = await read_rights(eyes, own, granted, notes)
    partner = await _partner_data(eyes, case, notes)
    return SubscriptionFacts(
        subscription_id=subscription,
        tenant_id=doc.text(found, "tenantId").lower() or case.incident.alert.customer_tenant_id,
        display_name=doc.text(found, "displayName"),
        state=doc.text(found, "state"),
        quota_id=doc.text(found, "subscriptionPolicies", "quotaId"),
        own_principal_ids=tuple(sorted({principal.lower() for principal in own})),
        member_of=groups,
        missing_permissions=() if granted is None else rights.missing(needed, rights.permissions_of(granted)),
        permissions=rights_by_scope,
        customer_name=partner.get("customer_name", ""),
        partner_name=partner.get("partner_name", ""),
        indirect_resellers=tuple(partner.get("indirect_resellers", ())),
        entitlement=partner.get("entitlement", ""),
        entitlement_status=partner.get("entitlement_status", ""),
        not_looked_at=notes.all,
    )


def assess(facts: SubscriptionFacts, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Say what stands in the way: missing permissions, a subscription that is not enabled."""
    found = []
    if facts.missing_permissions:
        found.append(
            Finding(
                id="permissions-missing",
                step=STEP.id,
                title="The acting identity lacks permissions that the playbook needs",
                severity=Severity.MEDIUM,
                reasons=tuple(f"Missing: {permission}." for permission in facts.missing_permissions),
            )
        )
    if facts.state and facts.state.lower() != "enabled":
        found.append(
            Finding(
                id="subscription-state",
                step=STEP.id,
                title="The subscription is not enabled",
                severity=Severity.MEDIUM,
                reasons=(
                    f"Its state is {doc.shown(facts.state)}: reads and deletes work, other changes may be refused.",
                ),
            )
        )
    return found


async def read_rights(
    eyes: Eyes, own: Iterable[str], granted: Sequence[Any] | None, notes: Notes
) -> tuple[dict[str, tuple[Permission, ...]], tuple[str, ...]]:
    """Return what the acting identity may do by scope, and the groups through which it holds roles.

    `granted` is what the permissions API answered for the subscription, None when it could not be read. Roles that are held in a group or
    on a resource only are found by the assignments for the identity, and asked about there.
    """
    if granted is None:
        return {}, ()
    subscription = f"/subscriptions/{eyes.arm.subscription_id}"
    held: list[dict[str, Any]] = []
    for principal in sorted({one.lower() for one in own}):
        held += await notes.attempt(
            "the acting identity's own role assignments",
            eyes.arm.list(
                f"{subscription}/{_AUTHORIZATION}/roleAssignments", _API, {"$filter": f"assignedTo('{principal}')"}
            ),
            [],
        )
    holders = {doc.text(one, "properties", "principalId").lower() for one in held} - {"", *(p.lower() for p in own)}
    scopes = {doc.path(one, "properties", "scope") for one in held}
    narrower = sorted(s for s in scopes if s.lower().startswith(subscription.lower() + "/"))
    for skipped in narrower[_MOST_SCOPES:]:
        notes.add(
            f"the acting identity's permissions on {doc.shown(skipped, 250)}",
            f"only {_MOST_SCOPES} scopes are asked about",
        )

    async def at(scope: str) -> tuple[str, tuple[Permission, ...]]:
        found = await notes.attempt(
            f"the acting identity's permissions on {doc.shown(scope, 250)}",
            eyes.arm.list(f"{scope}/{_AUTHORIZATION}/permissions", _API),
            [],
        )
        return scope.lower(), rights.permissions_of(found)

    found = dict(await each(at, narrower[:_MOST_SCOPES]))
    return {subscription.lower(): rights.permissions_of(granted)} | found, tuple(sorted(holders))


async def _partner_data(eyes: Eyes, case: Case, notes: Notes) -> dict[str, Any]:
    """Ask Partner Center for organization, customer, resellers and the entitlement; each on its own."""
    alert = case.incident.alert
    try:
        customer = guid(alert.customer_tenant_id, "Customer tenant")
    except ScopeError as error:
        notes.add("the customer in Partner Center", error.message)
        return {}
    base = f"/v1/customers/{customer}"
    center = eyes.partner_center
    organization = await notes.attempt("the partner's organization", center.get("/v1/profiles/organization"), None)
    profile = await notes.attempt("the customer in Partner Center", center.get(base), None)
    relations = await notes.attempt("the customer's indirect resellers", center.list(f"{base}/relationships"), [])
    entitlement, status = await _entitlement(eyes, base, alert.subscription_id, notes)
    return {
        "partner_name": doc.text(organization, "companyName"),
        "customer_name": doc.text(profile, "companyProfile", "companyName"),
        "indirect_resellers": tuple(sorted(name for name in (doc.text(item, "name") for item in relations) if name)),
        "entitlement": entitlement,
        "entitlement_status": status,
    }


async def _entitlement(eyes: Eyes, base: str, subscription: str, notes: Notes) -> tuple[str, str]:
    """Find the one entitlement that is the alert's Azure subscription: its path and status, or ("", "") with the reason noted.

    The alert's id is an Azure subscription, never a Partner Center subscription: the way goes over every Azure plan of the customer.
    """
    what = "the Azure entitlement in Partner Center"
    unread: list[dict[str, Any]] | None = None
    plans = await notes.attempt(what, eyes.partner_center.list(f"{base}/subscriptions"), unread)
    if plans is None:
        return "", ""
    matches: list[tuple[str, str]] = []
    for plan in plans:
        if not _AZURE_PLAN.match(doc.text(plan, "offerId")):
            continue
        try:
            plan_path = f"{base}/subscriptions/{guid(doc.text(plan, 'id'), 'Azure plan')}/azureEntitlements"
        except ScopeError as error:
            notes.add(what, error.message)
            return "", ""
        entitlements = await notes.attempt(what, eyes.partner_center.list(plan_path), unread)
        if entitlements is None:
            # One plan unread: a second match may hide in it, so nothing is resolved.
            return "", ""
        matches += [
            (f"{plan_path}/{doc.text(item, 'id').strip().lower()}", doc.text(item, "status"))
            for item in entitlements
            if doc.text(item, "id").strip().lower() == subscription.lower()
        ]
    if len(matches) == 1:
        return matches[0]
    notes.add(what, f"{len(matches)} entitlements match the subscription; exactly one is needed")
    return "", ""
