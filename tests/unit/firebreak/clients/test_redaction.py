from __future__ import annotations

import base64
import json
import logging
from urllib.parse import quote, quote_plus

import pytest

from firebreak.clients.policies.redaction import (
    SecretFilter,
    body_without_secrets,
    know_secret,
    shown,
    shown_url,
    without_secrets,
)
from firebreak.clients.policies.request_ids import correlation_guid


@pytest.mark.parametrize(
    "text",
    [
        "https://a.blob.core.windows.net/v/d.vhd?sv=2022&sig=TOPSECRET%3D&se=1",
        "Authorization: Bearer TOPSECRETTOPSECRET",
        "SharedKey account:TOPSECRET==",
        "grant_type=x&client_secret=TOPSECRET&y=1",
        "DefaultEndpointsProtocol=https;AccountKey=TOPSECRET==;EndpointSuffix=x",
        '{"accessSAS": "https://x/TOPSECRET"}',
        '{"refresh_token":"TOP\\"SECRET"}',
        '{"properties":{"primaryKey" : "TOPSECRET"}}',
        "token eyJhbGciOi.eyJTOPSECRET.TOPSECRET",
        "redirect=https%3A%2F%2Fx%3Fa%3D1%26sig%3DTOPSECRET",
    ],
)
def test_every_kind_of_secret_is_taken_out(text: str) -> None:
    assert "SECRET" not in without_secrets(text)
    assert "[redacted]" in without_secrets(text)


@pytest.mark.parametrize(
    "text",
    ["signature=1", "design=x", '{"passwordPolicies": "none"}', "/subscriptions/x?api-version=2022&$filter=a eq 'b'"],
)
def test_what_is_no_secret_stays_byte_for_byte(text: str) -> None:
    assert without_secrets(text) == text
    assert body_without_secrets(text.encode()) == (text.encode(), False)


def test_hostile_text_cannot_write_lines_or_colours() -> None:
    assert shown("a\r\nb\x1b[31m\u202ec") == "a b [31m c"
    assert len(shown("x" * 1000)) == 400
    assert shown_url("https://user:pw@h/p?sig=x#f") == "https://h/p?sig=[redacted]"


def test_log_records_of_libraries_are_cleaned() -> None:
    record = logging.LogRecord(
        "httpx", logging.INFO, "f", 1, "HTTP Request: %s %s", ("GET", "https://h/?sig=SECRET"), None
    )
    assert SecretFilter().filter(record)
    assert record.getMessage() == "HTTP Request: GET https://h/?sig=[redacted]"


def test_any_incident_id_gives_one_correlation_guid() -> None:
    guid = "aaaaaaaa-0000-4000-8000-000000000001"
    assert correlation_guid(guid) == guid
    assert correlation_guid("INC-7") == correlation_guid("INC-7") != correlation_guid("INC-8")


def test_a_known_secret_is_taken_out_however_it_is_spelled() -> None:
    secret = 'p/q+ "TOP~SECRET" '
    know_secret(secret)
    plain = secret.strip()
    for spelling in (plain, quote(plain, safe=""), quote_plus(plain), json.dumps(plain)):
        assert "SECRET" not in without_secrets(f"it said {spelling} to me")
    coded = base64.b64encode(plain.encode()).decode()
    assert coded not in without_secrets(f"Basic? {coded}")
    know_secret("short")
    assert without_secrets("a short word") == "a short word"


def test_a_body_that_was_clean_is_looked_through_again_once_a_secret_is_known() -> None:
    body = json.dumps({"value": ["x" * 5000, "its-own-long-secret-of-this-process"]}).encode()
    assert body_without_secrets(body) == body_without_secrets(body) == (body, False)
    know_secret("its-own-long-secret-of-this-process")
    clean, redacted = body_without_secrets(body)
    assert redacted
    assert b"its-own-long-secret" not in clean
    assert body_without_secrets(body) == (clean, True)
