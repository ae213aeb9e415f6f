"""Tokens: who may have one, how they are made and read.

Access tokens are JWTs signed with a key made from the world's seed; they live `world.token_seconds` on the world's clock and die early
when their principal is disabled or its sessions are revoked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from azure_simulator.events import token_id
from azure_simulator.services.signin.exceptions import SignInRefusedError, TokenRefusedError
from azure_simulator.world import Document, Principal, World

SHARED_TENANTS = ("common", "organizations")


def known_tenants(world: World) -> set[str]:
    """Every tenant that has a sign-in endpoint here, lower-case."""
    tenants = {world.tenant_id, world.partner_tenant_id, *(p.tenant_id for p in world.principals.values())}
    tenants |= set(world.partner.get("customers") or {})
    return {tenant.lower() for tenant in tenants if tenant}


def resolve_tenant(world: World, name: str) -> str:
    """The tenant that a sign-in path names; `common` and `organizations` mean the customer's.

    Raises:
        SignInRefusedError: AADSTS90002.
    """
    if name.lower() in SHARED_TENANTS:
        return world.tenant_id
    if name.lower() not in known_tenants(world):
        raise SignInRefusedError(world, 90002, name)
    return name


def find_app(world: World, client_id: str, tenant: str) -> Principal | None:
    """The service principal of an app, the one at home in `tenant` first. Apps here are consented to in every known tenant."""
    found = [
        p for p in world.principals.values() if p.app_id.lower() == client_id.lower() and p.kind == "ServicePrincipal"
    ]
    return next((p for p in found if p.tenant_id.lower() == tenant.lower()), found[0] if found else None)


def issue(
    world: World,
    principal: Principal,
    *,
    tenant: str = "",
    audience: str = "",
    app_id: str = "",
    mfa: bool | None = None,
) -> str:
    """An access token for a principal, whatever its state: also how tests and scenarios get one without signing in.

    `mfa` is whether a second factor was used; None leaves it out of the token.
    """
    now = world.clock.now()
    issued = int(now.timestamp())
    tenant = tenant or principal.tenant_id or world.tenant_id
    claims: Document = {
        "aud": audience or "https://management.azure.com/",
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": issued,
        "nbf": issued,
        "exp": issued + world.token_seconds,
        "appid": app_id or principal.app_id,
        "appidacr": "1",
        "idtyp": "user" if principal.kind == "User" else "app",
        "oid": principal.object_id,
        "sub": principal.object_id,
        "tid": tenant,
        "uti": token_id(str(world.seed), principal.object_id, now.isoformat()),
        "ver": "1.0",
        "xms_iat_us": int(now.timestamp() * 1_000_000),
    }
    if principal.kind == "User":
        claims |= {
            "upn": principal.upn,
            "unique_name": principal.upn,
            "name": principal.name,
            "scp": "user_impersonation",
        }
        if mfa is not None:
            claims["amr"] = ["pwd", "mfa"] if mfa else ["pwd"]
    header = _encode({"typ": "JWT", "alg": "HS256", "kid": "simulator"})
    payload = f"{header}.{_encode(claims)}"
    return f"{payload}.{_sign(world, payload)}"


def identify(world: World, person: Principal, *, tenant: str, client_id: str, nonce: str = "") -> str:
    """An id token: who signed in, for the application that asked."""
    issued = int(world.clock.now().timestamp())
    claims: Document = {
        "aud": client_id,
        "iss": f"{world.base_url}/{tenant}/v2.0",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 3600,
        "name": person.name,
        "oid": person.object_id,
        "preferred_username": person.upn,
        "sub": person.object_id,
        "tid": person.tenant_id or tenant,
        "ver": "2.0",
    }
    if nonce:
        claims["nonce"] = nonce
    payload = f"{_encode({'typ': 'JWT', 'alg': 'HS256', 'kid': 'simulator'})}.{_encode(claims)}"
    return f"{payload}.{_sign(world, payload)}"


def read_token(world: World, header: str) -> tuple[Principal, Document]:
    """The principal and claims of an `Authorization` header. The audience is not compared: any of the cloud's own is accepted.

    Raises:
        TokenRefusedError: 401 with the code Azure Resource Manager gives.
    """
    scheme, _, token = header.partition(" ")
    if not token or scheme.lower() != "bearer":
        raise TokenRefusedError(
            world,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing or not a bearer token.",
        )
    claims = _claims(world, token.strip())
    principal = world.principals.get(claims["oid"])
    if principal is None:
        raise TokenRefusedError(world, "InvalidAuthenticationToken", "The access token names an unknown principal.")
    if claims["exp"] <= world.clock.now().timestamp():
        raise TokenRefusedError(
            world, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time."
        )
    issued = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=claims["xms_iat_us"])
    revoked = principal.sessions_revoked_at
    if not principal.enabled or (revoked is not None and issued <= revoked):
        raise TokenRefusedError(
            world,
            "InvalidAuthenticationToken",
            "Continuous access evaluation resulted in a challenge: the token was revoked or its principal is disabled.",
            challenge=True,
        )
    return principal, claims


def token_of(access: str) -> str:
    """The id of an access token, its claim `uti`."""
    body = access.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["uti"])


def _claims(world: World, token: str) -> Document:
    cache: dict[str, Document] = world.memory.setdefault("token_claims", {})
    if token in cache:
        return cache[token]
    payload, _, signature = token.rpartition(".")
    if not payload or not hmac.compare_digest(signature, _sign(world, payload)):
        raise TokenRefusedError(world, "InvalidAuthenticationToken", "The access token is invalid.")
    body = payload.split(".")[1]
    claims: Document = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    cache[token] = claims
    return claims


def _sign(world: World, payload: str) -> str:
    key = hashlib.sha256(f"azure-simulator/{world.seed}/{world.tenant_id}".encode()).digest()
    return base64.urlsafe_b64encode(hmac.new(key, payload.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()


def _encode(document: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).rstrip(b"=").decode()
