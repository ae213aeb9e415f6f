"""Deliveries that must open nothing, as data: what is sent, which status answers, what the reason says, whether the bytes are kept.

Each case is sent over a real socket to a running intake; `tests/flows/test_bad_deliveries.py` does it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from azure_simulator.services.partner_center import signing
from tests.support.intake import Installation

HOOK = "/hooks/partner-center"
BLOB = "https://3psostorageacct.blob.core.windows.net/cert"
FOREIGN = "77777777-7777-4777-8777-777777777777"
Headers = list[tuple[str, str]]
Build = Callable[[Installation], tuple[bytes, Headers]]


@dataclass(frozen=True)
class Bad:
    """One case. `kept` is the state of the kept delivery, "" when nothing is kept; `fetched_within` the seconds for its certificate, if others."""

    name: str
    build: Build
    status: int
    reason: str
    kept: str = ""
    path: str = HOOK
    fetched_within: float = 0


class Certificates:
    """What else lies in the storage account of this test: name to bytes."""

    def __init__(self, place: Installation) -> None:
        real, now = signing.signers(place.world), datetime.now(UTC)
        stranger = signing.make("Another Root", None, is_authority=True)
        impostor = signing.make("Simulated Issuing CA 01", stranger, is_authority=True)
        elsewhere = signing.make("Contoso CA", real.root, is_authority=True, organization="Contoso")
        almost = signing.make("Almost CA", real.root, is_authority=True, organization="Microsoft Corporation Ltd")
        end = signing.make("not-an-authority", real.issuer)
        self.signers = {
            "expired": signing.make("old", real.issuer, start=now - timedelta(days=40), days=30),
            "early": signing.make("young", real.issuer, start=now + timedelta(days=1), days=30),
            "foreign": signing.make("foreign", impostor),
            "self": signing.make("self", None),
            "organization": signing.make("contoso", elsewhere),
            "almost": signing.make("almost", almost),
            "weak": signing.make("weak", real.issuer, bits=1024),
            "below-end": signing.make("below", end),
            "no-chain": signing.make(
                "orphan", real.issuer, issuer_url="http://www.microsoft.com/pkiops/certs/none.crt"
            ),
            "elsewhere": signing.make("elsewhere", real.issuer, issuer_url="http://169.254.169.254/latest/ca.crt"),
            "good": real.signer,
        }
        self.files = {f"{name}.cer": one.der for name, one in self.signers.items()}
        self.files |= {
            "text.cer": b"<html>not found</html>",
            "empty.cer": b"",
            "key.cer": real.root.pem.replace(b"CERTIFICATE", b"PRIVATE KEY"),
            "huge.cer": b"x" * 200_000,
            "half.cer": real.signer.der[:400],
        }


def _event(change: Callable[[Installation, bytes], tuple[bytes, Headers]]) -> Build:
    return lambda place: change(place, place.event())


def _with(**changes: str | None) -> Build:
    """A good delivery whose headers are changed (None: left out); `_` stands for `-`."""

    def change(place: Installation, body: bytes) -> tuple[bytes, Headers]:
        headers = dict(place.signed(body))
        for name, value in changes.items():
            for known in [one for one in headers if one.lower() == name.replace("_", "-").lower()]:
                del headers[known]
            if value is not None:
                headers[name.replace("_", "-")] = value
        return body, list(headers.items())

    return _event(change)


def _url(url: str) -> Build:
    return _with(X_MS_Certificate_Url=url)


def _signed_by(name: str) -> Build:
    def build(place: Installation) -> tuple[bytes, Headers]:
        body = place.event()
        headers = signing.headers(certificates(place).signers[name], body)
        return body, list({**headers, "X-MS-Certificate-Url": f"{BLOB}/{name}.cer"}.items())

    return build


def _body(change: Callable[[bytes], bytes]) -> Build:
    """Another body than the one that was signed."""

    def build(place: Installation) -> tuple[bytes, Headers]:
        body = place.event()
        return change(body), list(place.signed(body).items())

    return build


def _authentic(content: bytes | Callable[[Installation], bytes]) -> Build:
    """Any bytes, truly signed."""

    def build(place: Installation) -> tuple[bytes, Headers]:
        body = content if isinstance(content, bytes) else content(place)
        return body, list(place.signed(body).items())

    return build


def _changed(**changes: Any) -> Build:
    """A truly signed event with other properties (None: left out)."""

    def content(place: Installation) -> bytes:
        document = json.loads(place.event())
        for name, value in changes.items():
            document.pop(name, None)
            if value is not None:
                document[name] = value
        return json.dumps(document).encode()

    return _authentic(content)


def _signature(make: Callable[[Installation, bytes], bytes]) -> Build:
    def build(place: Installation) -> tuple[bytes, Headers]:
        body = place.event()
        headers = {**place.signed(body), "Authorization": f"Signature {base64.b64encode(make(place, body)).decode()}"}
        return body, list(headers.items())

    return build


def _twice(name: str) -> Build:
    def build(place: Installation) -> tuple[bytes, Headers]:
        body = place.event()
        headers = list(place.signed(body).items())
        return body, [*headers, (name, dict(headers)[name])]

    return build


def certificates(place: Installation) -> Certificates:
    """Those of this world, made once."""
    made: Certificates = place.world.memory.setdefault("test.certificates", None) or Certificates(place)
    place.world.memory["test.certificates"] = made
    return made


def _key(place: Installation) -> Any:
    return signing.signers(place.world).signer.key


def _elliptic(_: Installation, body: bytes) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).sign(body, ec.ECDSA(hashes.SHA256())).ljust(256, b"\0")


_DUPLICATE = b'{"EventName":"invoice-ready","EventName":"azure-fraud-event-detected","ResourceUri":null}'
_DEEP = b'{"EventName":"azure-fraud-event-detected","a":' + b"[" * 3000 + b"]" * 3000 + b"}"

PARTNER_CENTER: Sequence[Bad] = (
    # Headers
    Bad("no headers", _event(lambda _, body: (body, [])), 401, "are required"),
    Bad("no signature", _with(Authorization=None), 401, "are required"),
    Bad("no certificate", _with(X_MS_Certificate_Url=None), 401, "are required"),
    Bad("no algorithm", _with(X_MS_Signature_Algorithm=None), 401, "are required"),
    Bad("empty signature", _with(Authorization="Signature"), 401, "not Signature"),
    Bad("another scheme", _with(Authorization="Bearer abc"), 401, "scheme"),
    Bad("bare signature in Authorization", _with(Authorization="QUJD"), 401, "not Signature"),
    Bad("signature is not base64", _with(Authorization="Signature ***"), 401, "not base64"),
    Bad("signature is short", _with(Authorization="Signature QUJD"), 401, "no length"),
    Bad("signature is long", _with(Authorization="Signature " + "QUJD" * 1000), 401, "no length"),
    Bad("two signatures", _twice("Authorization"), 401, "there twice"),
    Bad("two certificates", _twice("X-MS-Certificate-Url"), 401, "there twice"),
    Bad("two algorithms", _twice("X-MS-Signature-Algorithm"), 401, "there twice"),
    # Algorithms
    *(
        Bad(f"algorithm {name}", _with(X_MS_Signature_Algorithm=name), 401, "algorithm is not")
        for name in ("rsa-sha1", "rsa-md5", "none", "hmac-sha256", "ecdsa-sha256", "rsa-sha256, rsa-sha1")
    ),
    # Certificate addresses
    Bad("certificate over http", _url(f"{BLOB}/good.cer".replace("https", "http")), 401, "is not https"),
    Bad("certificate in a file", _url("file:///etc/passwd"), 401, "is not https"),
    Bad("certificate on another host", _url("https://attacker.example/cert/good.cer"), 401, "not among those"),
    Bad("host that begins right", _url(f"{BLOB}".replace(".net", ".net.attacker.example") + "/good.cer"), 401, "not among"),
    Bad("host that ends right", _url("https://x3psostorageacct.blob.core.windows.net/cert/good.cer"), 401, "not among"),
    Bad("certificate on an address", _url("https://169.254.169.254/cert/good.cer"), 401, "not among those"),
    Bad("certificate on this machine", _url("https://localhost/cert/good.cer"), 401, "not among those"),
    Bad("certificate on IPv6", _url("https://[::1]/cert/good.cer"), 401, "port"),
    Bad("certificate with a port", _url("https://3psostorageacct.blob.core.windows.net:8443/cert/good.cer"), 401, "port"),
    Bad("certificate with the default port", _url("https://3psostorageacct.blob.core.windows.net:443/cert/a.cer"), 401, "port"),
    Bad("certificate with a user", _url("https://a:b@3psostorageacct.blob.core.windows.net/cert/good.cer"), 401, "user"),
    Bad("certificate with a query", _url(f"{BLOB}/good.cer?x=1"), 401, "query"),
    Bad("certificate with a fragment", _url(f"{BLOB}/good.cer#x"), 401, "query or a fragment"),
    Bad("certificate beside the folder", _url(f"{BLOB}/../good.cer"), 401, "not one of a certificate"),
    Bad("certificate in another folder", _url(f"{BLOB}s/good.cer"), 401, "not one of a certificate"),
    Bad("certificate of another kind", _url(f"{BLOB}/good.pem"), 401, "not one of a certificate"),
    Bad("certificate with a backslash", _url(f"{BLOB}\\good.cer"), 401, "characters"),
    Bad("certificate behind a blank", _url(f"{BLOB}/good.cer x"), 401, "characters"),
    Bad("address without end", _url(f"{BLOB}/{'a' * 2000}.cer"), 401, "too long"),
    Bad("no address at all", _url("certificate"), 401, "is not https"),
    Bad("broken address", _url("https://[/cert/a.cer"), 401, "no address"),
    # Certificates
    Bad("certificate is not there", _url(f"{BLOB}/none.cer"), 401, "no certificate at"),
    Bad("certificate is elsewhere", _url(f"{BLOB}/redirect.cer"), 401, "status 302"),
    Bad("certificate is a page", _url(f"{BLOB}/text.cer"), 401, "is no certificate"),
    Bad("certificate is empty", _url(f"{BLOB}/empty.cer"), 401, "is no certificate"),
    Bad("certificate is a key", _url(f"{BLOB}/key.cer"), 401, "is no certificate"),
    Bad("certificate is cut off", _url(f"{BLOB}/half.cer"), 401, "is no certificate"),
    Bad("certificate is huge", _url(f"{BLOB}/huge.cer"), 401, "no certificate at"),
    Bad("certificate does not come", _url(f"{BLOB}/slow.cer"), 503, "cannot be fetched", fetched_within=0.5),
    Bad("certificate has ended", _signed_by("expired"), 401, "does not chain"),
    Bad("certificate has not begun", _signed_by("early"), 401, "does not chain"),
    Bad("certificate of another root", _signed_by("foreign"), 401, "does not chain"),
    Bad("certificate of itself", _signed_by("self"), 401, "does not chain"),
    Bad("issuer is another company", _signed_by("organization"), 401, "organization"),
    Bad("issuer is almost the company", _signed_by("almost"), 401, "organization"),
    Bad("key is short", _signed_by("weak"), 401, "at least 2048"),
    Bad("issuer is no authority", _signed_by("below-end"), 401, "organization|does not chain"),
    Bad("issuer is not to be found", _signed_by("no-chain"), 401, "no certificate at|does not chain"),
    Bad("issuer is on a private address", _signed_by("elsewhere"), 401, "does not chain"),
    # Signatures
    Bad("another body", _body(lambda body: body + b" "), 401, "does not match"),
    Bad("one byte changed", _body(lambda body: body.replace(b"fraud", b"Fraud", 1)), 401, "does not match"),
    Bad("serialised anew", _body(lambda body: json.dumps(json.loads(body)).encode()), 401, "does not match"),
    Bad("printed with indent", _body(lambda body: json.dumps(json.loads(body), indent=2).encode()), 401, "does not match"),
    Bad("empty body", _body(lambda _: b""), 401, "does not match"),
    Bad("signature of another key", _signature(lambda _, b: signing.make("x", None).key.sign(b, padding.PKCS1v15(), hashes.SHA256())), 401, "does not match"),
    Bad("signature with PSS", _signature(lambda p, b: _key(p).sign(b, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())), 401, "does not match"),
    Bad("signature with SHA-1's sister", _signature(lambda p, b: _key(p).sign(b, padding.PKCS1v15(), hashes.SHA512())), 401, "does not match"),
    Bad("signature of an elliptic key", _signature(_elliptic), 401, "does not match"),
    Bad("signature of nothing", _signature(lambda *_: bytes(256)), 401, "does not match"),
    # Bodies
    Bad("too large", _authentic(b'{"a":"' + b"x" * 1_100_000 + b'"}'), 413, "at most"),
    Bad("wrong content type", _with(Content_Type="text/plain"), 415, "Content-Type"),
    Bad("a form", _with(Content_Type="application/x-www-form-urlencoded"), 415, "Content-Type"),
    Bad("packed", _with(Content_Encoding="gzip"), 415, "packed"),
    # Authentic, kept, and no alert
    Bad("signed: nothing", _authentic(b""), 422, "not JSON", "kept"),
    Bad("signed: cut off", _authentic(b'{"EventName":"azure-fraud-event-det'), 422, "not JSON", "kept"),
    Bad("signed: not UTF-8", _authentic(b'{"EventName":"\xff\xfe"}'), 422, "not JSON", "kept"),
    Bad("signed: a key twice", _authentic(_DUPLICATE), 422, "there twice", "kept"),
    Bad("signed: nested deep", _authentic(_DEEP), 422, "nested|recursion", "kept"),
    Bad("signed: half a character", _authentic(b'{"EventName":"\\ud800"}'), 422, "half a character", "kept"),
    Bad("signed: no number", _authentic(b'{"EventName":NaN}'), 422, "is no number", "kept"),
    Bad("signed: a list", _authentic(b"[1,2]"), 202, "no EventName", "kept"),
    Bad("signed: no event", _authentic(b'{"a":1}'), 202, "no EventName", "kept"),
    Bad("signed: unknown event", _changed(EventName="made-up-yesterday"), 202, "opens no incident", "kept"),
    Bad("signed: event is a number", _changed(EventName=7), 202, "opens no incident", "kept"),
    Bad("signed: no address", _changed(ResourceUri=None), 202, "names 0 subscriptions", "kept"),
    Bad("signed: broken address", _changed(ResourceUri="https://[?SubscriptionId=1"), 202, "names 0", "kept"),
    Bad("signed: two subscriptions", _changed(ResourceUri=f"https://a/b?SubscriptionId={FOREIGN}&subscriptionid={FOREIGN}"), 202, "names 2", "kept"),
    Bad("signed: no subscription id", _changed(ResourceUri="https://a/b?SubscriptionId=../../x"), 202, "SubscriptionId", "kept"),
    Bad("signed: no time", _changed(ResourceChangeUtcDate="yesterday"), 202, "is not a time", "kept"),
    Bad("signed: unknown subscription", _changed(ResourceUri=f"https://a/b?SubscriptionId={FOREIGN}"), 202, "does not list", "waiting"),
)  # fmt: skip


KEY = "a shared key of this installation"
MONITOR = "/hooks/azure-monitor"
_DATA = Path(__file__).parents[1] / "data" / "intake"


def _keyed(sample: str | bytes, *headers: tuple[str, str], key: str | None = KEY) -> Build:
    """A documented sample, about the installation's own subscription when it says so, with these headers."""

    def build(place: Installation) -> tuple[bytes, Headers]:
        body = sample if isinstance(sample, bytes) else (_DATA / f"{sample}.json").read_bytes()
        kind = [] if "Content-Type" in dict(headers) else [("Content-Type", "application/json")]
        shown = [] if key is None else [("X-Firebreak-Key", key)]
        return body, [*kind, *shown, *headers]

    return build


