"""Data prepared for what people do: named small tables of the dossier, and the occasions on which something is asked of them. Pure.

`tasks/guidance.yaml` names them. Values are plain text: escape for the place they are shown in. What was not read is said so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from firebreak.analysis.quota import open_quota
from firebreak.model.alert import WATCH
from firebreak.model.check import CheckStatus
from firebreak.model.facts import Class
from firebreak.report.dossier import Dossier
from firebreak.report.hostile import plain

Rows = tuple[tuple[str, str], ...]
_FEW = 10
_NOT_READ = "not looked at"


def _alert(dossier: Dossier) -> Rows:
    alert = dossier.incident.alert
    rows = [
        ("alert id", plain(alert.id)),
        ("type", plain(alert.type, 80)),
        ("title", plain(alert.title)),
        ("detected", f"{alert.detected_at:%Y-%m-%d %H:%M} UTC"),
        ("subscription", alert.subscription_id),
        ("customer's tenant", alert.customer_tenant_id),
        ("came from", plain(alert.source, 40)),
    ]
    return tuple(rows)


def _microsoft(dossier: Dossier) -> Rows:
    """whether Microsoft lists the alert."""
    facts = dossier.alerts
    if facts is None or not facts.were_read:
        return (("Microsoft's list of alerts", _NOT_READ),)
    if facts.this_alert is None:
        return (("Microsoft's list of alerts", "does not have this alert"),)
    return (("Microsoft's list of alerts", f"has this alert, {plain(facts.this_alert.status or 'no status', 20)}"),)


def _verdict(dossier: Dossier) -> Rows:
    found = dossier.attribution
    if found is None:
        return (("proposed verdict", _NOT_READ),)
    words = dossier.verdict.replace("_", " ")
    return (("proposed verdict", words), *(("evidence", plain(reason, 300)) for reason in found.verdict_reasons[:_FEW]))


def _accounts(dossier: Dossier) -> Rows:
    """Identities taken for the attacker's, and those that cannot be judged."""
    if dossier.attribution is None:
        return (("accounts", _NOT_READ),)
    rows = []
    for cls, words in ((Class.ATTACKER, "attacker's"), (Class.UNKNOWN, "not known whose")):
        seen = dict.fromkeys(
            (plain(j.id, 80), "stolen" if j.established else "the attacker's own")
            for j in dossier.attribution.actors
            if j.cls is cls
        )
        rows += [(words, f"{name} ({kind})" if cls is Class.ATTACKER else name) for name, kind in list(seen)[:_FEW]]
        rows += [(words, f"… and {len(seen) - _FEW} more")] if len(seen) > _FEW else []
    return tuple(rows) or (("accounts", "none stands out"),)


def _window(dossier: Dossier) -> Rows:
    found, alert = dossier.attribution, dossier.incident.alert
    start = (found.attack_start if found else None) or alert.first_observed_at or alert.detected_at
    end = found.attack_end if found else None
    until = f"{end:%Y-%m-%d %H:%M} UTC, as far as the log shows" if end else "not known"
    return (("from", f"{start:%Y-%m-%d %H:%M} UTC"), ("until", until))


def _resources(dossier: Dossier) -> Rows:
    if dossier.attribution is None:
        return (("resources", _NOT_READ),)
    judged = dossier.attribution.resources
    rows = []
    for cls, words in ((Class.ATTACKER, "attacker's"), (Class.UNKNOWN, "not known whose")):
        names = [plain(j.id.rsplit("/", 1)[-1], 40) for j in judged if j.cls is cls]
        if names:
            more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
            rows.append((words, f"{len(names)}: {', '.join(names[:_FEW])}{more}"))
    return tuple(rows) or (("resources", "none in question"),)


def _quota(dossier: Dossier) -> Rows:
    facts, inventory = dossier.quota, dossier.inventory
    if facts is None:
        return (("quota", _NOT_READ),)
    in_use = {m.region for m in inventory.machines} if inventory else set()
    rows = open_quota(facts.usages, in_use)
    return tuple(
        (row.region, f"{row.vcpus} vCPUs free, {row.spot} on Spot; GPU {row.gpu}, high-performance {row.hpc}")
        for row in rows[:_FEW]
    ) or (("quota", "none is unused"),)


def _notice(dossier: Dossier) -> Rows:
    """The time and place to search for, where only a portal shows it."""
    return (*_window(dossier), *(row for row in _alert(dossier) if row[0] in ("subscription", "customer's tenant")))


