"""Entra tokens that an action group's secured webhook shows: signature, audience, issuer, tenant and who asks. Pure.

https://learn.microsoft.com/azure/azure-monitor/alerts/action-groups#configure-authentication-for-secure-webhook
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from firebreak.errors import NotAuthenticError


def key_id(token: str) -> str:
    """The id of the key that a token says it is signed with.

    Raises:
        NotAuthenticError: it is no token, or of an algorithm that is not accepted.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise NotAuthenticError("The bearer token is no token.") from error
    if header.get("alg") != "RS256" or not isinstance(header.get("kid"), str):
        raise NotAuthenticError("The bearer token is not signed with RS256 and a named key.")
    return str(header["kid"])


def check_token(
    token: str, key: Mapping[str, Any], *, audience: str, tenant: str, login: str, applications: Sequence[str]
) -> None:
    """Check a token with the key of the tenant that its header names.

    Raises:
        NotAuthenticError: says what is wrong, never the token.
    """
    issuers = [f"https://sts.windows.net/{tenant}/", f"{login}/{tenant}/v2.0"]
    try:
        claims = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm="RS256"),
            algorithms=["RS256"],
            audience=audience,
            issuer=issuers,
            leeway=60,
            options={"require": ["exp", "iat", "nbf", "aud", "iss"]},
        )
    except jwt.PyJWTError as error:
        raise NotAuthenticError(f"The bearer token is not accepted ({type(error).__name__}).") from error
    if str(claims.get("tid", "")).lower() != tenant.lower():
        raise NotAuthenticError("The bearer token is of another tenant.")
    if str(claims.get("azp") or claims.get("appid") or "").lower() not in {one.lower() for one in applications}:
        raise NotAuthenticError("The bearer token is of an application that may not deliver.")
