"""The settings of several customers: each with the installation's credential in its own tenant, or with one of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from firebreak.errors import SettingsError
from firebreak.settings import CustomerSettings, Settings
from flows import connection
from flows.connection import FirebreakConnection, connected_settings

OWN, PARTNER, OTHER, THIRD = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "1234")
CREDENTIAL = {"kind": "client_secret", "tenant_id": OWN, "client_id": "app", "client_secret": "env:SECRET"}


def settings(*customers: dict[str, object], partner: str = PARTNER) -> Settings:
    return Settings.load(credential={**CREDENTIAL, "partner_tenant_id": partner}, customers=customers)


def test_a_listed_customer_is_signed_in_to_with_the_installations_credential() -> None:
    found = settings({"tenant_id": OTHER.upper()})
    assert found.customer_tenants == (OWN, OTHER)
    theirs = found.for_customer(OTHER.upper())
    assert (theirs.credential.tenant_id, theirs.credential.partner_tenant_id) == (OTHER, PARTNER)
    assert theirs.credential.client_id == "app"
    assert (theirs.home, theirs.database_url) == (found.home, found.database_url)
    assert found.for_customer(OWN) is found
    assert found.for_customer("") is found


def test_a_customer_with_a_credential_of_its_own_is_signed_in_to_with_that() -> None:
    own = {"kind": "client_secret", "tenant_id": THIRD, "client_id": "theirs", "client_secret": "env:OTHER"}
    theirs = settings({"tenant_id": OTHER, "credential": own}).for_customer(OTHER).credential
    assert (theirs.client_id, theirs.tenant_id, theirs.partner_tenant) == ("theirs", OTHER, PARTNER)


def test_an_alert_of_a_customer_that_is_not_listed_is_for_a_partner_only() -> None:
    assert settings().for_customer(OTHER).credential.tenant_id == OTHER
    assert settings(partner="").for_customer(OTHER).credential.tenant_id == OWN


@pytest.mark.parametrize(
    "customers",
    [
        [{"tenant_id": OTHER}, {"tenant_id": OTHER.upper()}],
        [{"tenant_id": OWN}],
        [{"tenant_id": "contoso.example"}],
        [{"tenant_id": OTHER, "connection_block": "x", "credential": CREDENTIAL}],
        [{"tenant_id": OTHER, "colour": "red"}],
    ],
)
def test_what_cannot_be_meant_is_refused(customers: list[dict[str, object]]) -> None:
    with pytest.raises(SettingsError, match="Settings are wrong"):
        settings(*customers)


def test_they_are_read_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_CUSTOMERS", json.dumps([{"tenant_id": OTHER, "name": "Fabrikam"}]))
    assert Settings.load().customers == (CustomerSettings(tenant_id=OTHER, name="Fabrikam"),)


async def test_a_block_that_cannot_be_read_concerns_its_customer_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {
        "fabrikam": FirebreakConnection(
            kind="client_secret", tenant_id=OWN, client_id="theirs", client_secret=SecretStr("env:OTHER")
        ),
        "half": FirebreakConnection(kind="client_secret"),
    }

    async def block(name: str, who: str) -> FirebreakConnection:
        if name not in blocks:
            raise SettingsError(f"{who} names the block {name!r}, which is not there.")
        return blocks[name]

    monkeypatch.setattr(connection, "_block", block)
    fourth = "55555555-0000-4000-8000-000000000000"
    found = await connected_settings(
        settings(
            {"tenant_id": OTHER, "name": "Fabrikam", "connection_block": "fabrikam"},
            {"tenant_id": THIRD, "name": "Litware", "connection_block": "gone"},
            {"tenant_id": fourth, "name": "Half", "connection_block": "half"},
        )
    )
    assert (found.for_customer(OTHER).credential.client_id, found.for_customer(OTHER).credential.tenant_id) == (
        "theirs",
        OTHER,
    )
    with pytest.raises(SettingsError, match=r"customer Litware cannot be used.*'gone'"):
        found.for_customer(THIRD)
    with pytest.raises(SettingsError, match=r"customer Half cannot be used.*not complete"):
        found.for_customer(fourth)


def test_a_settings_file_may_list_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"customers:\n  - tenant_id: {OTHER}\n    name: Fabrikam\n    connection_block: fabrikam\n")
    monkeypatch.setenv("FIREBREAK_SETTINGS_FILE", str(file))
    assert Settings.load().customers[0].connection_block == "fabrikam"
