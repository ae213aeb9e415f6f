"""The secure application model over TLS, by MSAL itself: one consent for every tenant and service, and errors that name what was refused and where."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from pydantic import SecretStr

from firebreak.clients import Check, connect, doctor
from firebreak.clients.consent import Consent
from firebreak.clients.transports import trust
from firebreak.errors import AccessError, ContentError, CredentialError, MissingPermissionError, ResponseError
from firebreak.model.mode import Mode
from firebreak.settings import Settings
from tests.support.partner import Partnership, partnership

CORRELATION = "aaaaaaaa-0000-4000-8000-000000000001"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as found:
        yield found


async def reach_everything(place: Partnership, settings: Settings) -> None:
    """One read of each service, in the tenant that it wants."""
    async with connect(
        settings, subscription_id=place.subscription, mode=Mode.DRY_RUN, correlation_id=CORRELATION
    ) as connection:
        assert await connection.eyes.arm.list("/subscriptions", "2022-12-01")
        assert await connection.eyes.graph.list("/v1.0/users")
        assert await connection.eyes.graph.list("/beta/security/partner/securityAlerts") == []
        assert await connection.eyes.partner_center.list("/v1/customers")
        assert await connection.eyes.own_principal_ids() == (place.agent.object_id,)


async def test_one_consent_reaches_arm_graph_and_partner_center_and_is_renewed_each_time(place: Partnership) -> None:
    first = place.consent()
    await reach_everything(place, place.settings())
    asked = [row.url for row in place.world.requests if row.method == "POST" and row.url.endswith("/oauth2/v2.0/token")]
    customers, partners = f"/{place.world.tenant_id}/", f"/{place.world.partner_tenant_id}/"
    assert sorted({url.partition("oauth2")[0] for url in asked}) == sorted((customers, partners))
    assert len(asked) == 4  # ARM and Graph of the customer, Graph and Partner Center of the partner
    renewed = place.token_file.read_text()
    assert renewed != first
    assert place.generation(renewed) == len(asked)
    assert place.token_file.stat().st_mode & 0o777 == 0o600
    # A new process goes on with what lies there.
    await reach_everything(place, place.settings())
    assert place.generation(place.token_file.read_text()) == 2 * len(asked)
    reads = [row for row in place.world.requests if row.service == "partner"]
    assert {row.headers.get("validatemfa") for row in reads} == {"true"}


async def refused(place: Partnership, settings: Settings | None = None) -> ResponseError:
    """The error that reaching everything ends in."""
    with pytest.raises(ResponseError) as caught:
        await reach_everything(place, settings or place.settings())
    return caught.value


async def test_a_consent_that_ran_out_says_so(place: Partnership) -> None:
    place.consent()
    place.world.clock.advance(91 * 86_400)
    error = await refused(place)
    assert isinstance(error, CredentialError)
    assert f"the customer's tenant {place.world.tenant_id}" in error.message
    assert "https://management.azure.com" in error.message
    assert "AADSTS700082" in error.message
    assert "firebreak credentials consent" in error.hint


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (50020, "delegated admin relationship"),
        (65001, "adminconsent"),
        (50076, "second factor"),
        (50079, "second factor"),
        (50158, "firebreak credentials consent"),
        (53003, "Conditional Access"),
    ],
)
async def test_a_refusal_in_the_customers_tenant_names_it_and_what_to_do(
    place: Partnership, number: int, hint: str
) -> None:
    place.consent()
    place.world.refused_sign_ins[place.world.tenant_id.lower()] = number
    error = await refused(place)
    assert isinstance(error, CredentialError)
    assert f"AADSTS{number}" in error.message
    assert f"the customer's tenant {place.world.tenant_id}" in error.message
    assert hint in error.hint


async def test_a_wrong_tenant_is_named(place: Partnership) -> None:
    place.consent()
    wrong = "88888888-8888-4888-8888-888888888888"
    credential = place.settings().credential.model_copy(update={"tenant_id": wrong})
    error = await refused(place, place.settings().model_copy(update={"credential": credential}))
    assert isinstance(error, CredentialError)
    assert wrong in error.message
    assert "FIREBREAK_CREDENTIAL__TENANT_ID" in error.hint


async def test_revoked_sessions_and_a_foreign_consent_are_told_apart(place: Partnership) -> None:
    place.consent()
    place.agent.sessions_revoked_at = place.world.clock.now()
    assert "sessions were revoked" in (await refused(place)).hint
    place.agent.sessions_revoked_at = None
    place.token_file.write_text("not a token")
    assert "no refresh token" in (await refused(place)).hint


async def test_partner_center_without_a_second_factor_or_a_role_says_what_is_missing(
    place: Partnership, caplog: pytest.LogCaptureFixture
) -> None:
    place.consent(mfa=False)
    await reach_everything(place, place.settings())
    assert caplog.text.count("No second factor stands behind this partner's consent") == 1
    place.world.mfa_required = True
    error = await refused(place)
    assert isinstance(error, CredentialError)
    assert "900421" in error.message
    assert "second factor" in error.hint
    place.world.mfa_required, place.world.partner_role_missing = False, True
    error = await refused(place)
    assert isinstance(error, MissingPermissionError)
    assert "900308" in error.message
    assert "GDAP" in error.hint


async def checks_of(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in await doctor(settings)}


async def test_the_doctor_tells_identity_second_factor_age_and_registration(place: Partnership) -> None:
    place.consent()
    checks = await checks_of(place.settings())
    told = {name: checks[name] for name in ("sign-in", "partner sign-in", "second factor", "refresh token")}
    assert all(check.ok for check in told.values()), told
    assert "ada@partner.example" in told["sign-in"].detail
    assert place.agent.object_id in told["sign-in"].detail
    assert "renewed today; unused it ends in 90 days" in told["refresh token"].detail
    assert "No webhook is registered" in checks["webhook registration"].detail
    place.consent(mfa=False)
    checks = await checks_of(place.settings())
    assert not checks["second factor"].ok
    assert "isMfaCompliant: false" in checks["second factor"].detail
    assert "firebreak credentials consent" in checks["second factor"].hint


async def test_the_doctor_tells_whose_registration_it_is(place: Partnership) -> None:
    place.consent()
    ours = place.settings(intake={"public_url": "https://ir.example.com"})
    assert not (await checks_of(ours))["webhook registration"].ok
    place.world.partner["webhook"] = {
        "WebhookUrl": "https://other.example.net/hooks",
        "WebhookEvents": ["azure-fraud-event-detected"],
    }
    assert (
        "Not this installation's: https://other.example.net" in (await checks_of(ours))["webhook registration"].detail
    )
    place.world.partner["webhook"]["WebhookUrl"] = "https://ir.example.com/hooks/partner-center"
    assert (await checks_of(ours))["webhook registration"].ok
    place.world.partner["webhook"]["WebhookEvents"] = ["test-created"]
    assert "Fraud events are not registered" in (await checks_of(ours))["webhook registration"].detail


async def test_a_token_that_cannot_be_kept_does_not_end_the_run_and_is_told(
    place: Partnership, caplog: pytest.LogCaptureFixture
) -> None:
    token = place.consent()
    os.environ["APP_REFRESH"] = token
    try:
        credential = place.settings().credential.model_copy(update={"refresh_token": SecretStr("env:APP_REFRESH")})
        settings = place.settings().model_copy(update={"credential": credential})
        await reach_everything(place, settings)
        check = (await checks_of(settings))["refresh token"]
    finally:
        del os.environ["APP_REFRESH"]
    assert not check.ok
    assert "not kept" in check.detail
    assert token not in caplog.text + check.detail


async def test_a_consent_that_was_given_meanwhile_is_not_overwritten(place: Partnership) -> None:
    place.consent()
    async with connect(
        place.settings(), subscription_id=place.subscription, mode=Mode.DRY_RUN, correlation_id=CORRELATION
    ) as connection:
        await connection.eyes.arm.list("/subscriptions", "2022-12-01")
        anew = place.consent()
        await connection.eyes.partner_center.list("/v1/customers")
        # It was read anew before its use, and renewed: what came of the old consent is nowhere.
        assert place.generation(place.token_file.read_text()) > place.generation(anew)


async def signed_in_on_the_page(place: Partnership, address: str, *, mfa: bool) -> None:
    """Do what a person does in a browser."""
    async with httpx.AsyncClient(verify=trust(Path(place.ca_bundle))) as browser:
        page = await browser.get(address)
        (action,) = re.findall(r'<form method="post" action="([^"]+)"', page.text)
        form = {"principal": place.agent.upn} | ({"mfa": "on"} if mfa else {})
        back = await browser.post(urljoin(address, unescape(action)), data=form)
        (target,) = re.findall(r'<form method="post" action="([^"]+)"', back.text)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', back.text))
        await browser.post(unescape(target), data={name: unescape(value) for name, value in fields.items()})


@pytest.mark.parametrize("mfa", [True, False])
async def test_consent_in_a_browser_puts_a_token_in_its_place(place: Partnership, mfa: bool) -> None:
    shown: asyncio.Queue[str] = asyncio.Queue()
    async with Consent(place.settings()) as consent:
        asking = asyncio.create_task(consent.in_browser(port=0, show=shown.put_nowait))
        await signed_in_on_the_page(place, await asyncio.wait_for(shown.get(), 60), mfa=mfa)
        given = await asking
    assert (given.account, given.object_id) == (place.agent.upn, place.agent.object_id)
    token = place.token_file.read_text()
    assert place.world.grants[token].mfa is mfa
    assert token not in repr(given)
    await reach_everything(place, place.settings())
    assert (await checks_of(place.settings()))["second factor"].ok is mfa


async def test_consent_with_a_device_code_waits_until_a_person_signed_in(place: Partnership) -> None:
    shown: asyncio.Queue[str] = asyncio.Queue()
    async with Consent(place.settings()) as consent:
        asking = asyncio.create_task(consent.by_device(show=shown.put_nowait))
        (code,) = re.findall(r"code (\w+)", await asyncio.wait_for(shown.get(), 60))
        async with httpx.AsyncClient(verify=trust(Path(place.ca_bundle))) as browser:
            answer = await browser.post(
                f"{place.world.base_url}/_simulator/consent", json={"user_code": code, "principal": place.agent.upn}
            )
        assert answer.status_code == 200
        given = await asking
    assert given.account == place.agent.upn
    await reach_everything(place, place.settings())


async def test_a_consent_needs_a_place_and_the_right_kind(place: Partnership) -> None:
    credential = place.settings().credential
    plain = credential.model_copy(update={"refresh_token": SecretStr("a-token-as-it-is")})
    with pytest.raises(ContentError, match="no place"):
        await Consent(place.settings().model_copy(update={"credential": plain})).__aenter__()
    (place.folder / "taken").write_text("a file, no folder")
    nowhere = credential.model_copy(update={"refresh_token": SecretStr(f"file:{place.folder}/taken/token")})
    with pytest.raises(CredentialError, match="could be kept"):
        await Consent(place.settings().model_copy(update={"credential": nowhere})).__aenter__()
    with pytest.raises(ContentError, match="nobody consents"):
        Consent(place.settings().model_copy(update={"credential": credential.model_copy(update={"kind": "default"})}))


async def test_a_wrong_client_secret_at_the_consent_is_told_without_it(place: Partnership) -> None:
    credential = place.settings().credential.model_copy(update={"client_secret": SecretStr("mistyped-secret")})
    async with Consent(place.settings().model_copy(update={"credential": credential})) as consent:
        shown: asyncio.Queue[str] = asyncio.Queue()
        asking = asyncio.create_task(consent.in_browser(port=0, show=shown.put_nowait))
        await signed_in_on_the_page(place, await asyncio.wait_for(shown.get(), 60), mfa=True)
        with pytest.raises(AccessError, match="the partner's tenant") as caught:
            await asking
    assert "client secret is wrong" in caught.value.hint
    assert "mistyped" not in str(caught.value)
