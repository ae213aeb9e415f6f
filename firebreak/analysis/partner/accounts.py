"""Everybody who can sign in to the partner's tenant: second factor registered, possible and asked for; service accounts too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.documents import shown
from firebreak.analysis.identity import rights
from firebreak.analysis.identity.protection import ON, asks_for_second_factor
from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check
from firebreak.model.identity import Administrator, RoleHolding, TenantProtection
from firebreak.model.partner import PartnerAccount

STEP = "investigate.partner_accounts"
SYNC_ROLE = "d29b2b05-8046-44ba-8758-1e26182fcf32"  # Directory Synchronization Accounts
_SYNC_NAMES = ("sync_", "adtoaadsyncserviceaccount")

REGISTERED = Claim(
    id="accounts-registered",
    row="S93",
    step=STEP,
    title="Every account of the partner has a second factor registered, service accounts too",
    advice="Have each of them register one at https://aka.ms/mfasetup; replace accounts of programs by applications; disable what nobody needs.",
)
CAPABLE = Claim(
    id="accounts-capable",
    row="S107",
    step=STEP,
    title="Every account can be asked for a second factor",
    advice="Give each of them a method they can use: an app, a key, or one-time codes on a secured computer.",
)
ASKED = Claim(
    id="accounts-asked",
    row="S93",
    step=STEP,
    title="Something asks every account for the second factor",
    advice="Switch on security defaults, or an access policy for all people and all applications without exceptions but the emergency account.",
)
EXCEPTIONS = Claim(
    id="accounts-excepted",
    row="S93",
    step=STEP,
    title="Nobody but the emergency account is excepted from the policies that ask for a second factor",
    advice="Remove the exceptions one by one; keep one emergency account with a key in a safe and an alarm on its use.",
)


def is_sync(upn: str, roles: Iterable[str] = ()) -> bool:
    """Whether an account synchronises the directory: by its role, else by the name that the tool gives it."""
    return SYNC_ROLE in {role.lower() for role in roles} or upn.lower().startswith(_SYNC_NAMES)


def accounts_of(
    users: Iterable[Any],
    registrations: Mapping[str, Any] | None,
    agents: Iterable[str] | None,
    roles: Mapping[str, tuple[str, ...]],
) -> tuple[PartnerAccount, ...]:
    """The enabled accounts, by name. `registrations` are the report's rows by object id (None: not read), `roles` template ids by holder."""
    members = {one.lower() for one in agents or ()}
    found = []
    for user in users:
        identity = doc.text(user, "id").lower()
        if not identity or doc.field(user, "accountEnabled") is not True:
            continue
        row = (registrations or {}).get(identity)
        held, upn = roles.get(identity, ()), doc.text(user, "userPrincipalName")
        given = doc.field(user, "assignedLicenses")
        found.append(
            PartnerAccount(
                id=identity,
                upn=upn,
                name=doc.text(user, "displayName"),
                is_sync=is_sync(upn, held),
                is_agent=identity in members,
                roles=held,
                registered=_truth(row, "isMfaRegistered"),
                capable=_truth(row, "isMfaCapable"),
                licences=tuple(doc.text(one, "skuId").lower() for one in given) if isinstance(given, list) else None,
            )
        )
    return tuple(sorted(found, key=lambda one: one.upn.lower()))


def checks_of(
    accounts: Sequence[PartnerAccount] | None,
    *,
    why_no_accounts: str,
    why_no_registrations: str,
    protection: TenantProtection | None,
    why_no_protection: str,
) -> list[Check]:
    """The checks on accounts. Empty reasons mean that the thing was read."""
    if accounts is None:
        return [claim.unread(why_no_accounts) for claim in (REGISTERED, CAPABLE, ASKED, EXCEPTIONS)]
    people = [one for one in accounts if not one.is_sync]
    if not people:
        why = "Microsoft listed no account that can sign in, which cannot be."
        return [claim.unread(why) for claim in (REGISTERED, CAPABLE, ASKED, EXCEPTIONS)]
    return [
        _by_report(
            REGISTERED, people, lambda one: one.registered, why_no_registrations, "without a registered second factor"
        ),
        _by_report(
            CAPABLE, people, lambda one: one.capable, why_no_registrations, "that cannot be asked for a second factor"
        ),
        _asked(people, protection, why_no_protection),
        _exceptions(accounts, protection, why_no_protection),
    ]


