from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import SecretStr

from firebreak.errors import SettingsError
from firebreak.settings import Settings, plain_secret


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("FIREBREAK_HOME", str(tmp_path))
    return tmp_path


def test_defaults_keep_everything_in_the_home_folder(home: Path) -> None:
    settings = Settings.load()
    assert settings.home == home
    assert settings.database_url == f"sqlite:///{home}/firebreak.db"
    assert settings.evidence_url == f"file://{home}/evidence"
    assert settings.cloud.resource_manager == "https://management.azure.com"


@pytest.mark.parametrize(
    ("preset", "manager", "login"),
    [
        ("usgovernment", "https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
        ("china", "https://management.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
        ("SIMULATOR", "https://localhost:8443", "https://localhost:8443"),
    ],
)
def test_presets_name_the_sovereign_clouds(
    monkeypatch: pytest.MonkeyPatch, preset: str, manager: str, login: str
) -> None:
    monkeypatch.setenv("FIREBREAK_CLOUD__PRESET", preset)
    cloud = Settings.load().cloud
    assert (cloud.resource_manager, cloud.login) == (manager, login)


def test_one_address_can_replace_the_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_CLOUD__GRAPH", "https://graph.example:8443/graph/")
    cloud = Settings.load().cloud
    assert cloud.graph == "https://graph.example:8443/graph"
    assert cloud.graph_audience == "https://graph.microsoft.com"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("FIREBREAK_CLOUD__PRESET", "mars", "FIREBREAK_CLOUD__PRESET"),
        ("FIREBREAK_CLOUD__GRAPH", "http://plain.example", "FIREBREAK_CLOUD__GRAPH"),
        ("FIREBREAK_CLOUD__LOGIN", "https://user:pw@x.example", "FIREBREAK_CLOUD__LOGIN"),
        ("FIREBREAK_CLOUD__CA_BUNDLE", "/nowhere/ca.pem", "/nowhere/ca.pem"),
        ("FIREBREAK_CREDENTIAL__KIND", "client_secret", "FIREBREAK_CREDENTIAL__TENANT_ID"),
        ("FIREBREAK_OPERATIONS__ATTEMPTS", "0", "FIREBREAK_OPERATIONS__ATTEMPTS"),
        ("FIREBREAK_CLOUDS__PRESET", "public", "FIREBREAK_CLOUDS__PRESET"),
        ("FIREBREAK_CLOUD__PRESTE", "public", "FIREBREAK_CLOUD__PRESTE"),
        ("FIREBREAK_DATABASE", "x", "FIREBREAK_DATABASE"),
        ("FIREBREAK_CLOUD", "not json", "cloud"),
        ("FIREBREAK_SETTINGS_FILE", "/nowhere/settings.yaml", "FIREBREAK_SETTINGS_FILE"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert told in caught.value.message
    assert caught.value.hint


def test_the_file_is_read_and_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "settings.yaml").write_text(
        "cloud: {preset: china, prices: 'https://prices.example'}\noperations: {currency: EUR}\n"
    )
    monkeypatch.setenv("FIREBREAK_OPERATIONS__CURRENCY", "CHF")
    settings = Settings.load()
    assert settings.cloud.preset == "china"
    assert settings.cloud.prices == "https://prices.example"
    assert settings.operations.currency == "CHF"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cloud: {pre: x}", "FIREBREAK_CLOUD__PRE: unknown key"),
        ("clouds: {}", "FIREBREAK_CLOUDS: unknown key"),
        ("a: [", "line"),
        ("- x", "keys and values"),
    ],
)
def test_a_wrong_file_is_told(home: Path, text: str, told: str) -> None:
    (home / "settings.yaml").write_text(text)
    with pytest.raises(SettingsError, match=told):
        Settings.load()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CREDENTIAL__CLIENT_SECRET",
        "CREDENTIAL__REFRESH_TOKEN",
        "CREDENTIAL__CERTIFICATE",
        "SECRET_KEY",
        "INTAKE_KEY",
    ):
        monkeypatch.setenv(f"FIREBREAK_{name}", "hunter2")
    monkeypatch.setenv("FIREBREAK_DATABASE_URL", "postgresql+psycopg://u:hunter2@db/f")
    settings = Settings.load()
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.credential)
    monkeypatch.setenv("FIREBREAK_CREDENTIAL__KIND", "certificates")
    with pytest.raises(SettingsError) as caught:
        Settings.load()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value.__cause__)


def test_secrets_are_followed_to_environment_and_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APP_SECRET", "from-env")
    path = tmp_path / "secret"
    path.write_text("from-file\n")
    assert plain_secret(SecretStr("plain"), "X") == "plain"
    assert plain_secret(SecretStr("env:APP_SECRET"), "X") == "from-env"
    assert plain_secret(SecretStr(f"file:{path}"), "X") == "from-file"
    assert plain_secret(SecretStr("other:thing"), "X") == "other:thing"
    for bad in ("env:NOT_SET", "file:/nowhere", "keyvault:https://v.vault.azure.net/secrets/s"):
        with pytest.raises(SettingsError, match="X refers to"):
            plain_secret(SecretStr(bad), "X")


