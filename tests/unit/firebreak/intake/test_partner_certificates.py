"""A signing certificate is fetched seldom: kept while it holds, once more when a signature does not match, never as often as strangers want."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from azure_simulator.services.partner_center import signing
from firebreak.errors import NotAuthenticError, ThrottledError
from firebreak.intake.partner_center import Signed, Trust, read_headers
from firebreak.intake.partner_certificates import PartnerCertificates

HOSTS = ("3psostorageacct.blob.core.windows.net",)
BODY = b'{"EventName":"test-created"}'


class Scene:
    """A storage account whose certificate can be renewed, a clock, and what was fetched."""

    def __init__(self) -> None:
        self.root = signing.make("Root", None, is_authority=True)
        self.issuer = signing.make("Issuing CA", self.root, is_authority=True)
        self.signer = signing.make("first", self.issuer, days=10)
        self.now, self.seconds = datetime.now(UTC), 0.0
        self.fetched: list[str] = []
        self.certificates = PartnerCertificates(
            self.fetch,
            Trust([self.root.document]),
            issuer_hosts=("www.microsoft.com",),
            clock=lambda: self.now,
            monotonic=lambda: self.seconds,
        )

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        return self.issuer.der if url == signing.ISSUER_URL else self.signer.der

    def signed(self, *, by: signing.Certificate | None = None, name: str = "") -> Signed:
        headers = signing.headers(by or self.signer, BODY)
        if name:
            headers["X-MS-Certificate-Url"] = f"https://{HOSTS[0]}/cert/{name}.cer"
        return read_headers(headers.items(), hosts=HOSTS)


async def test_it_is_kept_until_it_ends() -> None:
    scene = Scene()
    for _ in range(5):
        await scene.certificates.check(scene.signed(), BODY)
    assert scene.fetched == [signing.CERTIFICATE_URL, signing.ISSUER_URL]
    scene.now += timedelta(days=11)
    with pytest.raises(NotAuthenticError, match="does not chain"):
        await scene.certificates.check(scene.signed(), BODY)
    scene.signer = signing.make("second", scene.issuer)
    await scene.certificates.check(scene.signed(), BODY)


async def test_a_renewed_one_is_found_by_the_signature_that_does_not_match() -> None:
    scene = Scene()
    await scene.certificates.check(scene.signed(), BODY)
    scene.signer = signing.make("second", scene.issuer)
    await scene.certificates.check(scene.signed(), BODY)
    assert scene.fetched == [signing.CERTIFICATE_URL, signing.ISSUER_URL] * 2


async def test_bad_signatures_do_not_fetch_without_end() -> None:
    scene = Scene()
    await scene.certificates.check(scene.signed(), BODY)
    stranger = scene.signed(by=signing.make("stranger", None))
    for _ in range(50):
        with pytest.raises(NotAuthenticError, match="does not match"):
            await scene.certificates.check(stranger, BODY)
    assert scene.fetched.count(signing.CERTIFICATE_URL) == 5
    await scene.certificates.check(scene.signed(), BODY)
    scene.seconds += 61
    with pytest.raises(NotAuthenticError, match="does not match"):
        await scene.certificates.check(stranger, BODY)
    assert scene.fetched.count(signing.CERTIFICATE_URL) == 6


async def test_addresses_that_strangers_make_up_share_a_few_fetches_and_do_not_use_up_the_known_one() -> None:
    scene = Scene()
    refused = 0
    for number in range(30):
        try:
            await scene.certificates.check(scene.signed(name=f"made-up-{number}"), BODY + b" ")
        except ThrottledError:
            refused += 1
        except NotAuthenticError:
            continue
    assert refused == 25
    await scene.certificates.check(scene.signed(), BODY)
