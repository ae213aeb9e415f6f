"""The secure application model: tokens from one refresh token, for any tenant the partner's user may act in.

azure-identity has no such credential. The refresh token is replaced with every use; the newest one is kept in memory and handed to `rotated`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from firebreak.clients.policies.exchange import decode
from firebreak.clients.policies.redaction import know_secret

_RENEW_BEFORE_SECONDS = 300


class RefreshToken:
    """The one refresh token of a user and application, shared by the credentials of all tenants."""

    def __init__(self, value: str, rotated: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._value = value
        self._rotated = rotated

    @property
    def value(self) -> str:
        return self._value

    async def replace(self, value: str) -> None:
        if value != self._value:
            know_secret(value)
            self._value = value
            if self._rotated:
                await self._rotated(value)

    def __repr__(self) -> str:
        return "RefreshToken(...)"


class RefreshTokenCredential:
    """A token credential for one tenant. Tokens are kept until five minutes before they run out."""

    def __init__(
        self,
        *,
        login: str,
        tenant_id: str,
        client_id: str,
        client_secret: str,
        refresh_token: RefreshToken,
        transport: httpx.AsyncBaseTransport,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url = f"{login}/{tenant_id}/oauth2/v2.0/token"
        self._client_id = client_id
        self._client_secret = client_secret
        self._refresh_token = refresh_token
        self._client = httpx.AsyncClient(transport=transport, follow_redirects=False, timeout=30)
        self._now = now
        self._tokens: dict[tuple[str, ...], AccessTokenInfo] = {}
        self._lock = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for `scopes`; `claims` in the options force a new one.

        Raises:
            ClientAuthenticationError: the authority refused.
            ServiceRequestError, ServiceResponseError: it was not reached, or did not answer.
        """
        claims = (options or {}).get("claims")
        async with self._lock:
            kept = self._tokens.get(scopes)
            if kept and not claims and kept.expires_on - self._now() > _RENEW_BEFORE_SECONDS:
                return kept
            token = await self._redeem(scopes, claims)
            self._tokens[scopes] = token
            return token

    async def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        info = await self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(info.token, info.expires_on)

    async def close(self) -> None:
        await self._client.aclose()

    async def __aenter__(self) -> RefreshTokenCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _redeem(self, scopes: tuple[str, ...], claims: str | None) -> AccessTokenInfo:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "refresh_token": self._refresh_token.value,
            "scope": " ".join((*scopes, "offline_access")),
        }
        if claims:
            form["claims"] = claims
        try:
            answer = await self._client.post(self._url, data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as exc:
            raise ServiceRequestError("the token endpoint was not reached", error=exc) from exc
        except httpx.TransportError as exc:
            raise ServiceResponseError("the token endpoint did not answer", error=exc) from exc
        document = _document(answer)
        if answer.status_code != 200 or not isinstance(document.get("access_token"), str):
            raise ClientAuthenticationError(
                f"{document.get('error') or answer.status_code}: {document.get('error_description') or 'no token in the answer'}"
            )
        renewed = document.get("refresh_token")
        if isinstance(renewed, str) and renewed:
            await self._refresh_token.replace(renewed)
        return AccessTokenInfo(document["access_token"], int(self._now()) + int(document.get("expires_in") or 3600))


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = decode(answer.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
