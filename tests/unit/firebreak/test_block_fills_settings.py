"""The connection block without a server: what it says wins, what it leaves empty stays, and its secrets are in nothing that is shown."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from pydantic import SecretStr

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import SettingsError
from firebreak.settings import Kind, Preset, Settings
from flows.connection import FirebreakConnection

TENANT, PARTNER = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"
CANARY = "cAnArY-block-client-secret-0123456789"


def test_what_the_block_says_wins_and_what_it_leaves_empty_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID", PARTNER)
    monkeypatch.setenv("FIREBREAK_CREDENTIAL__TENANT_ID", PARTNER)
    monkeypatch.setenv("FIREBREAK_CLOUD__GRAPH", "https://dod-graph.microsoft.us")
    block = FirebreakConnection(
        cloud="usgovernment", kind="client_secret", tenant_id=TENANT, client_id="app", client_secret=SecretStr(CANARY)
    )
    found = block.over(Settings.load(connection_block="production"))
    assert (found.credential.tenant_id, found.credential.partner_tenant_id) == (TENANT, PARTNER)
    assert found.credential.kind == "client_secret"
    assert found.cloud.login == "https://login.microsoftonline.us"
    assert found.cloud.graph == "https://dod-graph.microsoft.us"
    assert found.connection_block == "production"
    assert found.credential.client_secret is not None
    assert found.credential.client_secret.get_secret_value() == CANARY
    assert without_secrets(f"the secret is {CANARY}") == "the secret is [redacted]"


def test_an_empty_block_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_CLOUD__PRESET", "china")
    settings = Settings.load()
    assert FirebreakConnection().over(settings) == settings


def test_an_incomplete_block_is_refused_by_key_without_its_values() -> None:
    block = FirebreakConnection(kind="secure_application_model", tenant_id=TENANT, client_secret=SecretStr(CANARY))
    with pytest.raises(SettingsError, match="FIREBREAK_CREDENTIAL__CLIENT_ID") as caught:
        block.over(Settings.load())
    assert CANARY not in str(caught.value)


def test_no_secret_of_a_block_is_shown() -> None:
    block = FirebreakConnection(
        client_secret=SecretStr(CANARY), refresh_token=SecretStr(CANARY), certificate_password=SecretStr(CANARY)
    )
    assert CANARY not in repr(block) + str(block) + json.dumps(block.model_dump(mode="json"))
    secret = [name for name, field in FirebreakConnection.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert secret == ["client_secret", "certificate", "certificate_password", "refresh_token"]


def test_the_block_offers_every_cloud_and_every_kind() -> None:
    fields = FirebreakConnection.model_fields
    assert set(get_args(fields["cloud"].annotation)) == {"", *get_args(Preset)}
    assert set(get_args(fields["kind"].annotation)) == {"", *get_args(Kind)}
