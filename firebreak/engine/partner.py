"""A check of the partner's own tenant: how it is opened, as whom it signs in, and what earlier checks of it found.

A run is about one subscription; a check is about the partner's tenant, whose id stands where the subscription's would. No Azure resource is
read or changed in it: there is no such subscription.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from firebreak.errors import ContentError, ScopeError, SettingsError
from firebreak.model.alert import END_RELATIONSHIPS, PARTNER_TENANT, Alert, Incident
from firebreak.model.ids import guid, is_plain_segment
from firebreak.model.mode import Mode
from firebreak.model.playbook import Playbook
from firebreak.settings import Settings

if TYPE_CHECKING:
    from firebreak.engine.room import EngineRoom, Opened

PLAYBOOK = "partner-posture"


def open_check(
    room: EngineRoom, *, mode: Mode, requested_by: str, end: Iterable[str] = (), playbook: str = PLAYBOOK
) -> Opened:
    """Open a check of the partner's tenant; each is an incident of its own.

    `end` names delegated relationships that its plan is to end; two people still approve that.

    Raises:
        SettingsError: the partner's tenant is not named.
        ContentError: an id of a relationship is none.
    """
    tenant = partner_tenant(room.settings)
    wanted = [one.strip() for one in end]
    for one in wanted:
        if not is_plain_segment(one) or "," in one:
            raise ContentError(
                f"{one!r} is no id of a delegated relationship.",
                hint="The ids are in the report of a check, and in Partner Center.",
            )
    document: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "type": PARTNER_TENANT,
        "title": "Check of the partner's own tenant",
        "severity": "informational",
        "subscriptionId": tenant,
        "customerTenantId": tenant,
        "additionalDetails": {END_RELATIONSHIPS: ",".join(wanted)} if wanted else {},
    }
    raw = json.dumps(document).encode()
    return room.open(raw, place="a check of the partner", mode=mode, requested_by=requested_by, playbook=playbook)


def partner_tenant(settings: Settings) -> str:
    """The id of the partner's tenant.

    Raises:
        SettingsError: it is not set, or no GUID.
    """
    try:
        return guid(settings.credential.partner_tenant, "The partner's tenant")
    except ScopeError as error:
        raise SettingsError(
            f"Which tenant is the partner's? {error.message}",
            hint="Set FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID to the id of the partner's tenant.",
        ) from error


def check_fit(alert: Alert, playbook: Playbook, settings: Settings) -> None:
    """Refuse a playbook for customers on the partner's tenant, the other way round, and an alert that names another tenant as the partner's.

    Raises:
        ContentError
    """
    for_partner = playbook.applies_to == (PARTNER_TENANT,)
    if for_partner != alert.is_about_partner:
        about = "the partner's own tenant" if alert.is_about_partner else "a customer's subscription"
        raise ContentError(
            f"The playbook {playbook.id} is not for {about}.",
            hint="The partner's tenant is checked by: firebreak posture. For subscriptions see: firebreak playbooks list",
        )
    if alert.is_about_partner and {alert.subscription_id, alert.customer_tenant_id} != {partner_tenant(settings)}:
        raise ContentError(
            f"The alert names {alert.customer_tenant_id} as the partner's tenant, the settings name {partner_tenant(settings)}.",
            hint="Start the check with: firebreak posture",
        )


def shape(incident: Incident, settings: Settings) -> dict[str, Any]:
    """What a check of the partner depends on beside `that_shape_a_plan`: how it signs in, and whose customers are this installation's own."""
    if not incident.alert.is_about_partner:
        return {}
    told = installation(settings)["contain.end_relationships"]
    return {"credential_kind": told["credential_kind"], "customers": told["own_customers"]}


def installation(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the steps of a check are told of this installation, by step."""
    kind, partners = settings.credential.kind, settings.credential.partner_tenant.lower()
    own = [tenant for tenant in settings.customer_tenants if tenant and tenant != partners]
    return {
        "investigate.partner_score": {"api": settings.operations.security_score_api},
        "investigate.partner_sign_ins": {"api": settings.operations.sign_ins_api},
        "investigate.partner_federation": {"api": settings.operations.sign_ins_api},
        "investigate.partner_model": {"credential_kind": kind},
        "contain.end_relationships": {"credential_kind": kind, "own_customers": own},
    }
