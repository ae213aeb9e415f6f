"""Sign-in: who gets a token, who is refused and with which number, and when a token stops working."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from azure_simulator.app import dispatch
from azure_simulator.http import Request, Response
from azure_simulator.services.signin.exceptions import SIGN_IN_REFUSALS
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal, World


def ask(world: World, tenant: str, *, v1: bool = False, **form: str) -> Response:
    path = f"/{tenant}/oauth2/token" if v1 else f"/{tenant}/oauth2/v2.0/token"
    return dispatch(world, Request("POST", path, {}, {}, urlencode(form).encode()))


def claims(answer: Response) -> dict[str, Any]:
    part = answer.body["access_token"].split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def test_a_client_secret_buys_a_token_that_works(world: World, responder: Principal, send: Any) -> None:
    answer = ask(
        world,
        world.tenant_id,
        grant_type="client_credentials",
        client_id=responder.app_id,
        client_secret="responder-secret",
        scope="https://management.azure.com/.default",
    )
    assert answer.status == 200
    assert claims(answer) | {
        "oid": responder.object_id,
        "tid": world.tenant_id,
        "appid": responder.app_id,
        "idtyp": "app",
    } == claims(answer)
    assert send("GET", "/subscriptions", token=answer.body["access_token"]).body["value"]


@pytest.mark.parametrize(
    ("change", "status", "number"),
    [
        ({"client_secret": "wrong"}, 401, 7000215),
        ({"client_secret": ""}, 401, 7000216),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, 400, 700016),
        ({"client_assertion": "a.b.c", "client_secret": ""}, 401, 700027),
        ({"grant_type": "password"}, 400, 50076),
        ({"grant_type": "device_code"}, 400, 70003),
        ({"grant_type": "refresh_token", "refresh_token": "unknown"}, 400, 9002313),
    ],
)
def test_refusals_carry_entras_numbers(
    world: World, responder: Principal, change: dict[str, str], status: int, number: int
) -> None:
    form = {"grant_type": "client_credentials", "client_id": responder.app_id, "client_secret": "responder-secret"}
    answer = ask(world, world.tenant_id, **(form | change))
    assert (answer.status, answer.body["error_codes"]) == (status, [number])
    assert f"AADSTS{number}" in answer.body["error_description"]


def test_an_unknown_tenant_is_named(world: World, responder: Principal) -> None:
    answer = ask(
        world, "11111111-0000-0000-0000-000000000000", grant_type="client_credentials", client_id=responder.app_id
    )
    assert answer.body["error_codes"] == [90002]


@pytest.mark.parametrize("v1", [False, True])
def test_each_use_of_a_refresh_token_gives_a_new_one_and_revokes_none(
    world: World, owner: Principal, responder: Principal, v1: bool
) -> None:
    owner.refresh_tokens.append("first")
    form = {"grant_type": "refresh_token", "client_id": responder.app_id, "client_secret": "responder-secret"}
    answer = ask(world, world.tenant_id, v1=v1, refresh_token="first", resource="https://graph/", **form)
    assert claims(answer)["oid"] == owner.object_id
    assert claims(answer)["appid"] == responder.app_id
    second = ask(world, world.tenant_id, refresh_token=answer.body["refresh_token"], **form)
    assert len({"first", answer.body["refresh_token"], second.body["refresh_token"]}) == 3
    assert ask(world, world.tenant_id, refresh_token="first", **form).status == 200
    assert ask(world, world.tenant_id, refresh_token="never", **form).body["error_codes"] == [9002313]


def test_a_refresh_token_dies_of_its_own_age_and_is_its_applications_alone(
    world: World, owner: Principal, responder: Principal
) -> None:
    owner.refresh_tokens.append("first")
    form = {"grant_type": "refresh_token", "client_id": responder.app_id, "client_secret": "responder-secret"}
    second = ask(world, world.tenant_id, refresh_token="first", **form).body["refresh_token"]
    world.clock.advance(89 * 86_400)
    third = ask(world, world.tenant_id, refresh_token=second, **form).body["refresh_token"]
    world.clock.advance(2 * 86_400)
    refused = ask(world, world.tenant_id, refresh_token=second, **form)
    assert refused.body["error_codes"] == [700082]
    assert ask(world, world.tenant_id, refresh_token=third, **form).status == 200
    other = Principal("other", "ServicePrincipal", "other", app_id="other-app", tenant_id=world.tenant_id)
    world.principals["other"] = other
    stolen = ask(world, world.tenant_id, grant_type="refresh_token", client_id="other-app", refresh_token=third)
    assert stolen.body["error_codes"] == [700007]


@pytest.mark.parametrize("number", SIGN_IN_REFUSALS)
def test_peoples_sign_ins_can_be_refused_in_one_tenant(
    world: World, owner: Principal, responder: Principal, number: int
) -> None:
    owner.refresh_tokens.append("first")
    world.refused_sign_ins[world.tenant_id.lower()] = number
    form = {"grant_type": "refresh_token", "client_id": responder.app_id, "client_secret": "responder-secret"}
    assert ask(world, world.tenant_id, refresh_token="first", **form).body["error_codes"] == [number]
    assert ask(world, world.partner_tenant_id, refresh_token="first", **form).status == 200


def test_refresh_tokens_die_with_revoked_sessions(world: World, owner: Principal, responder: Principal) -> None:
    owner.refresh_tokens.append("first")
    owner.sessions_revoked_at = world.clock.now()
    answer = ask(world, world.tenant_id, grant_type="refresh_token", client_id=responder.app_id, refresh_token="first")
    assert answer.body["error_codes"] == [50173]


def test_an_assertion_signed_by_a_registered_certificate_is_accepted(world: World, responder: Principal) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "responder")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )

    def part(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    payload = part(b'{"alg":"RS256"}') + "." + part(json.dumps({"iss": responder.app_id}).encode())
    assertion = f"{payload}.{part(key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256()))}"
    form = {"grant_type": "client_credentials", "client_id": responder.app_id, "client_assertion": assertion}
    assert ask(world, world.tenant_id, **form).body["error_codes"] == [700027]
    responder.certificates.append(certificate.public_bytes(serialization.Encoding.PEM).decode())
    assert ask(world, world.tenant_id, **form).status == 200


def test_a_disabled_app_gets_no_token_and_its_token_stops_working(
    world: World, responder: Principal, send: Any
) -> None:
    token = issue(world, responder)
    responder.enabled = False
    assert ask(
        world,
        world.tenant_id,
        grant_type="client_credentials",
        client_id=responder.app_id,
        client_secret="responder-secret",
    ).body["error_codes"] == [7000112]
    answer = send("GET", "/subscriptions", token=token)
    assert answer.status == 401
    assert "insufficient_claims" in answer.headers["WWW-Authenticate"]


def test_tokens_expire_on_the_worlds_clock(world: World, responder: Principal, send: Any) -> None:
    token = issue(world, responder)
    world.clock.advance(world.token_seconds - 1)
    assert send("GET", "/subscriptions", token=token).status == 200
    world.clock.advance(2)
    answer = send("GET", "/subscriptions", token=token)
    assert (answer.status, answer.body["error"]["code"]) == (401, "ExpiredAuthenticationToken")


def test_only_tokens_issued_before_the_revocation_are_refused(world: World, responder: Principal, send: Any) -> None:
    old = issue(world, responder)
    responder.sessions_revoked_at = world.clock.now() + timedelta(seconds=1)
    world.clock.advance(2)
    assert send("GET", "/subscriptions", token=old).status == 401
    assert send("GET", "/subscriptions", token=issue(world, responder)).status == 200


@pytest.mark.parametrize("damage", ["", "nonsense", "e30.e30.e30"])
def test_a_missing_or_forged_token_is_refused(send: Any, damage: str) -> None:
    answer = send("GET", "/subscriptions", token=damage)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_of_another_tenant_does_not_open_the_subscription(
    world: World, responder: Principal, send: Any, subscription: str
) -> None:
    answer = send("GET", subscription, token=issue(world, responder, tenant=world.partner_tenant_id))
    assert (answer.status, answer.body["error"]["code"]) == (401, "InvalidAuthenticationTokenTenant")


def test_metadata_is_an_object_now_and_a_list_for_old_clients(send: Any) -> None:
    assert send("GET", "/metadata/endpoints", token="", version="2022-09-01").body["authentication"]["audiences"]
    assert isinstance(send("GET", "/metadata/endpoints", token="", version="2020-06-01").body, list)


@pytest.mark.parametrize("path", ["common/v2.0", "organizations/v2.0", "common"])
def test_openid_configuration_names_the_token_endpoint(world: World, send: Any, path: str) -> None:
    body = send("GET", f"/{path}/.well-known/openid-configuration", token="", version="").body
    assert body["token_endpoint"].startswith(world.base_url)
    assert body["token_endpoint"].endswith("/token")


def test_secrets_of_the_token_route_are_not_logged(world: World, responder: Principal) -> None:
    ask(
        world,
        world.tenant_id,
        grant_type="client_credentials",
        client_id=responder.app_id,
        client_secret="responder-secret",
    )
    assert "responder-secret" not in repr(world.requests)
    assert "client_id" in world.requests[-1].body
