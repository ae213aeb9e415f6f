"""The certificate behind a webhook's signature: fetched, checked to a root, and kept until it ends.

A signature that does not match fetches the certificate once more, because it is renewed without notice. Strangers name the address, so fetches
are few: each address that proved good has its own allowance, all others share one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

from firebreak.errors import NotAuthenticError, RejectedError, ThrottledError
from firebreak.intake.partner_center import Signed, Trust, check_signature, issuer_urls, load_certificate

KNOWN_PATH = "/cert/pcnotifications-dispatch.microsoft.com.cer"
_FETCHES, _FETCH_SECONDS = 5, 60.0
_MOST_KEPT = 16
_DEEPEST = 2

Fetch = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True)
class _Kept:
    certificate: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]


class PartnerCertificates:
    """Checks signatures for one process. Belongs to one event loop."""

    def __init__(
        self,
        fetch: Fetch,
        trust: Trust,
        *,
        issuer_hosts: Sequence[str],
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch, self._trust, self._issuer_hosts = fetch, trust, issuer_hosts
        self._clock, self._monotonic = clock, monotonic
        self._kept: dict[str, _Kept] = {}
        self._fetched: dict[str, list[float]] = {}
        self._turn = asyncio.Lock()

    async def check(self, signed: Signed, body: bytes) -> None:
        """Check a delivery whose headers were read.

        Raises:
            NotAuthenticError: certificate or signature are not what they must be.
            UnreachableError: the certificate cannot be fetched now; the sender is to come again.
            ThrottledError: too many addresses were tried; likewise.
        """
        url = signed.certificate_url
        seen = self._kept.get(url)
        kept = await self._certificate(url, seen, renew=False)
        try:
            check_signature(kept.certificate, signed, body)
        except NotAuthenticError:
            if seen is None or not self._may_fetch(url, spend=False):
                raise
            kept = await self._certificate(url, seen, renew=True)
            check_signature(kept.certificate, signed, body)

    async def _certificate(self, url: str, seen: _Kept | None, *, renew: bool) -> _Kept:
        if seen is not None and not renew and self._is_good(url, seen):
            return seen
        async with self._turn:
            now_kept = self._kept.get(url)
            if now_kept is not None and now_kept is not seen and self._is_good(url, now_kept):
                return now_kept  # somebody fetched it while this one waited
            if not self._may_fetch(url, spend=True):
                raise ThrottledError("Too many certificates were asked for.", hint="Come again in a minute.")
            certificate = load_certificate(await self._content(url))
            kept = _Kept(certificate, tuple(await self._issuers(certificate)))
            self._trust.check(certificate, kept.intermediates, self._clock())
            if len(self._kept) >= _MOST_KEPT and url not in self._kept:
                self._kept.pop(next(iter(self._kept)))
            self._kept[url] = kept
            return kept

    def _is_good(self, url: str, kept: _Kept) -> bool:
        """Whether it still holds today; one that has ended is forgotten."""
        try:
            self._trust.check(kept.certificate, kept.intermediates, self._clock())
        except NotAuthenticError:
            if self._kept.get(url) is kept:
                del self._kept[url]
            return False
        return True

    async def _issuers(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        """Intermediates that the certificate points at, when those known beforehand do not suffice."""
        found: list[x509.Certificate] = []
        for _ in range(_DEEPEST):
            try:
                self._trust.check(certificate, found, self._clock())
            except NotAuthenticError:
                urls = issuer_urls(found[-1] if found else certificate, self._issuer_hosts)
                if not urls:
                    return found
                found.append(load_certificate(await self._content(urls[0])))
            else:
                return found
        return found

    async def _content(self, url: str) -> bytes:
        try:
            return await self._fetch(url)
        except RejectedError as error:
            raise NotAuthenticError(
                f"There is no certificate at the certificate URL (status {error.status})."
            ) from error

    def _may_fetch(self, url: str, *, spend: bool) -> bool:
        name = url if url in self._kept or urlsplit(url).path == KNOWN_PATH else "others"
        now = self._monotonic()
        recent = [at for at in self._fetched.get(name, []) if at > now - _FETCH_SECONDS]
        if len(recent) >= _FETCHES:
            return False
        self._fetched[name] = [*recent, now] if spend else recent
        return True
