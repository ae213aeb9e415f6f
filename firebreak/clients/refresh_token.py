"""The secure application model: tokens from one refresh token, for any tenant the partner's user may act in.

azure-identity has no such credential; this one stands on MSAL. The refresh token is replaced with every use, and the new one is in its place before
the access token that came with it is used. https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import ClientAuthenticationError

from firebreak.clients.msal_applications import MsalApplications
from firebreak.clients.policies.redaction import know_secret
from firebreak.clients.refresh_token_store import RefreshTokenStore
from firebreak.errors import AccessError, UnreachableError

LOG = logging.getLogger("firebreak.credentials")
_RENEW_BEFORE_SECONDS = 300


class RefreshToken:
    """The one refresh token of a user and application, shared by the credentials of all tenants."""

    def __init__(self, store: RefreshTokenStore) -> None:
        self._store = store
        self._stored = ""  # what lay in the store when it was last read
        self._unkept = ("", "")  # where the store could not be written: what lies there, and what should

    async def value(self) -> str:
        """The newest token: another process, or a new consent, may have replaced it. Raises as the store's `read`."""
        self._stored = await self._store.read()
        stored, unkept = self._unkept
        newest = unkept if unkept and self._stored == stored else self._stored
        know_secret(newest)
        return newest

    async def renew(self, renewed: str) -> None:
        """Put a renewed token in its place. Where that fails the run goes on: the old one is good for weeks yet, and the doctor says so."""
        know_secret(renewed)
        try:
            await self._store.replace(self._stored, renewed)
            self._unkept = ("", "")
        except (AccessError, UnreachableError) as error:
            self._unkept = (self._stored, renewed)
            LOG.warning("%s %s", error.message, error.hint)

    def __repr__(self) -> str:
        return "RefreshToken(...)"


class RefreshTokenCredential:
    """A token credential for one tenant. Tokens are kept until five minutes before they run out."""

    def __init__(
        self,
        applications: MsalApplications,
        tenant_id: str,
        refresh_token: RefreshToken,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._applications, self._tenant_id, self._refresh_token, self._now = (
            applications,
            tenant_id,
            refresh_token,
            now,
        )
        self._tokens: dict[tuple[str, ...], AccessTokenInfo] = {}
        self._lock = asyncio.Lock()

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token for `scopes`; `claims` in the options force a new one.

        Raises:
            ClientAuthenticationError: the authority refused.
            ServiceRequestError, ServiceResponseError: it was not reached, or did not answer.
            SettingsError, CredentialError, UnreachableError: the refresh token cannot be read.
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
        """The applications belong to whoever made them."""

    async def __aenter__(self) -> RefreshTokenCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _redeem(self, scopes: tuple[str, ...], claims: str | None) -> AccessTokenInfo:
        used = await self._refresh_token.value()
        # MSAL's own parameter for a challenge belongs to its cache, which is not used here; the form field is the same.
        more = {"data": {"claims": json.dumps(json.loads(claims))}} if claims else {}
        answer = await self._applications.call(
            self._tenant_id, lambda app: app.acquire_token_by_refresh_token(used, list(scopes), **more)
        )
        token = token_of(answer)
        renewed = answer.get("refresh_token")
        if isinstance(renewed, str) and renewed and renewed != used:
            await self._refresh_token.renew(renewed)
        return AccessTokenInfo(token, int(self._now()) + int(answer.get("expires_in") or 3600))


def token_of(answer: dict[str, Any]) -> str:
    """Return the access token of MSAL's answer.

    Raises:
        ClientAuthenticationError: the answer is a refusal; the text is the authority's, with its AADSTS number.
    """
    token = answer.get("access_token")
    if isinstance(token, str) and token:
        return token
    raise ClientAuthenticationError(
        f"{answer.get('error') or 'no answer'}: {answer.get('error_description') or 'no token in the answer'}"
    )
