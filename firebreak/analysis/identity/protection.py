"""What stands between a password and the tenant: conditional access and security defaults. Graph's documents in, facts and findings out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.identity.telling import told
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import AccessPolicy, Administrator, Location, TenantProtection

STEP = "investigate.tenant_protection"
P1, P2 = ("AAD_PREMIUM", "AAD_PREMIUM_P2"), ("AAD_PREMIUM_P2",)
WORKLOAD = ("AAD_WRKLDID_P1", "AAD_WRKLDID_P2")
ON = "enabled"
_CONDITIONS = ("platforms", "locations", "devices", "authenticationFlows")


def plans_of(skus: Iterable[Any]) -> tuple[str, ...]:
    """The service plans that the tenant has and may use, from `subscribedSkus`."""
    return tuple(
        sorted(
            {
                doc.text(plan, "servicePlanName").upper()
                for sku in skus
                if doc.text(sku, "capabilityStatus").lower() in ("enabled", "warning", "")
                for plan in doc.items(sku, "servicePlans")
                if doc.text(plan, "provisioningStatus").lower() in ("success", "pendinginput", "pendingactivation", "")
            }
            - {""}
        )
    )


def policy_of(document: Any) -> AccessPolicy:
    """A conditional access policy, as far as it says who is asked for what."""
    conditions, grant = doc.mapping(document, "conditions"), doc.mapping(document, "grantControls")
    users = doc.mapping(conditions, "users")
    clients = _texts(conditions, "clientAppTypes")
    narrowed = [name for name in _CONDITIONS if _narrows(doc.mapping(conditions, name))]
    if clients and "all" not in clients and not {"browser", "mobileAppsAndDesktopClients"} <= set(clients):
        narrowed.append("clients")
    return AccessPolicy(
        id=doc.text(document, "id"),
        name=doc.text(document, "displayName"),
        state=doc.text(document, "state"),
        created_at=doc.moment(doc.field(document, "createdDateTime")),
        changed_at=doc.moment(doc.field(document, "modifiedDateTime")),
        users=(*_texts(users, "includeUsers"), *(f"group {one}" for one in _texts(users, "includeGroups"))),
        roles=_texts(users, "includeRoles"),
        excluded=(
            *_texts(users, "excludeUsers"),
            *(f"group {one}" for one in _texts(users, "excludeGroups")),
            *(f"role {one}" for one in _texts(users, "excludeRoles")),
        ),
        applications=_texts(doc.mapping(conditions, "applications"), "includeApplications"),
        controls=_texts(grant, "builtInControls"),
        any_control=doc.text(grant, "operator").upper() == "OR",
        strength=doc.text(grant, "authenticationStrength", "displayName")
        or doc.text(grant, "authenticationStrength", "id"),
        clients=clients,
        user_risk=_texts(conditions, "userRiskLevels"),
        sign_in_risk=_texts(conditions, "signInRiskLevels"),
        narrowed=tuple(narrowed),
    )


def location_of(document: Any) -> Location:
    """A named location of addresses or of countries."""
    ranges = [doc.text(one, "cidrAddress") for one in doc.items(document, "ipRanges")]
    return Location(
        id=doc.text(document, "id"),
        name=doc.text(document, "displayName"),
        trusted=doc.field(document, "isTrusted") is True,
        ranges=tuple(one for one in ranges if one),
        countries=_texts(document, "countriesAndRegions"),
        created_at=doc.moment(doc.field(document, "createdDateTime")),
        changed_at=doc.moment(doc.field(document, "modifiedDateTime")),
    )


def asks_for_second_factor(facts: TenantProtection, person: Administrator) -> bool | None:
    """Whether something asks this person for more than one factor in every application; None when that cannot be told.

    Groups in a policy are not looked into, so a policy that names them may hold or not.
    """
    if facts.security_defaults is True:
        return True
    if facts.policies is None:
        return None
    answers = [_asks(policy, person) for policy in facts.policies]
    if True in answers:
        return True
    return None if None in answers or facts.security_defaults is None else False


def _asks(policy: AccessPolicy, person: Administrator) -> bool | None:
    wants = {"mfa", "block"} & set(policy.controls) or policy.strength
    if policy.state != ON or not wants or (policy.any_control and len(policy.controls) > 1):
        return False
    if policy.narrowed or policy.user_risk or policy.sign_in_risk or "All" not in policy.applications:
        return False
    roles = {holding.role_id.lower() for holding in person.roles}
    excluded = {one.lower() for one in policy.excluded}
    if person.id.lower() in excluded or any(f"role {role}" in excluded for role in roles):
        return False
    included = {one.lower() for one in (*policy.users, *policy.roles)}
    named = "all" in included or person.id.lower() in included or bool(roles & included)
    if named:
        return None if any(one.startswith("group ") for one in excluded) else True
    return None if any(one.startswith("group ") for one in included) else False


def find(facts: TenantProtection) -> list[Finding]:
    """Return what was loosened in the window and what stands open, gravest first."""
    found = [*_changed(facts), *_open(facts)]
    order = list(Severity)
    return sorted(found, key=lambda one: (-order.index(one.severity), one.id))


def _changed(facts: TenantProtection) -> Iterable[Finding]:
    for policy in facts.policies or ():
        if not _is_new(facts.window_start, policy.changed_at, policy.created_at):
            continue
        at = max(one for one in (policy.changed_at, policy.created_at) if one)
        severity = Severity.MEDIUM if policy.state == ON else Severity.HIGH
        state = {ON: "It is enforced", "disabled": "It is off"}.get(policy.state, "It only reports")
        reasons = [
            f"{shown(policy.name, 100)} was {'made' if policy.created_at == at else 'changed'} at {at:%Y-%m-%d %H:%M}Z. {state} now.",
            f"{len(policy.excluded)} are excepted from it." if policy.excluded else "",
        ]
        yield told(
            STEP,
            "access-policy-in-window",
            "A conditional access policy was made or changed",
            severity if policy.changed_at else Severity.LOW,
            reasons,
            about=[policy.id],
            techniques=("T1556.009",),
        )
    for location in facts.locations or ():
        if not _is_new(facts.window_start, location.changed_at, location.created_at):
            continue
        at = max(one for one in (location.changed_at, location.created_at) if one)
        holds = listed((*location.ranges, *location.countries), most=10, width=40)
        yield told(
            STEP,
            "location-in-window",
            "A named location was made or changed",
            Severity.HIGH if location.trusted else Severity.MEDIUM,
            [
                f"{shown(location.name, 100)}{' (trusted)' if location.trusted else ''} was written at {at:%Y-%m-%d %H:%M}Z and holds {holds or 'nothing'}.",
                "Who signs in from there passes the rules that ask for more elsewhere.",
            ],
            about=[location.id],
            techniques=("T1556.009",),
        )


def _is_new(start: datetime, *times: datetime | None) -> bool:
    return any(time is not None and time >= start for time in times)


def _open(facts: TenantProtection) -> Iterable[Finding]:
    """Nothing asks everybody for a second factor. Only where all that could was read."""
    if facts.security_defaults is not False or facts.policies is None:
        return
    everybody = [
        policy
        for policy in facts.policies
        if policy.state == ON and "All" in policy.users and ({"mfa"} & set(policy.controls) or policy.strength)
    ]
    if everybody:
        return
    reports = sum(policy.state == "enabledForReportingButNotEnforced" for policy in facts.policies)
    reasons = [
        f"Security defaults are off, and none of {len(facts.policies)} conditional access policies asks all people for one.",
        f"{reports} policies only report." if reports else "",
        "Whoever has a password is in.",
    ]
    title = "Nothing asks everybody for a second factor"
    yield told(STEP, "factor-not-asked", title, Severity.MEDIUM, reasons, about=["tenant"], techniques=("T1078.004",))


def _narrows(condition: dict[str, Any]) -> bool:
    """Whether a condition makes a policy hold for some sign-ins only: it names more than "all" to include, or anything to exclude."""
    said = {name.lower(): value for name, value in condition.items() if value}
    included = [str(one).lower() for name, value in said.items() if name.startswith("include") for one in value]
    return bool(said) and (included != ["all"] or any(not name.startswith("include") for name in said))


def _texts(document: Any, name: str) -> tuple[str, ...]:
    return tuple(one for one in doc.items(document, name) if isinstance(one, str))
