"""Consent by a person: the authorization-code flow with its page, and the device-code flow. Whoever opens the page is whom they say they are.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow and v2-oauth2-device-code
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from azure_simulator.http import ArmError, Request, Response
from azure_simulator.services.signin import models
from azure_simulator.services.signin.exceptions import SignInRefusedError
from azure_simulator.world import Document, Principal, World

_HTML = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'none'"}
_CODE_MINUTES, _DEVICE_SECONDS, _INTERVAL = 10, 900, 1


def authorize(world: World, request: Request) -> Response:
    """GET: a page to sign in on. POST, from the page: back to the application with a code."""
    tenant = models.resolve_tenant(world, request.params["tenant"])
    asked = {
        name: request.q(name) for name in ("client_id", "redirect_uri", "state", "scope", "nonce", "code_challenge")
    }
    if models.find_app(world, asked["client_id"], tenant) is None:
        raise SignInRefusedError(world, 700016, asked["client_id"], tenant)
    if urlsplit(asked["redirect_uri"]).hostname not in ("localhost", "127.0.0.1"):
        raise ArmError(400, "invalid_request", "AADSTS50011: The redirect URI is not one of the application's.")
    if request.method == "GET":
        action = f"{request.path}?{urlencode(request.query)}"
        return Response(200, _page(world, f"Sign in for {asked['client_id']}", action), dict(_HTML))
    person, mfa = _who(world, _form(request))
    code = f"1.{_fresh(world)}"
    world.pending_consents[code] = {
        **asked,
        "kind": "code",
        "tenant": tenant,
        "person": person.object_id,
        "mfa": mfa,
        "until": world.clock.now() + timedelta(minutes=_CODE_MINUTES),
    }
    back = {"code": code, "state": asked["state"], "session_state": _fresh(world)}
    if request.q("response_mode") == "form_post":
        hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in back.items())
        page = f'<!doctype html><form method="post" action="{escape(asked["redirect_uri"])}">{hidden}<button>Go on</button></form>'
        return Response(200, page.encode(), dict(_HTML))
    return Response(302, None, {"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})


def device_code(world: World, request: Request) -> Response:
    """POST .../devicecode: a code for the application to poll with, and one for the person to type."""
    tenant = models.resolve_tenant(world, request.params["tenant"])
    form = _form(request)
    client = form.get("client_id", "")
    if models.find_app(world, client, tenant) is None:
        raise SignInRefusedError(world, 700016, client, tenant)
    device, user = _fresh(world), _fresh(world)[:9].upper()
    world.pending_consents[device] = {
        "kind": "device",
        "user_code": user,
        "client_id": client,
        "tenant": tenant,
        "scope": form.get("scope", ""),
        "until": world.clock.now() + timedelta(seconds=_DEVICE_SECONDS),
    }
    place = f"{world.base_url}/devicelogin"
    return Response(
        200,
        {
            "user_code": user,
            "device_code": device,
            "verification_uri": place,
            "expires_in": _DEVICE_SECONDS,
            "interval": _INTERVAL,
            "message": f"To sign in, use a web browser to open the page {place} and enter the code {user} to authenticate.",
        },
    )


def device_login(world: World, request: Request) -> Response:
    """The page where a person types the device's code."""
    if request.method == "GET":
        return Response(200, _page(world, "Enter the code", "/devicelogin", code=True), dict(_HTML))
    form = _form(request)
    answer_device(world, form.get("user_code", ""), *_who(world, form))
    return Response(200, b"<!doctype html><p>You may close this page.</p>", dict(_HTML))


def consent(world: World, body: Any) -> Response:
    """The control route `POST /_simulator/consent`: `{"user_code", "principal", "mfa"}`; without a principal the partner's first agent signs in."""
    given: Document = body if isinstance(body, dict) else {}
    form = {"principal": str(given.get("principal") or ""), "mfa": "on" if given.get("mfa", True) else ""}
    person, mfa = _who(world, form)
    answer_device(world, str(given.get("user_code", "")), person, mfa)
    return Response(200, {"principal": person.object_id, "upn": person.upn, "mfa": mfa})


def answer_device(world: World, user_code: str, person: Principal, mfa: bool) -> None:
    """Say who signed in with the code that a device shows.

    Raises:
        ArmError: 400, no device waits with this code.
    """
    for row in world.pending_consents.values():
        if row["kind"] == "device" and user_code and row["user_code"] == user_code.strip().upper():
            row |= {"person": person.object_id, "mfa": mfa}
            return
    raise ArmError(400, "InvalidCode", f"No device waits with the code {user_code!r}.")


@dataclass(frozen=True)
class Redeemed:
    """Who signed in and consented, whether with a second factor, to what, and the nonce to repeat."""

    person: Principal
    mfa: bool
    scope: str
    nonce: str


def redeem(world: World, form: dict[str, str]) -> Redeemed:
    """Redeem an authorization code or a device code.

    Raises:
        SignInRefusedError: not signed in yet, too late, redeemed before, or proven wrong.
    """
    kind = "code" if form.get("grant_type") == "authorization_code" else "device"
    name = form.get("code", "") if kind == "code" else form.get("device_code", "")
    row = world.pending_consents.get(name)
    if row is None or row["kind"] != kind or row.get("redeemed"):
        raise SignInRefusedError(world, 54005)
    if row["client_id"].lower() != form.get("client_id", "").lower():
        raise SignInRefusedError(world, 700007)
    if world.clock.now() > row["until"]:
        raise SignInRefusedError(world, 70008)
    if "person" not in row:
        raise SignInRefusedError(world, 70016)
    if kind == "code" and not _proves(row["code_challenge"], form.get("code_verifier", "")):
        raise SignInRefusedError(world, 501481)
    row["redeemed"] = True
    return Redeemed(world.principals[row["person"]], bool(row["mfa"]), str(row["scope"]), str(row.get("nonce", "")))


def _proves(challenge: str, verifier: str) -> bool:
    if not challenge:
        return True
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)


def _who(world: World, form: dict[str, str]) -> tuple[Principal, bool]:
    wanted = form.get("principal", "").lower()
    people = _people(world)
    found = [p for p in people if wanted in (p.object_id.lower(), p.upn.lower())] if wanted else people[:1]
    if not found:
        raise ArmError(400, "InvalidPrincipal", f"There is nobody called {wanted!r} who could sign in.")
    return found[0], form.get("mfa", "") in ("on", "true")


def _people(world: World) -> list[Principal]:
    """Those who may sign in, the partner's first."""
    able = [p for p in world.principals.values() if p.kind == "User" and p.enabled]
    return sorted(able, key=lambda p: p.tenant_id.lower() != world.partner_tenant_id.lower())


def _page(world: World, title: str, action: str, *, code: bool = False) -> bytes:
    rows = "".join(f'<option value="{escape(p.object_id)}">{escape(p.upn or p.name)}</option>' for p in _people(world))
    field = '<p><label>Code <input name="user_code" required></label></p>' if code else ""
    return (
        f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><h1>{escape(title)}</h1>'
        f'<form method="post" action="{escape(action)}">{field}<p><label>Who <select name="principal">{rows}</select></label></p>'
        '<p><label><input type="checkbox" name="mfa" checked> with a second factor</label></p><button>Sign in and consent</button></form>'
    ).encode()


def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _fresh(world: World) -> str:
    chance = world.memory.setdefault("request_chance", world.chance.child("requests"))
    return f"{chance.guid()}{chance.guid()}".replace("-", "")
