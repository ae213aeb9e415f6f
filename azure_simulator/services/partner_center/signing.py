"""Who signs Partner Center's webhooks here: a certificate authority, an intermediate one, and the certificate that is served for download.

Like the server's own (`azure_simulator.tls`) they live as long as one run. RSA PKCS#1 v1.5 with SHA-256 over the raw body:
https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from azure_simulator.tls import key_usage
from azure_simulator.world import World

CERTIFICATE_URL = "https://3psostorageacct.blob.core.windows.net/cert/pcnotifications-dispatch.microsoft.com.cer"
ISSUER_URL = "http://www.microsoft.com/pkiops/certs/simulated-issuing-ca.crt"
ORGANIZATION = "Microsoft Corporation"


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key."""

    document: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.document.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.document.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class Signers:
    """Root, intermediate authority, and the one that signs webhooks."""

    root: Certificate
    issuer: Certificate
    signer: Certificate


def signers(world: World) -> Signers:
    """Those of this world, made at the first use."""
    made: Signers | None = world.memory.get("partner.signers")
    if made is None:
        root = make("Simulated Microsoft Root", None, is_authority=True)
        issuer = make("Simulated Issuing CA 01", root, is_authority=True)
        signer = make("pcnotifications-dispatch.microsoft.com", issuer)
        made = world.memory["partner.signers"] = Signers(root, issuer, signer)
    return made


def make(
    name: str,
    issuer: Certificate | None,
    *,
    is_authority: bool = False,
    organization: str = ORGANIZATION,
    issuer_url: str = ISSUER_URL,
    start: datetime | None = None,
    days: float = 30,
    bits: int = 2048,
) -> Certificate:
    """Make a certificate that `issuer` signs, itself when there is none; valid from `start` (real time, default: an hour ago)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    signing = issuer.key if issuer else key
    since = start or datetime.now(UTC) - timedelta(hours=1)
    building = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.document.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(key_usage(signs_certificates=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
    )
    if not is_authority:
        where = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)
        )
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        building = (
            building.add_extension(x509.AuthorityInformationAccess([where]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        )
    return Certificate(building.sign(signing, hashes.SHA256()), key)


def sign(world: World, body: bytes, *, in_own_header: bool = False) -> dict[str, str]:
    """The headers of a delivery of these very bytes; with `in_own_header` the signature is in `x-ms-signature`."""
    return headers(signers(world).signer, body, in_own_header=in_own_header)


def headers(signer: Certificate, body: bytes, *, in_own_header: bool = False) -> dict[str, str]:
    """The same, signed by anybody."""
    signature = base64.b64encode(signer.key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()
    return {
        "Content-Type": "application/json",
        ("x-ms-signature" if in_own_header else "Authorization"): f"Signature {signature}",
        "X-MS-Certificate-Url": CERTIFICATE_URL,
        "X-MS-Signature-Algorithm": "rsa-sha256",
    }
