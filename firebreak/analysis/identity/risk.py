"""What Identity Protection says about people and applications. Graph's documents in, facts and findings out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.events import address_of
from firebreak.analysis.identity.telling import told, when
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import IdentityRisk, RiskSign, RiskyIdentity

STEP = "investigate.identity_risk"
OPEN = frozenset({"atrisk", "confirmedcompromised"})
_SEVERITIES = {"high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}
# What each detection means is told by Microsoft: https://learn.microsoft.com/entra/id-protection/concept-identity-protection-risks
_TECHNIQUES = {
    "leakedcredentials": "T1589.001",
    "passwordspray": "T1110.003",
    "anonymizedipaddress": "T1090.003",
    "anomaloustoken": "T1528",
    "tokenissueranomaly": "T1606.002",
    "attackerinthemiddle": "T1557",
    "suspiciousapitraffic": "T1087.004",
    "mcassuspiciousinboxmanipulationrules": "T1564.008",
    "suspiciousinboxforwarding": "T1114.003",
    "attemptedprtaccess": "T1528",
}


def risky_of(document: Any, kind: str) -> RiskyIdentity:
    """A risky user or service principal."""
    return RiskyIdentity(
        id=doc.text(document, "id").lower(),
        name=doc.text(document, "userPrincipalName")
        or doc.text(document, "displayName")
        or doc.text(document, "userDisplayName"),
        kind=kind,
        level=doc.text(document, "riskLevel").lower(),
        state=doc.text(document, "riskState"),
        detail=doc.text(document, "riskDetail"),
        updated_at=doc.moment(doc.field(document, "riskLastUpdatedDateTime")),
    )


def sign_of(document: Any, kind: str) -> RiskSign | None:
    """A risk detection of a user or service principal; None without a time."""
    at = doc.moment(doc.field(document, "activityDateTime")) or doc.moment(doc.field(document, "detectedDateTime"))
    if at is None:
        return None
    user = kind == "user"
    return RiskSign(
        id=doc.text(document, "id"),
        principal_id=doc.text(document, "userId" if user else "servicePrincipalId").lower(),
        who=doc.text(document, "userPrincipalName" if user else "servicePrincipalDisplayName"),
        kind=kind,
        event=doc.text(document, "riskEventType"),
        level=doc.text(document, "riskLevel").lower(),
        state=doc.text(document, "riskState"),
        at=at,
        address=address_of(doc.text(document, "ipAddress")),
        country=doc.text(document, "location", "countryOrRegion").upper(),
        request_id=doc.text(document, "requestId"),
    )


def find(facts: IdentityRisk, *, own: Iterable[str] = ()) -> list[Finding]:
    """Return one finding for each identity at risk or with detections in the window, gravest first."""
    skip = {principal.lower() for principal in own}
    signs: dict[str, list[RiskSign]] = defaultdict(list)
    for sign in facts.signs:
        signs[sign.principal_id].append(sign)
    states = {one.id: one for one in facts.identities}
    found = []
    for principal in sorted({*signs, *states} - skip):
        one = _finding(facts, principal, states.get(principal), signs.get(principal, []))
        if one:
            found.append(one)
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def _finding(facts: IdentityRisk, principal: str, state: RiskyIdentity | None, signs: list[RiskSign]) -> Finding | None:
    signs = sorted((s for s in signs if s.at >= facts.window_start), key=lambda s: (s.at, s.id))
    standing = [s for s in signs if s.state.lower() not in ("dismissed", "confirmedsafe", "remediated")]
    cleared = [s for s in signs if s.state.lower() == "dismissed"]
    levels = [s.level for s in standing] + ([state.level] if state and state.state.lower() in OPEN else [])
    severity = max((_SEVERITIES.get(level, Severity.LOW) for level in levels), key=list(Severity).index, default=None)
    reasons = []
    if state and state.state.lower() == "confirmedcompromised":
        severity = Severity.HIGH
        reasons.append("Somebody confirmed it as compromised.")
    elif state and state.state.lower() in OPEN:
        since = f" since {state.updated_at:%Y-%m-%d %H:%M}Z" if state.updated_at else ""
        reasons.append(f"Identity Protection holds it at risk{since}: {shown(state.level, 20)}.")
    if standing:
        events = listed(dict.fromkeys(s.event for s in standing), most=8)
        where = listed(
            dict.fromkeys(
                f"{s.address or 'an unnamed address'}{f' ({s.country})' if s.country else ''}" for s in standing
            )
        )
        reasons.append(f"Seen {when(standing[0].at, standing[-1].at)}: {events}, from {where}.")
    if cleared:
        severity = severity or Severity.LOW
        reasons.append(f"{len(cleared)} detections of the window were dismissed: ask who did it.")
    if severity is None or not reasons:
        return None
    techniques = [_TECHNIQUES[s.event.lower()] for s in standing if s.event.lower() in _TECHNIQUES]
    named = state or (signs[0] if signs else None)
    name = state.name if state else signs[0].who
    places = {s.address for s in standing if s.address}
    return told(
        STEP,
        "identity-at-risk",
        "An application at risk" if named and named.kind != "user" else "A person at risk",
        severity,
        reasons,
        about=[principal],
        actor=name,
        address=places.pop() if len(places) == 1 else "",
        ids=[s.id for s in signs],
        techniques=tuple(dict.fromkeys([*techniques, "T1078.004"])),
    )
