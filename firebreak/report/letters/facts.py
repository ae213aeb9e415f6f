"""What letters are filled with: taken from the dossier, names of strangers made plain."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from firebreak.model.facts import Class
from firebreak.report.dossier import ActionRow, Dossier
from firebreak.report.hostile import plain

_STOPPED = (".deallocate", ".stop", ".scale_to_zero")
_CLOSED = ("user.disable", "application.disable")
_MOST = 40  # resources and accounts that a letter names; the report has all


class LetterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a letter may say. "" and None stand for what is not known.

    `resources` and `accounts` are those judged the attacker's, at most 40 of `resources_in_all` and `accounts_in_all`; where nobody was judged, the
    resources are those that the alert names. `stopped`, `removed` and `closed` count what was done and stands.
    """

    incident: str
    partner: str
    partner_tenant: str
    customer: str
    customer_tenant: str
    subscription: str
    subscription_name: str
    alert: str
    alert_type: str
    alert_title: str
    detected: datetime
    start: datetime | None = None
    end: datetime | None = None
    verdict: str = "not_enough_evidence"
    resources: tuple[str, ...] = ()
    resources_in_all: int = 0
    accounts: tuple[str, ...] = ()
    accounts_in_all: int = 0
    lost: Decimal | None = None
    per_hour: Decimal | None = None
    currency: str = "USD"
    stopped: int = 0
    removed: int = 0
    closed: int = 0
    running: int = 0
    unseen: int = 0


def facts_of(dossier: Dossier, *, partner_tenant: str = "") -> LetterFacts:
    """Take the facts out of a dossier; `partner_tenant` is the settings' own."""
    alert, found, burn = dossier.incident.alert, dossier.attribution, dossier.burn_before
    subscription = dossier.subscription
    theirs = [judged.id for judged in found.resources if judged.cls is Class.ATTACKER] if found else []
    resources = theirs or ([] if found else list(alert.affected_resources))
    accounts = list(dict.fromkeys(j.id for j in found.actors if j.cls is Class.ATTACKER)) if found else []
    done = [row for row in dossier.actions if row.is_good and not row.taken_back]
    return LetterFacts(
        incident=dossier.incident.id,
        partner=plain(subscription.partner_name, 100) if subscription else "",
        partner_tenant=partner_tenant,
        customer=plain(subscription.customer_name, 100) if subscription else "",
        customer_tenant=alert.customer_tenant_id,
        subscription=dossier.incident.subscription_id,
        subscription_name=plain(subscription.display_name, 100) if subscription else "",
        alert=plain(alert.id, 100),
        alert_type=plain(alert.type, 80),
        alert_title=plain(alert.title, 150),
        detected=alert.detected_at,
        start=(found.attack_start if found else None) or alert.first_observed_at,
        end=(found.attack_end if found else None) or alert.last_observed_at,
        verdict=dossier.verdict,
        resources=tuple(plain(one, 250) for one in resources[:_MOST]),
        resources_in_all=len(resources),
        accounts=tuple(plain(one, 120) for one in accounts[:_MOST]),
        accounts_in_all=len(accounts),
        lost=burn.lost if burn else None,
        per_hour=burn.rogue_per_hour if burn else None,
        currency=burn.currency if burn else "USD",
        stopped=_count(done, _STOPPED),
        removed=_count(done, (".delete",)),
        closed=len({row.action.target.lower() for row in done if row.action.kind in _CLOSED}),
        running=len(dossier.still_running),
        unseen=len(dossier.not_looked_at),
    )


def _count(done: list[ActionRow], endings: tuple[str, ...]) -> int:
    return len({row.action.target.lower() for row in done if row.action.kind.endswith(endings)})
