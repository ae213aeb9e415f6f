"""See who is told when rights change, when Microsoft publishes a notice, and when Defender raises an alert."""

from __future__ import annotations

from firebreak.analysis.hardening import alerting
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.hardening import Alerting
from firebreak.model.step import Effect, Step
from tasks.arm import ACTION_GROUPS, ACTIVITY_ALERTS, SECURITY_CONTACTS
from tasks.reading import Notes

STEP = Step(
    id="investigate.alert_rules",
    title="See who is told of changes of rights and of Microsoft's notices",
    effect=Effect.READ,
    description=(
        "Reads the alert rules on the activity log, the action groups (lists of people) that they tell, and the subscription's security contact, "
        "and checks that somebody hears of it when roles change or Microsoft publishes a security notice."
    ),
    permissions=(
        "Microsoft.Insights/actionGroups/read",
        "Microsoft.Insights/activityLogAlerts/read",
        "Microsoft.Security/securityContacts/read",
    ),
    guidance=("S66", "S77", "S81", "S83"),
    produces=Alerting,
)


async def collect(eyes: Eyes, case: Case) -> Alerting:
    """Read the three lists, each on its own; what is refused is noted."""
    notes, base = Notes(), f"/subscriptions/{eyes.arm.subscription_id}/providers"
    groups = await notes.attempt(
        "action groups", eyes.arm.list(f"{base}/Microsoft.Insights/actionGroups", ACTION_GROUPS), None
    )
    rules = await notes.attempt(
        "alert rules", eyes.arm.list(f"{base}/Microsoft.Insights/activityLogAlerts", ACTIVITY_ALERTS), None
    )
    contacts = await notes.attempt(
        "the security contact", eyes.arm.list(f"{base}/Microsoft.Security/securityContacts", SECURITY_CONTACTS), None
    )
    contact = next(iter(contacts or ()), None)
    return Alerting(
        groups=None if groups is None else tuple(groups),
        rules=None if rules is None else tuple(rules),
        contact=contact,
        contact_was_read=contacts is not None,
        checks=alerting.checks_of(
            case.incident.subscription_id,
            groups,
            rules,
            contact,
            contact_was_read=contacts is not None,
            notes=notes.all,
        ),
        not_looked_at=notes.all,
    )
