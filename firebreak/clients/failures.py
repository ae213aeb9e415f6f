"""A failed exchange becomes an error of the tree: what was asked, what the service said, its request id, what to do next."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply
from firebreak.clients.policies.redaction import shown, shown_url
from firebreak.clients.policies.waits import asked_wait
from firebreak.errors import (
    CredentialError,
    MissingPermissionError,
    RejectedError,
    RemoteError,
    ResponseError,
    SecondFactorError,
    ThrottledError,
    UncertainError,
    UnreachableError,
)

# 403 that is no missing permission: the service refuses the thing itself.
_POLICY_CODES = frozenset(
    {
        *("requestdisallowedbypolicy", "requestdisallowedbyazure", "900159", "900115"),
        *("disallowedoperation", "readonlydisabledsubscription"),
    }
)

# 404 that does not mean "nothing there" but "asked the wrong way" or "not visible to this identity".
_NOT_ABSENT = frozenset(
    {
        "subscriptionnotfound",
        "invalidsubscriptionid",
        "invalidresourcetype",
        "invalidresourcenamespace",
        "noregisteredproviderfound",
        "resourcetypenotfound",
        "tenantnotfound",
        "missingapiversionparameter",
        "invalidapiversionparameter",
        "resourceprovidernotregistered",
    }
)

_HINTS: Mapping[str, str] = {
    "scopelocked": "A lock forbids it; removing a lock is a step of its own.",
    "requestdisallowedbypolicy": "An Azure Policy assignment denies it; its name is in the message.",
    "missingsubscriptionregistration": "The resource provider is not registered in this subscription; Firebreak never registers one by itself.",
    "operationnotallowed": "Quota, or the state of the target, does not allow it; read the target again.",
    "anotheroperationinprogress": "Another change is under way; read the target again, then retry.",
    "readonlydisabledsubscription": "The subscription is disabled: it can be read and emptied, not changed.",
    "subscriptionnotfound": "The identity does not see this subscription: check the tenant, the delegated access and the role.",
    "expiredauthenticationtoken": "Sign in again; check the clock of this machine.",
    "invalidauthenticationtokentenant": "FIREBREAK_CREDENTIAL__TENANT_ID is not the tenant of this subscription.",
    "authentication_requestfromnonpremiumtenantorb2ctenant": "The tenant has no Entra ID P1 or P2 licence, which this report needs.",
    "900420": "The token's audience is retired: check FIREBREAK_CLOUD__PARTNER_CENTER_AUDIENCE.",
    "requestdisallowedbyazure": "Azure itself does not allow it, whatever the role; its reason is in the message.",
    "900329": "Partner Center takes no app-only token here: use the secure application model (FIREBREAK_CREDENTIAL__KIND).",
    "900308": "A role is missing: in Partner Center (Admin agent), or in the customer's delegated relationship (GDAP) for a group that the user is in.",
    "authorization_requestdenied": "A permission of Microsoft Graph is missing, or, for a partner's user, a role in the customer's delegated relationship (GDAP).",
    "900309": "Conditional Access blocked the sign-in; a person must look.",
    "900159": "This partner has no commerce relationship with that customer: wrong customer id, or an indirect reseller.",
    "900115": "Cancel the Azure subscriptions beneath the plan first.",
    "900278": "An operation is pending; Partner Center asks to wait 24 hours.",
    "800111": "The entitlement was not found; resolve it again by the Azure subscription id.",
    "2055": "The resource changed since it was read; read it again.",
    "snapshotspresent": "The blob has snapshots, which would be deleted with it.",
    "leaseidmissing": "The blob is leased: a machine or a person still uses it.",
    "conditionnotmet": "The blob changed since it was read; read it again.",
}

_SECOND_FACTOR = (
    "No second factor stands behind the consent. A person consents anew: firebreak credentials consent, and signs in with a second factor. "
    "Retrying does not help."
)
_CLAIMS = re.compile(r'claims="([A-Za-z0-9+/=_-]{1,4000})"')

_XML_CODE = re.compile(rb"<Code>([^<]{1,200})</Code>")
_XML_MESSAGE = re.compile(rb"<Message>([^<]{1,2000})</Message>")


def said(reply: Reply) -> tuple[str, str]:
    """Return (code, message) of an error body in any of the shapes that Azure, Partner Center, Graph and storage use; hostile text."""
    code = _XML_CODE.search(reply.content[:8000])
    if code:
        message = _XML_MESSAGE.search(reply.content[:8000])
        return shown(code.group(1).decode("utf-8", "replace"), 100), shown(
            message.group(1).decode("utf-8", "replace") if message else ""
        )
    try:
        document = reply.json()
    except ValueError:
        return "", shown(reply.content[:200].decode("utf-8", "replace"))
    inner = _lowered(document)
    if isinstance(inner.get("error"), dict):
        inner = _lowered(inner["error"])
    elif isinstance(inner.get("odata.error"), dict):
        inner = _lowered(inner["odata.error"])
    text: Any = inner.get("message") or inner.get("description") or inner.get("error_description") or ""
    if isinstance(text, dict):
        text = text.get("value", "")
    code_text = (
        inner.get("code")
        or inner.get("statuscode")
        or (inner.get("error") if isinstance(inner.get("error"), str) else "")
    )
    return shown(str(code_text or ""), 100), shown(str(text))


def is_absent(reply: Reply) -> bool:
    """Whether a 404 means that the thing is not there, rather than that it cannot be seen or was asked for wrongly."""
    return reply.status == 404 and said(reply)[0].lower() not in _NOT_ABSENT


def error_of(call: Call, reply: Reply) -> ResponseError:
    """Return the error for an answer that is no success."""
    code, message = said(reply)
    asked = _asked(call)
    request_id = shown(reply.request_id, 100)
    told = f"{reply.status} {code}".strip() + (f": {message}" if message else "")
    trace = f" (request {request_id})" if request_id else ""
    hint = _HINTS.get(code.lower(), "")
    fields: dict[str, Any] = {"status": reply.status, "remote_code": code, "request_id": request_id}
    if reply.status == 401 and (code == "900421" or _wants_second_factor(reply)):
        return SecondFactorError(
            f"{asked} was refused for want of a second factor with {told}{trace}.", hint=_SECOND_FACTOR
        )
    if reply.status == 401:
        return CredentialError(
            f"{asked} was refused with {told}{trace}.",
            hint=hint or "The token was not accepted; run 'firebreak doctor'.",
        )
    if reply.status == 403 and code.lower() not in _POLICY_CODES:
        return MissingPermissionError(
            f"{asked} was refused with {told}{trace}.",
            hint=hint or "Give the identity the role that allows it; run 'firebreak doctor'.",
            remote_code=code,
        )
    if reply.status == 429:
        wait = asked_wait(reply.headers)
        return ThrottledError(
            f"{asked} was throttled with {told}{trace}.",
            hint=f"The service asks to wait {wait:g} s." if wait else "Wait a while and run it again.",
            **fields,
        )
    if reply.status >= 500 or reply.status == 408:
        if call.is_read:
            return RemoteError(
                f"{asked} failed with {told}{trace}.", hint=hint or "The service is in trouble; run it again.", **fields
            )
        return UncertainError(
            f"{asked} ended with {told}{trace}; it may have had effect.",
            hint="Read the target before sending again.",
            **fields,
        )
    if 300 <= reply.status < 400:
        hint = "Redirects are never followed; check the address of the service in the settings."
    return RejectedError(
        f"{asked} was rejected with {told}{trace}.", hint=hint or "Nothing was changed by it.", **fields
    )


def _wants_second_factor(reply: Reply) -> bool:
    """Whether a 401 challenges for a stronger sign-in (`acrs`) rather than a newer token (`nbf`).

    https://learn.microsoft.com/entra/identity-platform/claims-challenge
    """
    challenge = reply.headers.get("WWW-Authenticate") or ""
    found = _CLAIMS.search(challenge)
    if "insufficient_claims" not in challenge or found is None:
        return False
    encoded = found.group(1).replace("-", "+").replace("_", "/")
    try:
        return b'"acrs"' in base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    except (ValueError, binascii.Error):
        return False


def object_of(call: Call, reply: Reply) -> dict[str, Any]:
    """Return the JSON object of a successful answer.

    Raises:
        ResponseError: no success, or no JSON object.
    """
    if reply.status >= 300:
        raise error_of(call, reply)
    try:
        document = reply.json()
    except ValueError as exc:
        raise unreadable(call, "no JSON") from exc
    if not isinstance(document, dict):
        raise unreadable(call, f"JSON of the wrong kind (status {reply.status})")
    return document


def error_below(call: Call, exc: NotSentError | NoAnswerError) -> ResponseError:
    """Return the error for an exchange that got no answer."""
    asked = _asked(call)
    if isinstance(exc, NotSentError):
        ca = " Check FIREBREAK_CLOUD__CA_BUNDLE." if "TLS" in str(exc) else ""
        return UnreachableError(
            f"{asked} was not sent: {exc}.", hint=f"Check the network and the address in the settings.{ca}"
        )
    if call.is_read:
        return RemoteError(f"{asked} got no answer: {exc}.", hint="Nothing was changed; run it again.")
    return UncertainError(
        f"{asked} was sent, but got no answer: {exc}.",
        hint="It may have had effect: read the target before sending again.",
    )


def unreadable(call: Call, why: str) -> RemoteError:
    """Return the error for an answer that is not what its contract says; never to be taken for an empty one."""
    return RemoteError(
        f"{_asked(call)} answered something unreadable: {why}.", hint="The raw answer is in the evidence."
    )


def _asked(call: Call) -> str:
    address, _, query = shown_url(call.url).partition("?")
    interesting = "" if not query or (query.startswith("api-version=") and "&" not in query) else f"?{query[:120]}"
    return f"{call.method} {address}{interesting}"


def _lowered(document: Any) -> dict[str, Any]:
    return {str(key).lower(): value for key, value in document.items()} if isinstance(document, dict) else {}
