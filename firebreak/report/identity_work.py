"""What people have to do about identities: nothing there is changed by a run, so each grave finding becomes an item with an instruction.

Findings of the identity review in, (about, sentence) out, the most urgent first: shut the ways back in, then reset, then put back.
"""

from __future__ import annotations

from collections.abc import Iterable

from firebreak.model.finding import Finding, Severity
from firebreak.report.hostile import plain

_LEAST = (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_MOST = 30
# By the rule that a finding's id begins with, in the order of urgency: {who} is its actor, {place} its address.
_WORK: tuple[tuple[str, str], ...] = (
    (
        "recovery-changed",
        "Remove the new ways back into {who} before its password is reset: whoever holds them gets in again.",
    ),
    (
        "mfa-methods-by-admin",
        "Check the sign-in methods that {who}{place} registered for others, and remove what their owners do not know.",
    ),
    ("mfa-disabled", "Turn the second factor on again that {who}{place} turned off."),
    ("user-sign-in-changed", "Check what {who}{place} changed of how users sign in, and put it back."),
    (
        "federation-changed",
        "Check the domain and federation settings that {who}{place} changed: with a federation of their own an intruder signs in as anybody.",
    ),
    ("issuer-new", "Remove the outside issuer from the application {who} unless its owner knows it."),
    (
        "credential-new",
        "Remove the new credential of the application {who} unless its owner made it; disable the application first if in doubt.",
    ),
    (
        "application-sign-in",
        "Ask the owner of the application {who} about its sign-in{place}; disable it if nobody knows.",
    ),
    (
        "app-credential",
        "Remove the credentials that {who}{place} added to applications, unless a change explains them.",
    ),
    ("privileged-role-new", "Take the new privileged role from {who} unless a change explains it."),
    ("directory-role", "Take back the roles of the directory that {who}{place} gave, unless a change explains them."),
    ("role-outside-pim", "Take back the roles of the directory that {who}{place} gave, unless a change explains them."),
    ("right-new", "Take back the rights that the application {who} was given, unless a change explains them."),
    ("app-consent", "Take back the rights that {who}{place} gave to applications, unless a change explains them."),
    ("app-owner", "Remove the owners that {who}{place} added to applications, unless a change explains them."),
    ("guest-invited", "Ask {who} about the guests invited{place}; disable those that nobody knows."),
    (
        "unfamiliar-sign-in",
        "Ask {who} by telephone about the sign-in{place}. If it was somebody else: disable, revoke the sessions, reset the password, revoke again.",
    ),
    ("password-guessed", "Reset the password of {who}, which was guessed{place}, and revoke the sessions."),
    ("password-spray", "Reset the password of {who}, and look who else signed in{place}."),
    ("factor-worn-out", "Reset the password of {who}, which is known to somebody{place}, and revoke the sessions."),
    ("password-known", "Reset the password of {who}, which is known to somebody{place}."),
    ("token-used-elsewhere", "Ask {who} whether they worked{place}; revoke the sessions if not."),
    (
        "identity-at-risk",
        "Handle the risk of {who} in Identity Protection: reset the credentials, then clear the risk.",
    ),
    ("password-reset", "Ask {who} about the passwords of others that were set{place}."),
    ("access-policy", "Put back the conditional access policies that were changed{place}, with who is excepted."),
    (
        "location-in-window",
        "Check the addresses of the named locations that were written, and remove those that nobody knows.",
    ),
    ("named-location-changed", "Check the addresses of the named locations that {who}{place} wrote."),
    (
        "security-defaults-off",
        "Check the settings of the tenant that {who}{place} changed; security defaults ask everybody for a second factor.",
    ),
    ("delegated-new", "Ask who agreed to the delegated relationship of the window, and end it if nobody did."),
)


def identity_work(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    """What to do about grave findings on identities, each once; names are made plain. `about` is what tells one item from another."""
    found: dict[tuple[int, str], str] = {}
    for finding in findings:
        if finding.severity not in _LEAST:
            continue
        for order, (rule, text) in enumerate(_WORK):
            if finding.id.startswith(rule):
                who = plain(finding.actor, 80) or "an account that the log does not name"
                place = f" from {plain(finding.address, 60)}" if finding.address else ""
                found.setdefault((order, text.format(who=who, place=place)), finding.id)
                break
    ordered = sorted(found.items())
    items = [(about, text) for (_, text), about in ordered[:_MOST]]
    if len(ordered) > _MOST:
        items.append(
            ("more", f"{len(ordered) - _MOST} further findings about identities ask for work: see the findings.")
        )
    return items
