"""A delivery is authentic only with the right key, over the very bytes, and fresh."""

import pytest

from firebreak.intake.signature import OLDEST_SECONDS, SIGNATURE_HEADER, TIME_HEADER, sign, why_refused

KEY, BODY, NOW = b"k" * 32, b'{"a":1}', 1_790_000_000


def check(body: bytes = BODY, key: bytes = KEY, now: float = NOW, **changed: str | None) -> str:
    headers: dict[str, str | None] = {**sign(KEY, BODY, NOW), **{k.replace("_", "-"): v for k, v in changed.items()}}
    return why_refused(key, body, headers[TIME_HEADER], headers[SIGNATURE_HEADER], now)


def test_a_fresh_signed_delivery_is_authentic() -> None:
    assert check() == ""


@pytest.mark.parametrize("now", [NOW - OLDEST_SECONDS - 1, NOW + OLDEST_SECONDS + 1])
def test_an_old_or_future_delivery_is_refused(now: float) -> None:
    assert "within" in check(now=now)


def test_other_bytes_or_another_key_are_refused() -> None:
    assert "does not match" in check(body=b'{"a": 1}')
    assert "does not match" in check(key=b"x" * 32)


@pytest.mark.parametrize("at", ["", "soon", "-1", "1e9", "９", "1" * 400, str(NOW + 1)])
def test_a_changed_time_is_refused(at: str) -> None:
    assert check(X_Firebreak_Time=at)


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha1=00", "sha256=é"])
def test_a_missing_or_malformed_signature_is_refused(signature: str | None) -> None:
    assert check(X_Firebreak_Signature=signature)