def test_own_keys_are_made_once_and_for_the_owner_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load()
    key = settings.seal_key()
    assert len(base64.urlsafe_b64decode(key)) == 32
    assert settings.seal_key() == key
    assert (home / "secret.key").stat().st_mode & 0o777 == 0o600
    assert settings.intake_secret() != key
    assert sorted(path.name for path in home.iterdir()) == ["intake.key", "secret.key"]
    (home / "secret.key").chmod(0o644)
    with pytest.raises(SettingsError, match="Others may read"):
        settings.seal_key()
    monkeypatch.setenv("FIREBREAK_SECRET_KEY", "short")
    with pytest.raises(SettingsError, match="FIREBREAK_SECRET_KEY"):
        Settings.load().seal_key()


def test_settings_come_back_as_they_shaped_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREBREAK_PROTECTION__TAGS", '["keep"]')
    monkeypatch.setenv("FIREBREAK_CREDENTIAL__TENANT_ID", "22222222-2222-4222-8222-222222222222")
    monkeypatch.setenv("FIREBREAK_OPERATIONS__CURRENCY", "EUR")
    monkeypatch.setenv("FIREBREAK_OPERATIONS__FALLBACK_MACHINE_PER_HOUR", "1.25")
    monkeypatch.setenv("FIREBREAK_CONTACT__FIRST_NAME", "Ada")
    for name, value in (("LAST_NAME", "L"), ("EMAIL", "a@x.example"), ("COUNTRY", "NLD")):
        monkeypatch.setenv(f"FIREBREAK_CONTACT__{name}", value)
    shape = Settings.load().that_shape_a_plan()
    monkeypatch.setenv("FIREBREAK_PROTECTION__TAGS", '["other"]')
    monkeypatch.setenv("FIREBREAK_OPERATIONS__CURRENCY", "CHF")
    again = Settings.as_shaped({**shape, "new_key": 1, "cloud": {**shape["cloud"], "new": 2}}, tmp_path)
    assert again.that_shape_a_plan() == shape
    assert again.home == tmp_path


def test_what_is_known_good_comes_from_the_file_and_is_part_of_the_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "known_good:\n  - {customers: ['*'], what: the release pipeline, identities: [rel], addresses: [198.51.100.0/24]}\n"
    )
    monkeypatch.setenv("FIREBREAK_SETTINGS_FILE", str(path))
    shape = Settings.load(home=tmp_path).that_shape_a_plan()
    assert shape["known_good"][0]["what"] == "the release pipeline"
    assert Settings.as_shaped(shape, tmp_path / "other").that_shape_a_plan() == shape


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("{customers: ['*'], what: x, addresses: [198.51.100.300]}", "KNOWN_GOOD"),
        ("{customers: ['*'], what: x}", "neither identities nor addresses"),
        ("{customers: [], what: x, identities: [a]}", "CUSTOMERS"),
        ("{customers: ['*'], what: x, identities: [' ']}", "an entry is empty"),
        ("{customers: ['*'], what: x, identities: [a], person: b}", "unknown key"),
    ],
)
def test_an_entry_of_known_good_that_says_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, wrong: str
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"known_good: [{entry}]\n")
    monkeypatch.setenv("FIREBREAK_SETTINGS_FILE", str(path))
    with pytest.raises(SettingsError, match=wrong):
        Settings.load(home=tmp_path)


def test_a_shape_from_elsewhere_names_no_file_and_no_secret(tmp_path: Path) -> None:
    shape = {
        "kind": "client_secret",
        "client_secret": "file:/etc/hostname",
        "cloud": {"ca_bundle": "/etc/hostname"},
        "secret_key": "env:HOME",
    }
    found = Settings.as_shaped(shape, tmp_path)
    assert (found.credential.client_secret, found.cloud.ca_bundle, found.secret_key) == (None, None, None)
    with pytest.raises(SettingsError, match="CURRENCY"):
        Settings.as_shaped({"currency": "doubloons"}, tmp_path)


def test_a_check_of_the_partner_is_replayed_as_it_signed_in_without_its_secrets(tmp_path: Path) -> None:
    """Whether a person's consent stands behind it decides what the plan may propose; nobody signs in with it again."""
    own = "33333333-3333-4333-8333-333333333333"
    shape = Settings.load(home=tmp_path).that_shape_a_plan()
    again = Settings.as_shaped(
        {**shape, "credential_kind": "secure_application_model", "customers": [own]} | {"tenant_id": own}, tmp_path
    )
    assert again.credential.kind == "secure_application_model"
    assert again.customer_tenants == (own,)
    assert again.credential.refresh_token is not None
    assert again.credential.refresh_token.get_secret_value() == "not used in a replay"