def _by_report(
    claim: Claim,
    people: Sequence[PartnerAccount],
    said: Callable[[PartnerAccount], bool | None],
    why: str,
    words: str,
) -> Check:
    wrong = [told(one) for one in people if said(one) is False]
    unknown = [told(one) for one in people if said(one) is None]
    failed = f"Accounts {words}: {len(wrong)} of {len(people)}."
    if why:
        return claim.partly(wrong, why, failed=failed)
    if unknown and not wrong:
        return claim.unread(
            f"Microsoft's report does not know {len(unknown)} of {len(people)} accounts yet: {unknown[0]}."
        )
    return claim.judged(wrong, failed=failed, passed=f"Microsoft's report says so of all {len(people)} accounts.")


def _asked(people: Sequence[PartnerAccount], protection: TenantProtection | None, why: str) -> Check:
    if protection is None or (protection.policies is None and protection.security_defaults is not True):
        return ASKED.unread(why)
    answers = {one: asks_for_second_factor(protection, _as_administrator(one)) for one in people}
    wrong = [told(one) for one, asked in answers.items() if asked is False]
    unknown = [told(one) for one, asked in answers.items() if asked is None]
    failed = (
        f"Accounts that are let in with a password alone, because nothing asks for more: {len(wrong)} of {len(people)}."
    )
    if unknown:
        text = f"Of {len(unknown)} accounts it cannot be told, because policies name groups: {unknown[0]} and others."
        return ASKED.partly(wrong, text, failed=failed)
    by = "security defaults" if protection.security_defaults else "access policies"
    return ASKED.judged(wrong, failed=failed, passed=f"All {len(people)} accounts are asked, by {by}.")


def _exceptions(accounts: Sequence[PartnerAccount], protection: TenantProtection | None, why: str) -> Check:
    if protection is None or protection.policies is None:
        return EXCEPTIONS.unread(why)
    names = {one.id: one.upn for one in accounts}
    asking = [p for p in protection.policies if p.state == ON and ("mfa" in p.controls or p.strength)]
    if not asking:
        return EXCEPTIONS.unread("No policy asks for a second factor, so there is nothing yet to be excepted from.")
    wrong = [
        f"{shown(policy.name, 80)} excepts {shown(names.get(one.lower(), one), 100)}"
        for policy in asking
        for one in policy.excluded
    ]
    return EXCEPTIONS.judged(
        wrong,
        failed=f"Exceptions in policies that ask for a second factor: {len(wrong)}. One emergency account is right, more are not.",
        passed=f"None of {len(asking)} such policies excepts anybody.",
    )


def told(one: PartnerAccount) -> str:
    """An account in a line of evidence."""
    extras = [words for words, on in (("admin agent", one.is_agent), (_role(one), bool(one.roles))) if on and words]
    more = f" ({', '.join(extras)})" if extras else ""
    return f"{shown(one.upn or one.id, 100)}{more}"


def _role(one: PartnerAccount) -> str:
    return next((name for role in one.roles if (name := rights.role_name(role))), "")


def _as_administrator(one: PartnerAccount) -> Administrator:
    holdings = tuple(
        RoleHolding(role=role, role_id=role, privileged=rights.is_privileged(role), eligible=False)
        for role in one.roles
    )
    return Administrator(id=one.id, name=one.upn, kind="user", roles=holdings)


def _truth(row: Any, name: str) -> bool | None:
    found = doc.field(row, name)
    return found if isinstance(found, bool) else None
