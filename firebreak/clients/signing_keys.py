"""The keys that a tenant of Entra signs its tokens with, from the sign-in endpoint of the settings.

https://learn.microsoft.com/entra/identity-platform/signing-key-rollover
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx

from firebreak.clients.transports import trust
from firebreak.errors import NotAuthenticError, UnreachableError
from firebreak.settings import Settings

_KEEP_SECONDS = 24 * 3600.0
_AGAIN_SECONDS = 60.0
_SECONDS = 5.0
_LARGEST = 512 * 1024


class SigningKeys:
    """Keys by id for one tenant; fetched once a day, and when an id is not known, at most once a minute. Belongs to one event loop."""

    def __init__(self, settings: Settings, tenant: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{settings.cloud.login}/{tenant}/discovery/v2.0/keys"
        self._trusted = trust(settings.cloud.ca_bundle)
        self._monotonic = monotonic
        self._keys: dict[str, dict[str, Any]] = {}
        self._fetched: float | None = None
        self._turn = asyncio.Lock()

    async def get(self, key: str) -> dict[str, Any]:
        """Return a key as JWK.

        Raises:
            NotAuthenticError: the tenant has none of this id.
            UnreachableError: the keys cannot be fetched now.
        """
        async with self._turn:
            age = None if self._fetched is None else self._monotonic() - self._fetched
            if age is None or age > _KEEP_SECONDS or (key not in self._keys and age > _AGAIN_SECONDS):
                self._keys = await self._fetch()
                self._fetched = self._monotonic()
        if key not in self._keys:
            raise NotAuthenticError("The bearer token is signed with a key that its tenant does not have.")
        return self._keys[key]

    async def _fetch(self) -> dict[str, dict[str, Any]]:
        try:
            async with httpx.AsyncClient(verify=self._trusted, timeout=_SECONDS, follow_redirects=False) as client:
                answer = await client.get(self._url)
            if answer.status_code != 200 or len(answer.content) > _LARGEST:
                raise UnreachableError(f"{self._url} answered {answer.status_code}.", hint="Come again.")
            rows = answer.json().get("keys")
        except (httpx.HTTPError, ValueError, AttributeError) as error:
            raise UnreachableError(
                f"{self._url} cannot be read ({type(error).__name__}).", hint="Come again."
            ) from error
        found = rows if isinstance(rows, list) else []
        return {
            str(row["kid"]): row for row in found if isinstance(row, dict) and row.get("kty") == "RSA" and "kid" in row
        }
