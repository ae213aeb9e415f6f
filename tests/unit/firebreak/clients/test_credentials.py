from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from pydantic import SecretStr

from firebreak.clients.credentials import Credentials, claims_of
from firebreak.clients.inprocess import HttpxAzureTransport
from firebreak.clients.secrets import reveal
from firebreak.clients.transports import Transports
from firebreak.errors import CredentialError, SettingsError, UnreachableError
from firebreak.settings import Settings
from tests.support.tiny_service import PARTNER, TENANT, TOKEN, TinyService, discovery, tiny_settings

SCOPE = "https://management.azure.com/.default"


def sam_settings(refresh: str = "old-refresh") -> Settings:
    return tiny_settings(
        credential={
            "kind": "secure_application_model",
            "tenant_id": TENANT,
            "partner_tenant_id": PARTNER,
            "client_id": "app",
            "client_secret": "hunter2",
            "refresh_token": refresh,
        }
    )


def over(service: TinyService) -> Transports:
    for tenant in (TENANT, PARTNER):
        service.answer("GET", f"/{tenant}/v2.0/.well-known/openid-configuration", discovery(tenant))
    return Transports(azure=lambda: HttpxAzureTransport(service), http=lambda: service)


def token_path(tenant: str) -> str:
    return f"/{tenant}/oauth2/v2.0/token"


async def test_one_refresh_token_serves_every_tenant_and_is_renewed_with_each_use() -> None:
    service = TinyService()
    for tenant in (TENANT, PARTNER):
        service.answer(
            "POST", token_path(tenant), {"access_token": TOKEN, "expires_in": "3599", "refresh_token": f"new-{tenant}"}
        )
    credentials = Credentials(sam_settings(), over(service))
    customer, partner = await credentials.for_tenant(TENANT), await credentials.for_tenant(PARTNER)
    assert await customer.bearer(SCOPE) == TOKEN
    assert await customer.bearer(SCOPE) == TOKEN
    assert await partner.bearer(SCOPE) == TOKEN
    first, second = (parse_qs(row.body.decode()) for row in service.arrived if row.method == "POST")
    assert first["refresh_token"] == ["old-refresh"]
    assert second["refresh_token"] == [f"new-{TENANT}"]
    assert {SCOPE, "offline_access"} <= set(first["scope"][0].split())
    assert credentials.principal_ids == ("99999999-9999-4999-8999-999999999999",)
    # A challenge's claims force a new token.
    await customer.get_token_info(SCOPE, options={"claims": "{}"})
    posted = [parse_qs(row.body.decode()) for row in service.arrived if row.method == "POST"]
    assert [row.get("claims") for row in posted] == [None, None, ["{}"]]
    await credentials.close()