def _arrival(dossier: Dossier) -> Rows:
    """How the alert came, and how long that took: what tells whether the ways by which people are told are in order."""
    incident = dossier.incident
    minutes = max(0, int((incident.opened_at - incident.alert.detected_at).total_seconds() // 60))
    return (
        ("came from", plain(incident.alert.source, 40)),
        ("detected", f"{incident.alert.detected_at:%Y-%m-%d %H:%M} UTC"),
        ("reached Firebreak", f"{incident.opened_at:%Y-%m-%d %H:%M} UTC, {minutes} minutes later"),
    )


def _of_check(*names: str) -> Callable[[Dossier], Rows]:
    """The evidence of some checks, by their ids."""

    def rows(dossier: Dossier) -> Rows:
        found = [check for check in dossier.checks if check.id in names]
        unseen = [(_NOT_READ, plain(check.reason, 300)) for check in found if check.status is CheckStatus.NOT_LOOKED_AT]
        lines = [("seen", plain(line, 300)) for check in found for line in check.evidence]
        more = [("seen", f"… and {len(lines) - _FEW} more")] if len(lines) > _FEW else []
        return (*lines[:_FEW], *more, *unseen) or (("seen", "none stands out"),)

    return rows


def _failed(*names: str) -> Callable[[Dossier], bool]:
    """Whether one of these checks failed."""
    return lambda d: any(check.id in names and check.status is CheckStatus.FAILED for check in d.checks)


def _wanting(*rows: str) -> Callable[[Dossier], Rows]:
    """What checks of some rows of the guidance found wanting, all rows when none is named; what was not looked at is said."""

    def lines(dossier: Dossier) -> Rows:
        asked = [one for one in dossier.checks if not rows or one.row in rows]
        words = {CheckStatus.FAILED: "found wanting", CheckStatus.NOT_LOOKED_AT: _NOT_READ}
        found = [(words[one.status], plain(f"{one.title}: {one.reason}", 300)) for one in asked if one.status in words]
        more = [("found wanting", f"… and {len(found) - _FEW} more in the report")] if len(found) > _FEW else []
        return (*found[:_FEW], *more) or (("checks", "nothing was found wanting" if asked else _NOT_READ),)

    return lines


# name -> (what it is called, how it is made)
DATA: Final[Mapping[str, tuple[str, Callable[[Dossier], Rows]]]] = MappingProxyType(
    {
        "alert": ("the alert", _alert),
        "arrival": ("how and when the alert came", _arrival),
        "microsoft": ("whether Microsoft lists the alert", _microsoft),
        "verdict": ("the proposed verdict with its evidence", _verdict),
        "accounts": ("the accounts in question", _accounts),
        "window": ("when it happened", _window),
        "resources": ("the resources in question", _resources),
        "quota": ("unused quota by region", _quota),
        "federated": ("domains that are signed in to elsewhere", _of_check("federated-domains", "federated-proof")),
        "offices": ("old versions of Office", _of_check("sign-ins-office")),
        "programs": ("programs that sign in as a person", _of_check("sign-ins-programs")),
        "unrestricted": ("customers with unrestricted delegated access", _of_check("no-unrestricted-access")),
        "without_factor": ("accounts that cannot use a second factor", _of_check("accounts-capable")),
        "wanting": ("what the checks found wanting", _wanting()),
        "secure_score": ("what the secure score finds wanting", _wanting("S85")),
        "told": ("who is told", _wanting("S66", "S77", "S81", "S83")),
        "notice": ("time, subscription and tenant to search for", _notice),
    }
)


def _answers_an_alert(dossier: Dossier) -> bool:
    """Whether this is a response: a check of the partner or of what protects a subscription has no alert to be judged or answered."""
    return not dossier.incident.alert.is_about_partner and not dossier.checks


def _answers_others(dossier: Dossier) -> bool:
    """Whether the alert is somebody's else than the watch's after closure: that one is in nobody's list and came by no mail."""
    return dossier.incident.alert.source != WATCH and _answers_an_alert(dossier)


def _has_unused_gpu(dossier: Dossier) -> bool:
    return dossier.quota is not None and any(row.gpu or row.hpc for row in open_quota(dossier.quota.usages, ()))


# name -> (when, in words; whether it is so)
OCCASIONS: Final[Mapping[str, tuple[str, Callable[[Dossier], bool]]]] = MappingProxyType(
    {
        "always": ("in every incident with an alert", _answers_an_alert),
        "ended": (
            "when the response to an alert has ended",
            lambda d: d.state in ("done", "stopped", "failed") and _answers_an_alert(d),
        ),
        "customer": (
            "in every incident, and when it was checked what protects the subscription",
            lambda d: not d.incident.alert.is_about_partner,
        ),
        "at_risk": (
            "when Identity Protection counts an account at risk",
            lambda d: any(found.step == "investigate.identity_risk" for found in d.findings),
        ),
        "fraud": ("when the proposed verdict is fraud", lambda d: d.verdict == "fraud"),
        "not_by_webhook": (
            "when the alert did not come by Partner Center's webhook",
            lambda d: not d.incident.came_by_webhook and _answers_others(d),
        ),
        "not_listed": (
            "when Microsoft's list of alerts could not be read or does not have the alert",
            lambda d: (d.alerts is None or d.alerts.this_alert is None) and _answers_others(d),
        ),
        "partner": ("in a check of the partner's own tenant", lambda d: d.incident.alert.is_about_partner),
        "federated": (
            "when people of a domain of the partner's sign in at another service",
            _failed("federated-domains", "federated-proof"),
        ),
        "unproven": ("when such a service does not prove the second factor", _failed("federated-proof")),
        "programs": ("when programs sign in to the partner's tenant as a person", _failed("sign-ins-programs")),
        "unrestricted": (
            "when a customer has given the partner unrestricted delegated access",
            _failed("no-unrestricted-access"),
        ),
        "hardening": (
            "when it was checked what protects the subscription",
            lambda d: bool(d.checks) and not d.incident.alert.is_about_partner,
        ),
        "quota": ("when quota of GPU or high-performance sizes is unused", _has_unused_gpu),
    }
)