def _token(**claims: Any) -> Build:
    """A token of the tenant with other claims (None: left out); `key` and `kid` are of its signature."""

    def build(place: Installation) -> tuple[bytes, Headers]:
        return _keyed("monitor-metric", ("Authorization", f"Bearer {token(place, **claims)}"), key=None)(place)

    return build


def token(place: Installation, *, key: Any = None, kid: str = "test", algorithm: str = "RS256", **claims: Any) -> str:
    """An Entra token as an action group shows it."""
    tenant, now = place.world.partner_tenant_id, int(datetime.now(UTC).timestamp())
    good = {
        "aud": AUDIENCE,
        "iss": f"https://sts.windows.net/{tenant}/",
        "tid": tenant,
        "appid": "461e8683-5575-4561-ac7f-899cc907d62a",
        "iat": now,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    payload = {name: value for name, value in {**good, **claims}.items() if value is not None}
    return jwt.encode(
        payload, None if algorithm == "none" else key or _key(place), algorithm=algorithm, headers={"kid": kid}
    )


def public_key(place: Installation) -> dict[str, Any]:
    """The key that the tenant publishes."""
    found = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(_key(place).public_key()))
    return {**found, "kid": "test", "use": "sig"}


AUDIENCE = "api://firebreak-intake"
_PAST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())

