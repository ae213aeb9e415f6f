"""What came in and what was opened because of it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from firebreak.model.mode import Mode

WEBHOOK = "partner-center-webhook"
POLLED = "poll"
WATCH = "aftercare"  # the source of an alert that the watch after closure made itself; it also asks for the response
DELIVERED_BY = "delivered_by"  # the detail that says which way an alert came, when its source is another

# The type of an alert that is about the partner's own tenant; its subscription id is the tenant's. Only a check of the partner is started for it.
PARTNER_TENANT = "partner-tenant"
END_RELATIONSHIPS = "end_relationships"  # the detail that names relationships to end, by id, with commas between


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert in our terms. `raw_digest` names the raw bytes in the evidence store; nothing is lost by parsing.

    `customer_tenant_id` and `subscription_id` are lower-case GUIDs. `affected_resources` may be empty: then the whole subscription
    is reviewed. `is_test` alerts never lead to a destructive step.
    """

    id: str
    # graph | partner-center-webhook | fraud-events | audit-records | cost-alerts | aftercare | file | manual
    source: str
    type: str
    title: str
    severity: str
    subscription_id: str
    customer_tenant_id: str
    detected_at: datetime
    first_observed_at: datetime | None = None
    last_observed_at: datetime | None = None
    affected_resources: tuple[str, ...] = ()
    details: dict[str, str] = {}
    is_test: bool = False
    raw_digest: str = ""

    @property
    def is_about_partner(self) -> bool:
        """Whether it is about the partner's own tenant, not about a customer's subscription."""
        return self.type == PARTNER_TENANT


def identity_of(alert_id: str, subscription_id: str) -> str:
    """Return what an alert's id is in every interface of Microsoft's: some put the subscription before it, with a hyphen or an underscore."""
    lowered, prefix = alert_id.lower(), subscription_id.lower()
    bare = lowered.removeprefix(prefix)[1:]
    return bare if lowered.startswith((f"{prefix}-", f"{prefix}_")) and bare else lowered


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One response to one alert, in one mode.

    `id` is what people say (`INC-1a2b3c4d`, a dry run has the suffix `-dry`); `case` is the same for the live and the dry run of one
    alert and is what plan digests are taken over, so that both give the same digest.
    """

    id: str
    case: str
    alert: Alert
    playbook: str
    mode: Mode
    opened_at: datetime
    requested_by: str

    @property
    def came_by_webhook(self) -> bool:
        """Whether Partner Center's webhook brought the alert, whoever told its details."""
        return WEBHOOK in (self.alert.source, self.alert.details.get(DELIVERED_BY))

    @property
    def subscription_id(self) -> str:
        return self.alert.subscription_id
