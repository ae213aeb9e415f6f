"""One record of the sign-in log as Graph gives it, read tolerantly. Document in, `Record` out; what it means is decided elsewhere."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.events import address_of

INTERACTIVE, BACKGROUND, APPLICATION, MANAGED = "interactive", "background", "application", "managed"
SUCCEEDED, STOPPED, FAILED = "succeeded", "stopped", "failed"

_KINDS = {
    "interactiveuser": INTERACTIVE,
    "noninteractiveuser": BACKGROUND,
    "serviceprincipal": APPLICATION,
    "managedidentity": MANAGED,
}
# The password (or token) was right, and Entra asked for more or forbade it. Most are everyday steps of one sign-in and no failures.
# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
SECOND_FACTOR_ASKED = frozenset({50072, 50074, 50076, 50079, 50158, 50131, 53004})
FORBIDDEN = frozenset({53000, 53001, 53002, 53003, 530003, 530021, 530032, 530034, 50105})
REFUSED_BY_USER = frozenset({500121})  # the second factor was asked for and not given: refused, ignored or wrong
_EVERYDAY = frozenset(
    {
        50055,
        50058,
        50097,
        50125,
        50129,
        50133,
        50140,
        50144,
        50173,
        50199,
        16000,
        16001,
        16003,
        65001,
        65004,
        70043,
        70044,
    }
    | {81010, 81012, 81014, 700082}
)
# Somebody did not know the password, or the account was shut after such tries.
WRONG_PASSWORD = frozenset({50126, 50053, 50034, 50056, 51004, 50059})
_VERSION = re.compile(r"[\d.]+.*$")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in. `device` is the kind of device without versions, such as `Windows / Edge`."""

    id: str
    at: datetime
    kind: str
    who: str
    principal_id: str
    result: str
    error: int = 0
    guest: bool = False
    home_tenant: str = ""
    address: str = ""
    network: int = 0
    country: str = ""
    city: str = ""
    app: str = ""
    app_id: str = ""
    resource: str = ""
    resource_id: str = ""
    client: str = ""
    protocol: str = ""
    device_id: str = ""
    device: str = ""
    managed: bool = False
    factor: str = ""
    risk: str = ""
    credential_id: str = ""
    token: str = ""

    @property
    def is_person(self) -> bool:
        return self.kind in (INTERACTIVE, BACKGROUND)

    @property
    def device_key(self) -> str:
        return self.device_id or self.device


def read_sign_in(document: Any, *, kind: str = INTERACTIVE) -> Record | None:
    """Read one record; None without a time or an identity. `kind` is what was asked for, where the record does not say."""
    at = doc.moment(doc.field(document, "createdDateTime"))
    said = [str(one).lower() for one in doc.items(document, "signInEventTypes")]
    kind = next((_KINDS[one] for one in said if one in _KINDS), kind)
    person = kind in (INTERACTIVE, BACKGROUND)
    principal = doc.text(document, "userId" if person else "servicePrincipalId").lower()
    name = doc.text(document, "userPrincipalName") if person else doc.text(document, "servicePrincipalName")
    name = name or doc.text(document, "userDisplayName" if person else "appDisplayName")
    if at is None or not (principal or name):
        return None
    error = doc.whole(document, "status", "errorCode")
    home, here = doc.text(document, "homeTenantId").lower(), doc.text(document, "resourceTenantId").lower()
    return Record(
        id=doc.text(document, "id"),
        at=at,
        kind=kind,
        who=name or principal,
        principal_id=principal,
        result=result_of(error),
        error=error,
        guest=doc.text(document, "userType").lower() in ("guest", "external"),
        home_tenant=home if home and here and home != here else "",
        address=address_of(doc.text(document, "ipAddress")),
        network=doc.whole(document, "autonomousSystemNumber"),
        country=doc.text(document, "location", "countryOrRegion").upper(),
        city=doc.text(document, "location", "city"),
        app=doc.text(document, "appDisplayName"),
        app_id=doc.text(document, "appId").lower(),
        resource=doc.text(document, "resourceDisplayName"),
        resource_id=doc.text(document, "resourceId").lower(),
        client=doc.text(document, "clientAppUsed"),
        protocol=_without_none(doc.text(document, "authenticationProtocol")),
        device_id=doc.text(document, "deviceDetail", "deviceId").lower(),
        device=_device(document),
        managed=doc.field(document, "deviceDetail", "isManaged") is True
        or doc.field(document, "deviceDetail", "isCompliant") is True,
        factor=_factor(document),
        risk=_risk(document),
        credential_id=doc.text(document, "servicePrincipalCredentialKeyId").lower(),
        token=doc.text(document, "uniqueTokenIdentifier"),
    )


def result_of(error: int) -> str:
    """What an error number says of the first factor: succeeded, stopped (it was right) or failed."""
    if error == 0:
        return SUCCEEDED
    return STOPPED if error in SECOND_FACTOR_ASKED | FORBIDDEN | REFUSED_BY_USER | _EVERYDAY else FAILED


def _device(document: Any) -> str:
    parts = [doc.text(document, "deviceDetail", name) for name in ("operatingSystem", "browser")]
    kinds = [_VERSION.sub("", part).strip() or part.strip() for part in parts]
    return " / ".join(kind for kind in kinds if kind)


def _factor(document: Any) -> str:
    said = doc.text(document, "authenticationRequirement").lower()
    return {"multifactorauthentication": "multi", "singlefactorauthentication": "single"}.get(said, "")


def _risk(document: Any) -> str:
    """The gravest level that the record names; `hidden` when the licence keeps it back."""
    if doc.text(document, "riskState").lower() == "confirmedcompromised":
        return "high"
    if doc.text(document, "riskState").lower() in ("dismissed", "confirmedsafe", "remediated"):
        return ""
    levels = {doc.text(document, name).lower() for name in ("riskLevelDuringSignIn", "riskLevelAggregated")}
    return next((level for level in ("high", "medium", "low", "hidden") if level in levels), "")


def _without_none(value: str) -> str:
    return "" if value.lower() == "none" else value
