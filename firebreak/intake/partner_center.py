"""Whether a Partner Center webhook is Microsoft's: headers, addresses, chain and signature, each refused with its reason. Pure.

    signed = read_headers(headers, hosts=("3psostorageacct.blob.core.windows.net",))
    certificate = load_certificate(content)                # fetched from signed.certificate_url
    trust.check(certificate, intermediates, now)
    check_signature(certificate, signed.signature, body)   # over the raw bytes, before anything is parsed

https://learn.microsoft.com/partner-center/developer/partner-center-webhooks
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store, VerificationError

from firebreak.errors import NotAuthenticError, SettingsError

CERTIFICATE_URL = "X-MS-Certificate-Url"
ALGORITHM = "X-MS-Signature-Algorithm"
OWN_HEADER = "x-ms-signature"
ORGANIZATION = "Microsoft Corporation"
_ALGORITHMS = {"rsa-sha256": hashes.SHA256}
_CERTIFICATE_PATH = re.compile(r"/cert/[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.cer")
_ISSUER_PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._%~-]{0,100}){1,6}\.(crt|cer)", re.IGNORECASE)
_LONGEST_URL = 512
_LEAST_BITS = 2048


@dataclass(frozen=True)
class Signed:
    """What the headers of a delivery claim; the certificate's address is one that may be fetched."""

    certificate_url: str
    algorithm: str
    signature: bytes


def read_headers(headers: Iterable[tuple[str, str]], *, hosts: Sequence[str]) -> Signed:
    """Read the headers of a delivery. `hosts` are those that certificates are fetched from.

    Raises:
        NotAuthenticError: one is missing, there twice, or not one that is accepted.
    """
    found: dict[str, str] = {}
    wanted = {"authorization", OWN_HEADER, CERTIFICATE_URL.lower(), ALGORITHM.lower()}
    for name, value in headers:
        if (lowered := name.lower()) in wanted:
            if lowered in found:
                raise NotAuthenticError(f"The header {name} is there twice.")
            found[lowered] = value.strip()
    token = found.get(OWN_HEADER) or found.get("authorization", "")
    url, algorithm = found.get(CERTIFICATE_URL.lower(), ""), found.get(ALGORITHM.lower(), "").lower()
    if not token or not url or not algorithm:
        raise NotAuthenticError(f"Authorization (or {OWN_HEADER}), {CERTIFICATE_URL} and {ALGORITHM} are required.")
    if algorithm not in _ALGORITHMS:
        raise NotAuthenticError(f"The signature algorithm is not {' or '.join(_ALGORITHMS)}.")
    return Signed(checked_url(url, hosts), algorithm, _signature(token, may_be_bare=OWN_HEADER in found))


def checked_url(url: str, hosts: Sequence[str]) -> str:
    """Return the address of a signing certificate in its one plain form, when it may be fetched.

    Raises:
        NotAuthenticError: it may not: not https, another host or port, with user, query or fragment, or not below /cert/.
    """
    return _plain(url, hosts, schemes=("https",), path=_CERTIFICATE_PATH, what="certificate URL")


def issuer_urls(certificate: x509.Certificate, hosts: Sequence[str]) -> list[str]:
    """Where the certificate says that its issuer's certificate is, as far as it may be fetched (http too: it is signed itself)."""
    try:
        access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    found = []
    for one in access:
        location = one.access_location
        if one.access_method != AuthorityInformationAccessOID.CA_ISSUERS or not isinstance(
            location, x509.UniformResourceIdentifier
        ):
            continue
        try:
            found.append(_plain(location.value, hosts, schemes=("http", "https"), path=_ISSUER_PATH, what="issuer URL"))
        except NotAuthenticError:
            continue
    return found[:2]


def load_certificate(content: bytes) -> x509.Certificate:
    """Read one certificate, DER or PEM.

    Raises:
        NotAuthenticError: it is none.
    """
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError as error:
        raise NotAuthenticError("What lies at the certificate URL is no certificate.") from error


