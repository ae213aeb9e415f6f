"""Name whom Defender for Cloud and Microsoft write to about the subscription's security."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firebreak.analysis.hardening.alerting import contact_tells
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.hardening import Alerting
from firebreak.model.plan import Action, NoOp
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import SECURITY_CONTACTS, Document, items_at, text_at, value_at
from tasks.settled import Settled, mails
from tasks.words import plain

STEP = Step(
    id="harden.security_contact",
    title="Name whom Microsoft tells about the subscription's security",
    effect=Effect.REVERSIBLE,
    description=(
        "Sets the subscription's security contact: the given addresses and its Owners get Defender's alerts of high severity. Addresses that stand "
        "there stay."
    ),
    permissions=(
        "Microsoft.Security/securityContacts/read",
        "Microsoft.Security/securityContacts/write",
        "Microsoft.Security/securityContacts/delete",
    ),
    guidance=("S81",),
    needs=(Alerting,),
    parameters={
        "emails": "Addresses that are told. FIREBREAK_HARDENING__EMAILS when not given; without any, the Owners alone."
    },
)

_CONTACT = Settled(
    step=STEP.id,
    aspect="security_contact",
    version=SECURITY_CONTACTS,
    kept=("emails", "phone", "isEnabled", "notificationsByRole", "notificationsSources"),
)


def plan(case: Case) -> list[Action | NoOp]:
    target = f"/subscriptions/{case.incident.subscription_id}/providers/Microsoft.Security/securityContacts/default"
    facts = case[Alerting]
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=target, reason="Test alert: no contact is set.")]
    if not facts.contact_was_read:
        return [
            NoOp(
                step=STEP.id,
                target=target,
                reason="The security contact could not be read: whom it names is not known.",
            )
        ]
    before = [one.strip() for one in text_at(facts.contact, "properties", "emails").split(";") if one.strip()]
    wanted = list(dict.fromkeys([*before, *mails(case, STEP.id)]))
    if facts.contact is not None and contact_tells(facts.contact) and wanted == before:
        return [NoOp(step=STEP.id, target=target, reason="There is a security contact that is switched on.")]
    return [
        _CONTACT.set(
            case,
            target=target,
            title=f"Name as security contact: {plain('; '.join(wanted), 120) or 'the Owners'}",
            reasons=(
                f"Now: {plain('; '.join(before), 120) or 'no address'}. Then: {plain('; '.join(wanted), 120) or 'no address'}, and the Owners.",
                "They get Defender's alerts of high severity by mail.",
            ),
            document=_document(facts.contact, wanted),
            stands=facts.contact,
        )
    ]


def _document(before: Document | None, addresses: Sequence[str]) -> Document:
    """What stood there, switched on, with the addresses and the Owners."""
    roles = [str(one) for one in items_at(before, "properties", "notificationsByRole", "roles")]
    sources = [
        one for one in items_at(before, "properties", "notificationsSources") if text_at(one, "sourceType") != "Alert"
    ]
    alert = next(
        (
            one
            for one in items_at(before, "properties", "notificationsSources")
            if text_at(one, "sourceType") == "Alert"
        ),
        {"sourceType": "Alert", "minimalSeverity": "High"},
    )
    return {
        "properties": {
            "emails": ";".join(addresses),
            "phone": text_at(value_at(before, "properties"), "phone"),
            "isEnabled": True,
            "notificationsByRole": {"state": "On", "roles": list(dict.fromkeys([*roles, "Owner"]))},
            "notificationsSources": [alert, *sources],
        }
    }


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    return await _CONTACT.look(actions, eyes)


async def apply(action: Action, hands: Hands) -> Sent:
    return await _CONTACT.apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Put back the contact that stood there, or none."""
    return _CONTACT.undo(action, prior)
