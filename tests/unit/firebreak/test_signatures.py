"""Keys that sign exports: what is read, what is refused, and that openssl computes the same."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from firebreak.errors import ContentError, SettingsError
from firebreak.signatures import SigningKey, VerifyingKey

SEED = base64.urlsafe_b64encode(b"k" * 32).decode()


def test_the_same_key_comes_from_pem_and_from_base64() -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    one, other = SigningKey.parse(pem, "KEY"), SigningKey.parse(f"{SEED}\n", "KEY")
    assert one.public.fingerprint == other.public.fingerprint
    assert one.sign(b"x") == other.sign(b"x")
    assert VerifyingKey.parse(one.public.pem, "f").has_signed(b"x", other.sign(b"x"))


@pytest.mark.parametrize(
    "signature", ["", "!", "é", base64.b64encode(bytes(64)).decode(), base64.b64encode(b"x").decode()]
)
def test_what_is_no_signature_is_not_one(signature: str) -> None:
    assert not SigningKey.parse(SEED, "KEY").public.has_signed(b"x", signature)


@pytest.mark.parametrize("text", ["", "hunter2hunter2", "é" * 40, SEED[:-5], "-----BEGIN PRIVATE KEY-----\nhunter2\n"])
def test_a_bad_key_is_named_by_its_setting_and_not_shown(text: str) -> None:
    with pytest.raises(SettingsError, match="FIREBREAK_X") as caught:
        SigningKey.parse(text, "FIREBREAK_X")
    assert "hunter2" not in str(caught.value)


def test_a_key_of_another_kind_is_refused() -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(SettingsError, match="not an Ed25519 key"):
        SigningKey.parse(pem, "KEY")
    public = other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(ContentError, match="no Ed25519 public key"):
        VerifyingKey.parse(public, "f.pem")
    with pytest.raises(ContentError, match=r"f\.pem holds a private key"):
        VerifyingKey.parse(pem.encode(), "f.pem")


def test_no_repr_shows_the_key() -> None:
    key = SigningKey.parse(SEED, "KEY")
    assert repr(key) == f"SigningKey({key.public.fingerprint})"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_a_key_of_openssl_works_and_its_fingerprint_is_the_same(tmp_path: Path) -> None:
    def openssl(*words: str) -> bytes:
        return subprocess.run(["openssl", *words], cwd=tmp_path, capture_output=True, timeout=30, check=True).stdout

    openssl("genpkey", "-algorithm", "ed25519", "-out", "key.pem")
    key = SigningKey.parse((tmp_path / "key.pem").read_text(), "KEY")
    der = openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER")
    assert key.public.fingerprint == hashlib.sha256(der).hexdigest()
    assert key.public.pem == openssl("pkey", "-in", "key.pem", "-pubout")