@pytest.mark.parametrize(
    ("preset", "login", "wanted"),
    [
        (
            "public",
            "login.microsoftonline.com",
            ("management.azure.com", "graph.microsoft.com", "api.partnercenter.microsoft.com"),
        ),
        (
            "usgovernment",
            "login.microsoftonline.us",
            ("management.usgovcloudapi.net", "graph.microsoft.us", "api.partnercenter.microsoft.com"),
        ),
        (
            "china",
            "login.partner.microsoftonline.cn",
            (
                "management.chinacloudapi.cn",
                "microsoftgraph.chinacloudapi.cn",
                "partner.partnercenterapi.microsoftonline.cn",
            ),
        ),
    ],
)
async def test_a_preset_names_the_sign_in_and_the_audiences_of_its_cloud_alone(
    preset: str, login: str, wanted: tuple[str, ...]
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "GET":
            root = f"https://{login}/{TENANT}"
            places = {"authorization_endpoint": f"{root}/authorize", "token_endpoint": f"{root}/oauth2/v2.0/token"}
            return httpx.Response(200, json={"issuer": f"{root}/v2.0", **places})
        return httpx.Response(200, json={"access_token": TOKEN, "expires_in": 3599, "refresh_token": "renewed"})

    settings = Settings.load(cloud={"preset": preset}, credential=sam_settings().credential)
    transport = httpx.MockTransport(answer)
    credentials = Credentials(
        settings, Transports(azure=lambda: HttpxAzureTransport(transport), http=lambda: transport)
    )
    source, cloud = await credentials.for_tenant(TENANT), settings.cloud
    for audience in (cloud.audience, cloud.graph_audience, cloud.partner_center_audience):
        await source.bearer(f"{audience}/.default")
    await credentials.close()
    assert {request.url.host for request in asked} == {login}
    scopes = [parse_qs(request.content.decode())["scope"][0] for request in asked if request.method == "POST"]
    assert [host in scope for host, scope in zip(wanted, scopes, strict=True)] == [True] * 3


async def test_a_renewed_refresh_token_goes_back_to_its_file(tmp_path: Path) -> None:
    path = tmp_path / "refresh"
    path.write_text("old-refresh")
    service = TinyService().answer(
        "POST", token_path(TENANT), {"access_token": TOKEN, "expires_in": 3599, "refresh_token": "renewed"}
    )
    credentials = Credentials(sam_settings(f"file:{path}"), over(service))
    await (await credentials.for_tenant(TENANT)).bearer(SCOPE)
    assert path.read_text() == "renewed"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("7000215", "client secret is wrong"),
        ("700082", "90 days. A person consents anew: firebreak credentials consent"),
        ("50076", "second factor"),
        ("53003", "Conditional Access"),
        ("1", "settings"),
    ],
)
async def test_refused_sign_ins_say_what_to_do_and_no_secret(code: str, hint: str) -> None:
    body = {
        "error": "invalid_grant",
        "error_description": f"AADSTS{code}: no. client_secret=hunter2 refresh_token=old-refresh",
    }
    service = TinyService().answer("POST", token_path(TENANT), body, status=400)
    source = await Credentials(sam_settings(), over(service)).for_tenant(TENANT)
    with pytest.raises(CredentialError, match=hint) as caught:
        await source.bearer(SCOPE)
    assert f"AADSTS{code}" in caught.value.message
    for secret in ("hunter2", "old-refresh"):
        assert secret not in str(caught.value)


async def test_an_unreachable_authority_is_told_apart() -> None:
    service = TinyService().fails("POST", token_path(TENANT), httpx.ConnectError)
    source = await Credentials(sam_settings(), over(service)).for_tenant(TENANT)
    with pytest.raises(UnreachableError, match=f"customer's tenant {TENANT}"):
        await source.bearer(SCOPE)


async def test_a_certificate_that_is_none_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text("nothing")
    for certificate, kind in (
        (f"file:{path}", CredentialError),
        (str(path), CredentialError),
        ("/nowhere.pem", SettingsError),
    ):
        settings = tiny_settings(
            credential={"kind": "certificate", "tenant_id": TENANT, "client_id": "app", "certificate": certificate}
        )
        with pytest.raises(kind, match="FIREBREAK_CREDENTIAL__CERTIFICATE"):
            await Credentials(settings, over(TinyService())).for_tenant(TENANT)


@pytest.mark.parametrize(
    "reference",
    [
        "keyvault:http://v.vault.azure.net/secrets/s",
        "keyvault:https://v.vault.azure.net.evil.example/secrets/s",
        "keyvault:https://v.vault.azure.net/keys/s",
        "keyvault:https://v.vault.azure.net:444/secrets/s",
        "keyvault:name",
    ],
)
async def test_a_key_vault_reference_must_be_one_of_this_cloud(reference: str) -> None:
    service = TinyService()
    with pytest.raises(SettingsError, match="not a Key Vault reference"):
        await reveal(SecretStr(reference), "X", tiny_settings(), transport=service)
    assert service.seen == []


def test_claims_are_read_from_a_token_and_not_from_an_opaque_one() -> None:
    assert claims_of(TOKEN)["oid"].startswith("9999")
    for opaque in ("", "abc", "a.b.c", "a.eyJ.c", "..."):
        assert claims_of(opaque) == {}
