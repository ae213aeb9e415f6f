"""Client assertions: a JWT signed by an app with one of its registered certificates, instead of a client secret."""

from __future__ import annotations

import base64
import binascii
import json

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from azure_simulator.world import Principal


def is_valid(principal: Principal, assertion: str) -> bool:
    """True when one of the principal's certificates (PEM) signed the assertion with RS256 or PS256."""
    payload, _, signature = assertion.rpartition(".")
    try:
        algorithm = json.loads(_decode(payload.split(".")[0])).get("alg")
        signed = _decode(signature)
    except (ValueError, binascii.Error, AttributeError):
        return False
    if algorithm not in ("RS256", "PS256"):
        return False
    pads: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm == "PS256":
        pads = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
    for pem in principal.certificates:
        key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            continue
        try:
            key.verify(signed, payload.encode(), pads, hashes.SHA256())
        except InvalidSignature:
            continue
        return True
    return False


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
