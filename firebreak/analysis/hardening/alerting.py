"""Who is told of changes of rights, of Microsoft's notices and of Defender's alerts. https://learn.microsoft.com/azure/azure-monitor/alerts/activity-log-alerts"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from firebreak.analysis import documents as doc
from firebreak.analysis.hardening.checks import check, why
from firebreak.model.check import Check
from firebreak.model.finding import NotLookedAt

STEP: Final = "investigate.alert_rules"
GIVEN, TAKEN = "Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete"
ROLE_CHANGES: Final = {"role-given": GIVEN, "role-taken": TAKEN}
_NEWS = ("Security", "Incident")  # kinds of service-health notices that matter in an incident


def tells_somebody(group: Any) -> bool:
    """Whether an action group is on and reaches anybody or anything at all."""
    properties = doc.mapping(group, "properties")
    if doc.field(properties, "enabled") is False:
        return False
    receivers = (rows for name, rows in properties.items() if str(name).lower().endswith("receivers"))
    return any(isinstance(rows, list) and rows for rows in receivers)


def hears(rule: Any, subscription_id: str, *, category: str, operation: str = "", kind: str = "") -> bool:
    """Whether a rule is on for the whole subscription and hears this: a category, in it an operation, or a kind of service-health notice."""
    properties = doc.mapping(rule, "properties")
    scopes = {str(one).lower().rstrip("/") for one in doc.items(properties, "scopes")}
    if doc.field(properties, "enabled") is False or f"/subscriptions/{subscription_id}".lower() not in scopes:
        return False
    asked = [_leaves(one) for one in doc.items(doc.mapping(properties, "condition"), "allOf")]
    if not any(name == "category" and category.lower() in values for leaves in asked for name, values in leaves):
        return False
    return all(_fits(leaves, category, operation, kind) for leaves in asked)


def _leaves(condition: Any) -> list[tuple[str, set[str]]]:
    """A condition as (field, values that fit) pairs, one of which must be met."""
    leaves = doc.items(condition, "anyOf") or [condition]
    return [
        (
            doc.text(leaf, "field").lower(),
            {one.lower() for one in (doc.text(leaf, "equals"), *map(str, doc.items(leaf, "containsAny"))) if one},
        )
        for leaf in leaves
    ]


def _fits(leaves: Sequence[tuple[str, set[str]]], category: str, operation: str, kind: str) -> bool:
    for name, values in leaves:
        if name == "category" and category.lower() in values:
            return True
        if name == "operationname" and operation and operation.lower() in values:
            return True
        if name == "properties.incidenttype" and kind and kind.lower() in values:
            return True
        if name == "status" and "succeeded" in values:
            return True
    return False


def told_by(rule: Any, groups: Iterable[Any]) -> bool:
    """Whether one of the groups that a rule names is there and tells somebody."""
    living = {doc.text(group, "id").lower() for group in groups if tells_somebody(group)}
    named = doc.items(doc.mapping(doc.mapping(rule, "properties"), "actions"), "actionGroups")
    return any(doc.text(one, "actionGroupId").lower() in living for one in named)


def contact_tells(contact: Any) -> bool:
    """Whether the security contact gets Defender's alerts: an address or a role, switched on."""
    properties = doc.mapping(contact, "properties")
    if doc.field(properties, "isEnabled") is False:
        return False
    roles = doc.mapping(properties, "notificationsByRole")
    by_role = doc.text(roles, "state").lower() == "on" and bool(doc.items(roles, "roles"))
    sources = doc.items(properties, "notificationsSources")
    for_alerts = not sources or any(doc.text(one, "sourceType").lower() == "alert" for one in sources)
    return for_alerts and (by_role or "@" in doc.text(properties, "emails"))


def checks_of(
    subscription_id: str,
    groups: Sequence[Any] | None,
    rules: Sequence[Any] | None,
    contact: Any,
    *,
    contact_was_read: bool,
    notes: Sequence[NotLookedAt],
) -> tuple[Check, ...]:
    """The checks of rows S66, S77, S81 and S83."""
    scope = f"/subscriptions/{subscription_id}"
    found: list[Check] = []
    for name, operation in ROLE_CHANGES.items():
        verb = "given" if operation == GIVEN else "taken away"
        found.append(
            _rule(
                f"alert-rule:{name}",
                "S66",
                f"Somebody is told when a role on the subscription is {verb}",
                groups,
                rules,
                notes,
                hears=lambda rule, operation=operation: hears(
                    rule, subscription_id, category="Administrative", operation=operation
                ),
                advice="An alert rule on the activity log and a list of people: this run proposes both for approval.",
            )
        )
    found.append(
        _rule(
            "alert-rule:service-health",
            "S83",
            "Somebody is told what Microsoft publishes about the subscription's security and outages",
            groups,
            rules,
            notes,
            hears=lambda rule: all(hears(rule, subscription_id, category="ServiceHealth", kind=kind) for kind in _NEWS),
            advice="An alert rule on Service Health (Microsoft's notices): this run proposes one for approval.",
        )
    )
    living = [group for group in groups or () if tells_somebody(group)]
    found.append(
        check(
            STEP,
            "S77",
            "action-group",
            "There is a list of people for alerts",
            holds=None if groups is None else bool(living),
            reason=why(notes, "action groups")
            if groups is None
            else f"{len(living)} of {len(groups)} action groups (lists of people whom Azure tells) are on and reach somebody.",
            evidence=[doc.text(group, "id") for group in living],
            advice="Make an action group with people who read it at night: this run proposes one for approval.",
        )
    )
    at = f"{scope}/providers/Microsoft.Security/securityContacts/default"
    found.append(
        check(
            STEP,
            "S81",
            "security-contact",
            "Microsoft knows whom to tell about the subscription's security",
            holds=None if not contact_was_read else contact is not None and contact_tells(contact),
            reason=why(notes, "the security contact")
            if not contact_was_read
            else "There is no security contact: Microsoft's security mails reach nobody who was chosen for it."
            if contact is None
            else "The security contact is switched on."
            if contact_tells(contact)
            else "There is a security contact, but it is off, has no address and role, or gets no alerts.",
            evidence=[f"{at}: {doc.text(doc.mapping(contact, 'properties'), 'emails') or 'no address'}"]
            if contact
            else [],
            advice="Name an address that is read: this run proposes it for approval. Ask the owners to see that it arrives.",
        )
    )
    return tuple(found)


def _rule(
    name: str,
    row: str,
    title: str,
    groups: Sequence[Any] | None,
    rules: Sequence[Any] | None,
    notes: Sequence[NotLookedAt],
    *,
    hears: Any,
    advice: str,
) -> Check:
    if groups is None or rules is None:
        missing = "alert rules" if rules is None else "action groups"
        return check(STEP, row, name, title, holds=None, reason=why(notes, missing), advice=advice)
    fitting = [rule for rule in rules if hears(rule)]
    telling = [rule for rule in fitting if told_by(rule, groups)]
    if telling:
        reason = "An alert rule hears it and tells an action group that reaches somebody."
    elif fitting:
        reason = "An alert rule hears it, but its action group is gone, off or empty: nobody is told."
    else:
        reason = f"None of {len(rules)} alert rules on the activity log hears it for the whole subscription."
    seen = [doc.text(rule, "id") for rule in telling or fitting]
    return check(STEP, row, name, title, holds=bool(telling), reason=reason, evidence=seen, advice=advice)
