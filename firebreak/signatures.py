"""Ed25519 signatures of exported records: a key to sign with, a key to check with, and the fingerprint people compare.

    key = SigningKey.parse(text, "FIREBREAK_AUDIT_SIGNING_KEY")
    signature = key.sign(statement)
    VerifyingKey.parse(pem, "auditor.pem").has_signed(statement, signature)

A fingerprint is the SHA-256, in hex, of the public key's DER form: `openssl pkey -pubin -in FILE -outform DER | sha256sum` prints the same.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from firebreak.errors import ContentError, SettingsError

_MAKE: Final = "Make one: openssl genpkey -algorithm ed25519 -out audit-signing.pem"


class SigningKey:
    """An Ed25519 private key. Its repr and its errors show nothing of it."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def parse(cls, text: str, name: str) -> SigningKey:
        """Read a private key: PEM (PKCS #8, not encrypted), or its 32 bytes in url-safe base64.

        Raises:
            SettingsError: it is no such key; `name` is the setting to name in the message.
        """
        key: object
        try:
            if "-----BEGIN" in text:
                key = load_pem_private_key(text.strip().encode(), password=None)
            else:
                key = Ed25519PrivateKey.from_private_bytes(
                    base64.b64decode(text.strip(), altchars=b"-_", validate=True)
                )
        except (ValueError, TypeError, UnsupportedAlgorithm, binascii.Error):
            raise SettingsError(
                f"The key in {name} is neither an unencrypted PEM private key nor 32 bytes in url-safe base64.",
                hint=_MAKE,
            ) from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(f"The key in {name} is not an Ed25519 key.", hint=_MAKE)
        return cls(key)

    @property
    def public(self) -> VerifyingKey:
        """The key that checks what this one signs."""
        return VerifyingKey(self._key.public_key())

    def sign(self, statement: bytes) -> str:
        """Return the signature in base64; the same statement always gives the same one."""
        return base64.b64encode(self._key.sign(statement)).decode()

    def __repr__(self) -> str:
        return f"SigningKey({self.public.fingerprint})"


class VerifyingKey:
    """An Ed25519 public key."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key

    @classmethod
    def parse(cls, pem: bytes, place: str) -> VerifyingKey:
        """Read a PEM public key.

        Raises:
            ContentError: `place` holds something else.
        """
        if b"PRIVATE KEY" in pem:
            raise ContentError(
                f"{place} holds a private key.",
                hint="Give the public one, which firebreak incidents public-key prints.",
            )
        try:
            key = load_pem_public_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise ContentError(
                f"{place} holds no Ed25519 public key in PEM form.",
                hint="firebreak incidents public-key prints one on the host that signs.",
            )
        return cls(key)

    @property
    def pem(self) -> bytes:
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """64 hex digits that stand for this key."""
        der = self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(der).hexdigest()

    def has_signed(self, statement: bytes, signature: str) -> bool:
        """Whether `signature`, in base64, is this key's over exactly these bytes."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), statement)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True
