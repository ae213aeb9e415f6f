"""What a sign-in to the tenant has to pass: a second factor for everybody, old protocols shut, rules for risky people and sign-ins.

https://learn.microsoft.com/entra/identity/conditional-access/policy-all-users-mfa-strength
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from firebreak.analysis.documents import listed, shown
from firebreak.analysis.hardening.checks import check
from firebreak.analysis.hardening.checks import why as _why
from firebreak.analysis.identity.protection import ON, P1, P2
from firebreak.model.check import Check
from firebreak.model.finding import NotLookedAt
from firebreak.model.identity import AccessPolicy, Administrators, SignIns, TenantProtection

STEP: Final = "investigate.sign_in_rules"
REPORTS: Final = "enabledForReportingButNotEnforced"
_OLD = (
    "authenticated smtp", "autodiscover", "exchange activesync", "exchange online powershell", "exchange web services", "imap", "imap4",
    "mapi over http", "offline address book", "other clients", "outlook anywhere (rpc over http)", "pop", "pop3", "reporting web services",
)  # fmt: skip
_STATES = {ON: "enforced", REPORTS: "only reports"}
_OLD_CLIENTS = {"exchangeActiveSync", "other"}


def asks_everybody(policy: AccessPolicy) -> bool:
    """Whether a policy, when enforced, asks all people for a second factor in every application; exceptions aside."""
    wants = bool(policy.strength) or "mfa" in policy.controls
    alone = not (policy.any_control and len(policy.controls) > 1)
    plain = not (policy.narrowed or policy.user_risk or policy.sign_in_risk)
    return wants and alone and plain and "All" in policy.users and "All" in policy.applications


def shuts_old_protocols(policy: AccessPolicy) -> bool:
    """Whether a policy, when enforced, blocks for all people the protocols that know no second factor."""
    plain = not (set(policy.narrowed) - {"clients"} or policy.user_risk or policy.sign_in_risk)
    return "block" in policy.controls and set(policy.clients) >= _OLD_CLIENTS and "All" in policy.users and plain


def answers_sign_in_risk(policy: AccessPolicy) -> bool:
    return _answers_risk(policy) and "high" in policy.sign_in_risk and not policy.user_risk


def answers_user_risk(policy: AccessPolicy) -> bool:
    return _answers_risk(policy) and "high" in policy.user_risk and not policy.sign_in_risk


def _answers_risk(policy: AccessPolicy) -> bool:
    asks = {"mfa", "block", "passwordChange"} & set(policy.controls) or policy.strength
    return bool(asks) and not policy.narrowed and "All" in policy.users and "All" in policy.applications


def emergency_of(protection: TenantProtection | None, named: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Object ids of the people and groups that must get in when everything else fails.

    Those that the operator or the playbook protects by name, and the groups that every enforced policy for all people or for administrators
    excepts: that is how a tenant marks its emergency accounts. People excepted one by one are not taken over: an intruder excepts himself so.
    """
    enforced = [
        policy
        for policy in (protection.policies if protection else None) or ()
        if policy.state == ON and ("All" in policy.users or policy.roles)
    ]
    groups = [
        {one.removeprefix("group ") for one in policy.excluded if one.startswith("group ")} for policy in enforced
    ]
    shared = set.intersection(*groups) if len(groups) > 1 else set()
    return tuple(sorted({one.lower() for one in named})), tuple(sorted(shared))


def old_clients_of(sign_ins: SignIns | None) -> dict[str, int] | None:
    """Old protocols that somebody signed in by successfully, with how often; None when the sign-ins were not read as a whole."""
    if sign_ins is None or (not sign_ins.records and sign_ins.not_looked_at):
        return None
    counted: Counter[str] = Counter()
    for one in sign_ins.sign_ins:
        if one.result == "succeeded" and one.client.lower() in _OLD:
            counted[one.client] += one.count
    return dict(sorted(counted.items()))


def checks_of(
    protection: TenantProtection | None,
    administrators: Administrators | None,
    emergency: Sequence[str],
    old_clients: dict[str, int] | None,
    *,
    notes: Sequence[NotLookedAt],
) -> tuple[Check, ...]:
    """The checks of rows S64, S86 and S87."""
    return (
        _policies(
            "S86",
            "second-factor",
            "Everybody is asked for a second factor at sign-in",
            protection,
            asks_everybody,
            notes,
            by_defaults=True,
            advice="This run proposes for approval a policy that first only reports whom it would stop, or security defaults.",
        ),
        _policies(
            "S86",
            "old-protocols",
            "Protocols that know no second factor are shut",
            protection,
            shuts_old_protocols,
            notes,
            by_defaults=True,
            advice="Block legacy authentication by a policy for all people; ask first who still signs in by it.",
        ),
        _old(old_clients, notes),
        _registered(administrators, notes),
        check(
            STEP,
            "S64",
            "emergency-accounts",
            "Accounts for an emergency are named and stay out of sign-in rules",
            holds=None if protection is None or protection.policies is None else bool(emergency),
            reason=_why(notes, "conditional access policies")
            if protection is None or protection.policies is None
            else f"{len(emergency)} accounts or groups are kept out of new rules."
            if emergency
            else "None is protected by name, and no group is excepted from every enforced policy: a wrong rule would shut everybody out.",
            evidence=[f"object id {one}" for one in emergency],
            advice="Keep two accounts with long passwords and keys in a safe; tell the operator of Firebreak their object ids, so that its rules leave them out.",
        ),
        _risk(
            protection,
            answers_sign_in_risk,
            "sign-in-risk",
            "Sign-ins that look stolen are stopped or asked again",
            notes,
        ),
        _risk(
            protection,
            answers_user_risk,
            "user-risk",
            "Accounts that look taken over have to change their password",
            notes,
        ),
    )