class Trust:
    """The roots that are trusted, and intermediate certificates that are known beforehand."""

    def __init__(self, roots: Sequence[x509.Certificate], intermediates: Sequence[x509.Certificate] = ()) -> None:
        self._store = Store(list(roots))
        self._known = list(intermediates)

    def check(self, certificate: x509.Certificate, intermediates: Sequence[x509.Certificate], now: datetime) -> None:
        """Check chain, dates, key and issuer.

        Raises:
            NotAuthenticError: says which.
        """
        try:
            issuers = certificate.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
            key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NotAuthenticError("The certificate cannot be read.") from error
        if [one.value for one in issuers] != [ORGANIZATION]:
            raise NotAuthenticError(f"The certificate's issuer is not of the organization {ORGANIZATION}.")
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _LEAST_BITS:
            raise NotAuthenticError(f"The certificate's key is not RSA of at least {_LEAST_BITS} bits.")
        # The leaf signs messages and serves no TLS: of the web's rules only those for authorities apply.
        building = PolicyBuilder().store(self._store).time(now).max_chain_depth(4)
        policy = building.extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=ExtensionPolicy.permit_all()
        )
        try:
            policy.build_client_verifier().verify(certificate, [*self._known, *intermediates])
        except (VerificationError, ValueError) as error:
            raise NotAuthenticError(f"The certificate does not chain to a trusted root ({_short(error)}).") from error


def read_certificates(file: Path | None) -> list[x509.Certificate]:
    """The certificates of a PEM file; without one, the roots that come with Firebreak.

    Raises:
        SettingsError: the file cannot be read, or holds none.
    """
    place = file or files("firebreak.intake") / "roots" / "microsoft.pem"
    try:
        return x509.load_pem_x509_certificates(place.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{place} holds no certificates in PEM form.", hint="Name a PEM file.") from error


def check_signature(certificate: x509.Certificate, signed: Signed, body: bytes) -> None:
    """Check the signature over the raw bytes of the body.

    Raises:
        NotAuthenticError: it does not match.
    """
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotAuthenticError("The certificate's key is not RSA.")
    try:
        key.verify(signed.signature, body, padding.PKCS1v15(), _ALGORITHMS[signed.algorithm]())
    except InvalidSignature as error:
        raise NotAuthenticError("The signature does not match the body.") from error


def _signature(token: str, *, may_be_bare: bool) -> bytes:
    scheme, blank, rest = token.partition(" ")
    if blank and scheme.lower() != "signature":
        raise NotAuthenticError("The scheme of the signature is not Signature.")
    if not blank and not may_be_bare:
        raise NotAuthenticError("Authorization is not Signature and a value.")
    try:
        signature = base64.b64decode((rest if blank else token).strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotAuthenticError("The signature is not base64.") from error
    if not 128 <= len(signature) <= 1024:
        raise NotAuthenticError("The signature has no length that a signature has.")
    return signature


def _plain(url: str, hosts: Sequence[str], *, schemes: Sequence[str], path: re.Pattern[str], what: str) -> str:
    if len(url) > _LONGEST_URL or not url.isascii() or any(c <= " " or c in '\\"<>' for c in url):
        raise NotAuthenticError(f"The {what} is too long or has characters that no address has.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise NotAuthenticError(f"The {what} is no address.") from error
    if parts.scheme not in schemes:
        raise NotAuthenticError(f"The {what} is not {' or '.join(schemes)}.")
    if "@" in parts.netloc or port is not None or ":" in parts.netloc:
        raise NotAuthenticError(f"The {what} names a user or a port.")
    if "?" in url or "#" in url:
        raise NotAuthenticError(f"The {what} has a query or a fragment.")
    if host not in {one.lower() for one in hosts}:
        raise NotAuthenticError(f"The {what} is on a host that is not among those allowed.")
    if not path.fullmatch(parts.path) or ".." in parts.path:
        raise NotAuthenticError(f"The {what} is not one of a certificate.")
    return f"{parts.scheme}://{host}{parts.path}"


def _short(error: Exception) -> str:
    return str(error).split("(encountered")[0].strip()[:160]