KEYED: Sequence[Bad] = (
    Bad("no key", _keyed("monitor-metric", key=None), 401, "Exactly one", path=MONITOR),
    Bad("another key", _keyed("monitor-metric", key="another key of the same length..."), 401, "not the shared", path=MONITOR),
    Bad("part of the key", _keyed("monitor-metric", key=KEY[:-1]), 401, "not the shared", path=MONITOR),
    Bad("two keys", _keyed("monitor-metric", ("X-Firebreak-Key", KEY)), 401, "Exactly one", path=MONITOR),
    Bad("key and token", _keyed("monitor-metric", ("Authorization", "Bearer x")), 401, "Exactly one", path=MONITOR),
    Bad("key in another scheme", _keyed("monitor-metric", ("Authorization", f"Basic {KEY}"), key=None), 401, "not Bearer", path=MONITOR),
    Bad("no token", _keyed("monitor-metric", ("Authorization", "Bearer x.y.z"), key=None), 401, "is no token", path=MONITOR),
    Bad("token without signature", _token(algorithm="none"), 401, "RS256", path=MONITOR),
    Bad("token with a shared secret", _token(key="x" * 64, algorithm="HS256"), 401, "RS256", path=MONITOR),
    Bad("token with an unknown key", _token(kid="other"), 401, "does not have", path=MONITOR),
    Bad("token for others", _token(aud="https://management.azure.com"), 401, "InvalidAudience", path=MONITOR),
    Bad("token of another issuer", _token(iss="https://attacker.example/"), 401, "InvalidIssuer", path=MONITOR),
    Bad("token of another tenant", _token(tid=FOREIGN), 401, "another tenant", path=MONITOR),
    Bad("token of another application", _token(appid=FOREIGN), 401, "may not deliver", path=MONITOR),
    Bad("token that ended", _token(iat=_PAST, nbf=_PAST, exp=_PAST + 3600), 401, "Expired", path=MONITOR),
    Bad("token that does not end", _token(exp=None), 401, "Missing", path=MONITOR),
    Bad("wrong content type", _keyed("monitor-metric", ("Content-Type", "text/html")), 415, "Content-Type", path="/hooks/defender"),
    Bad("no such mapping", _keyed("siem-event"), 404, "no mapping", path="/hooks/json/none"),
    Bad("mapping by no name", _keyed("siem-event"), 404, "no mapping", path="/hooks/json/siem.yaml"),
    Bad("keyed: not JSON", _keyed(b"<html>"), 422, "not JSON", "kept", MONITOR),
    Bad("keyed: a key twice", _keyed(b'{"a":1,"a":2}'), 422, "there twice", "kept", MONITOR),
    Bad("keyed: something else", _keyed(b'{"hello":"world"}'), 202, "no alert of Azure Monitor", "kept", MONITOR),
    Bad("keyed: over", _keyed("monitor-metric-resolved"), 202, "is resolved", "kept", MONITOR),
    Bad("keyed: an outage", _keyed("monitor-service-health-outage"), 202, "service health", "kept", MONITOR),
    Bad("keyed: a foreign subscription", _keyed("monitor-metric"), 202, "does not respond for", "kept", MONITOR),
    Bad("keyed: dismissed", _keyed("defender-dismissed"), 202, "is dismissed", "kept", "/hooks/defender"),
    Bad("keyed: a foreign machine", _keyed("defender-workflow"), 202, "does not respond for", "kept", "/hooks/defender"),
    Bad("keyed: no resource", _keyed("sentinel-without-resources"), 202, "no Azure subscription", "kept", "/hooks/sentinel"),
    Bad("keyed: a foreign event", _keyed("siem-event"), 202, "does not respond for", "kept", "/hooks/json/siem"),
    Bad("keyed: not for the mapping", _keyed(b'{"rule":{"level":3}}'), 202, "takes it for no alert", "kept", "/hooks/json/siem"),
)  # fmt: skip
