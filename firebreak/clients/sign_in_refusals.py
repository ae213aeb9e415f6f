"""What a refused sign-in means: Entra's number, where it was refused, and what a person does about it.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import re

from firebreak.clients.policies.redaction import shown
from firebreak.settings import CredentialSettings

_NUMBER = re.compile(r"AADSTS(\d+)")
_CONSENT = "A person consents anew: firebreak credentials consent"
_CONSENT_WITH_MFA = f"{_CONSENT}, and signs in with a second factor."
_CHECK = "Check the FIREBREAK_CREDENTIAL__ settings; 'firebreak doctor' tries each part."
_HINTS = {
    "7000215": "The client secret is wrong: check FIREBREAK_CREDENTIAL__CLIENT_SECRET (the value, not the secret's id).",
    "7000222": "The client secret has run out: make a new one for the application.",
    "7000216": "The application has to prove itself: set FIREBREAK_CREDENTIAL__CLIENT_SECRET.",
    "7000112": "The application is disabled: enable it, or use another one.",
    "700016": "The application is not known in this tenant: check FIREBREAK_CREDENTIAL__CLIENT_ID and the consent.",
    "90002": "The tenant does not exist in this cloud: check FIREBREAK_CREDENTIAL__{setting} and the cloud preset.",
    "700027": "The certificate is not one of the application's.",
    "50034": "The user does not exist in this tenant.",
    "50057": "The account is disabled.",
    "50074": f"A second factor is missing. {_CONSENT_WITH_MFA}",
    "50076": f"A second factor is missing. {_CONSENT_WITH_MFA}",
    "50079": f"A second factor is not set up for the user. {_CONSENT_WITH_MFA}",
    "50158": f"A further check is wanted. {_CONSENT}.",
    "700082": f"The refresh token has run out: it was not used for 90 days. {_CONSENT}.",
    "70043": f"The refresh token has run out by a sign-in frequency policy. {_CONSENT}; exclude the user from that policy.",
    "50173": f"The user's sessions were revoked. {_CONSENT}; keep this user out of containment (FIREBREAK_PROTECTION__PRINCIPALS).",
    "9002313": f"What lies at FIREBREAK_CREDENTIAL__REFRESH_TOKEN is no refresh token. {_CONSENT}.",
    "700007": f"The consent was given to another application: check FIREBREAK_CREDENTIAL__CLIENT_ID, or: {_CONSENT}.",
    "53003": "Conditional Access blocks the sign-in; a person must look at the policies of this tenant.",
    "53000": "Conditional Access wants a managed device; exclude the partner's service user, or its address.",
}
WANT_SECOND_FACTOR = frozenset({"50074", "50076", "50079"})
_OF_CUSTOMERS = {
    "50020": (
        "The partner's user has no way into this tenant: is FIREBREAK_CREDENTIAL__TENANT_ID the customer's, and is there an active delegated "
        "admin relationship (GDAP) with an access assignment for a security group that the user is in?"
    ),
    "65001": (
        "The customer's tenant has not consented to the application: consent through Partner Center (applicationconsents), "
        "or have an administrator of the customer open {login}/{tenant}/adminconsent?client_id={client}"
    ),
}
_OF_CUSTOMERS |= {"90072": _OF_CUSTOMERS["50020"], "50105": _OF_CUSTOMERS["50020"]}


def number_of(text: str) -> str:
    """Entra's number in a refusal, "" without one."""
    found = _NUMBER.search(text)
    return found.group(1) if found else ""


def place_of(own: CredentialSettings, tenant_id: str, login: str, scopes: tuple[str, ...]) -> str:
    """Where somebody signs in, for which service, in words."""
    whose = ""
    if own.partner_tenant_id and own.partner_tenant_id.lower() != own.tenant_id.lower():
        whose = {own.tenant_id.lower(): "the customer's ", own.partner_tenant_id.lower(): "the partner's "}.get(
            tenant_id.lower(), ""
        )
    wanted = f" for {shown(scopes[0].removesuffix('/.default'), 100)}" if scopes else ""
    return f"Signing in to {whose}tenant {tenant_id or '(default)'} at {login}{wanted}"


def hint_for(number: str, own: CredentialSettings, tenant_id: str, login: str) -> str:
    """What to do about a refusal with this number."""
    is_partners = tenant_id.lower() == own.partner_tenant.lower() != own.tenant_id.lower()
    if number in _OF_CUSTOMERS:
        if is_partners:
            return f"In the partner's own tenant: check FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID. {_CONSENT}."
        return _OF_CUSTOMERS[number].format(login=login, tenant=tenant_id, client=own.client_id)
    setting = "PARTNER_TENANT_ID" if is_partners else "TENANT_ID"
    return _HINTS.get(number, _CHECK).replace("{setting}", setting)