def _policies(
    row: str,
    name: str,
    title: str,
    protection: TenantProtection | None,
    fits: Callable[[AccessPolicy], bool],
    notes: Sequence[NotLookedAt],
    *,
    by_defaults: bool,
    advice: str,
) -> Check:
    if by_defaults and protection is not None and protection.security_defaults:
        reason = "Security defaults are on: Microsoft asks everybody, and shuts the old protocols."
        return check(STEP, row, name, title, holds=True, reason=reason)
    if protection is None or protection.policies is None or (by_defaults and protection.security_defaults is None):
        reason = _why(notes, "conditional access policies", "security defaults")
        return check(STEP, row, name, title, holds=None, reason=reason, advice=advice)
    fitting = [policy for policy in protection.policies if fits(policy)]
    enforced = [policy for policy in fitting if policy.state == ON]
    reporting = [policy for policy in fitting if policy.state == REPORTS]
    if enforced:
        reason = (
            f"An enforced policy does it; {len(enforced[0].excluded)} people, groups or roles are excepted from it."
        )
    elif reporting:
        reason = f"{shown(reporting[0].name, 100)} only reports whom it would stop; nobody is stopped."
    else:
        reason = f"None of {len(protection.policies)} conditional access policies does it for everybody."
    seen = [
        f"{policy.name} ({_STATES.get(policy.state, policy.state)}; excepted: {listed(policy.excluded) or 'nobody'})"
        for policy in enforced or reporting
    ]
    if reporting and not enforced:
        advice = "Read what the policy reports for a week or two, mend what it would stop, then switch it on."
    return check(STEP, row, name, title, holds=bool(enforced), reason=reason, evidence=seen, advice=advice)


def _risk(
    protection: TenantProtection | None,
    fits: Callable[[AccessPolicy], bool],
    name: str,
    title: str,
    notes: Sequence[NotLookedAt],
) -> Check:
    if protection is not None and protection.has_plan(*P2) is False:
        reason = "Not looked at: the tenant has no licence for it. Rules on risk need Entra ID P2."
        advice = "Decide whether to buy Entra ID P2, at least for administrators. Without it nobody judges risk."
        return check(STEP, "S87", name, title, holds=None, reason=reason, advice=advice)
    advice = "This run proposes for approval a policy that first only reports whom it would stop."
    return _policies("S87", name, title, protection, fits, notes, by_defaults=False, advice=advice)


def _old(old_clients: dict[str, int] | None, notes: Sequence[NotLookedAt]) -> Check:
    total = sum((old_clients or {}).values())
    return check(
        STEP,
        "S86",
        "old-sign-ins",
        "Nobody signs in by a protocol that knows no second factor",
        holds=None if old_clients is None else not total,
        reason=_why(notes, "sign-ins", "interactive sign-ins")
        if old_clients is None
        else f"{total} sign-ins by old protocols in the weeks that the log tells of."
        if total
        else "No sign-in by an old protocol stands out in the weeks that the log tells of.",
        evidence=[f"{client}: {count}" for client, count in (old_clients or {}).items()],
        advice="Find the programs and devices behind them (printers, old mail programs) and give them a modern way before the rule is enforced.",
    )


def _registered(administrators: Administrators | None, notes: Sequence[NotLookedAt]) -> Check:
    people = [
        one
        for one in (administrators.administrators if administrators else ())
        if one.kind == "user" and one.enabled is not False
    ]
    without = [one for one in people if one.mfa_registered is False]
    unknown = [one for one in people if one.mfa_registered is None]
    holds = False if without else None if unknown or not people else True
    if without:
        reason = f"{len(without)} of {len(people)} administrators have no second factor registered."
    elif unknown:
        reason = f"Not looked at: of {len(unknown)} of {len(people)} administrators it is not known. {_why(notes, 'registration of second factors')}"
    elif not people:
        reason = _why(notes, "holders of directory roles", "accounts of administrators")
    else:
        reason = f"All {len(people)} administrators have one registered."
    return check(
        STEP,
        "S64",
        "administrators-registered",
        "Every administrator has a second factor registered",
        holds=holds,
        reason=reason,
        evidence=[f"{one.name} ({one.id})" for one in without or unknown],
        advice="Have each of them register one now, seen by somebody who knows them; before that a rule shuts them out.",
    )


def needs_licence(protection: TenantProtection, *, risk: bool) -> bool | None:
    """Whether the tenant lacks what conditional access (P1), or one on risk (P2), needs; None when its licences were not read."""
    held = protection.has_plan(*(P2 if risk else P1))
    return None if held is None else not held
