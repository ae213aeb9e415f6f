"""Faults on purpose: rules that match a request by method and URL and spoil it before or after its effect.

    world.faults.append(Fault(method="POST", url="/deallocate", kind="drop_after", times=1))

Kinds: `status` (answer `status` at once), `throttle` (429 with Retry-After), `drop_before` and `drop_after` (the connection breaks before
or after the effect), `error_after` (the effect happens, the answer is `status`), `truncate_page` (half of the answer's bytes),
`expired_token` (401), `second_factor` (401 with the claims challenge for a stronger sign-in), `fail_operation` (the long-running operation it starts ends as Failed, without effect).
"""

from __future__ import annotations

import base64
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import httpx

from azure_simulator.http import ArmError
from azure_simulator.world import Document, World

Kind = Literal[
    "status",
    "throttle",
    "drop_before",
    "drop_after",
    "error_after",
    "truncate_page",
    "expired_token",
    "second_factor",
    "fail_operation",
]


class ConnectionDropped(httpx.ReadError):
    """The simulator broke the connection. In process it reaches the client as an httpx transport error; the TLS server aborts the socket."""


@dataclass
class Fault:
    """One rule. It applies to a matching request when all of these hold: `skip` matches have passed, it was used fewer than `times` times
    (None: no end), the match is an `every`-th one, and the seeded dice show less than `rate`."""

    kind: Kind
    method: str = ".*"
    url: str = ".*"
    status: int = 503
    code: str = ""
    times: int | None = None
    every: int = 1
    skip: int = 0
    rate: float = 1.0
    retry_after: int | None = None
    seen: int = field(default=0, compare=False)
    used: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"Unknown kind of fault {self.kind!r}: one of {', '.join(get_args(Kind))}.")
        if self.every < 1:
            raise ValueError("'every' counts from 1.")
        self._method = re.compile(self.method, re.IGNORECASE)
        self._url = re.compile(self.url, re.IGNORECASE)

    def applies(self, world: World, method: str, url: str) -> bool:
        """True when the rule spoils this request; counts it."""
        if not (self._method.fullmatch(method) and self._url.search(url)):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.used >= self.times):
            return False
        if (self.seen - self.skip) % self.every:
            return False
        if self.rate < 1.0:
            dice = world.memory.setdefault("fault_dice", world.chance.child("faults"))
            if dice.random() >= self.rate:
                return False
        self.used += 1
        return True

    def document(self) -> Document:
        return asdict(self)


def read(documents: Any) -> list[Fault]:
    """Rules from JSON: a list of objects, or one object.

    Raises:
        ArmError: 400 InvalidFault naming what is wrong.
    """
    rows = documents if isinstance(documents, list) else [documents]
    allowed = {"kind", "method", "url", "status", "code", "times", "every", "skip", "rate", "retry_after"}
    rules = []
    for row in rows:
        if not isinstance(row, dict) or set(row) - allowed or "kind" not in row:
            raise ArmError(
                400, "InvalidFault", f"A fault has 'kind' and any of {sorted(allowed - {'kind'})}; got {row!r}."
            )
        try:
            rules.append(Fault(**row))
        except (TypeError, ValueError, re.error) as exc:
            raise ArmError(400, "InvalidFault", f"The fault {row!r} is not valid: {exc}") from exc
    return rules


def pick(world: World, method: str, url: str) -> Fault | None:
    """The first rule that spoils this request, counted; None for most requests."""
    return next((rule for rule in world.faults if rule.applies(world, method, url)), None)


def before_effect(rule: Fault | None) -> None:
    """Spoil the request before anything happened.

    Raises:
        ArmError: the injected answer.
        ConnectionDropped: for `drop_before`.
    """
    if rule is None:
        return
    if rule.kind == "drop_before":
        raise ConnectionDropped("The connection was reset before the request was read.")
    if rule.kind == "throttle":
        raise _error(429, rule.code or "SubscriptionRequestsThrottled", rule, rule.retry_after or 1)
    if rule.kind == "status":
        raise _error(rule.status, rule.code or _CODES.get(rule.status, "InjectedFault"), rule, rule.retry_after)
    if rule.kind == "expired_token":
        raise ArmError(
            401,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
            headers={
                "WWW-Authenticate": 'Bearer error="invalid_token", error_description="The access token has expired."'
            },
        )

    if rule.kind == "second_factor":
        claims = base64.b64encode(b'{"access_token":{"acrs":{"essential":true,"values":["p1"]}}}').decode()
        raise ArmError(
            401,
            "InvalidAuthenticationToken",
            "A claims challenge has to be met: the token was not obtained with multifactor authentication.",
            headers={"WWW-Authenticate": f'Bearer realm="", error="insufficient_claims", claims="{claims}"'},
        )


def after_effect(rule: Fault | None) -> None:
    """Spoil the answer after the effect.

    Raises:
        ArmError: the injected answer.
        ConnectionDropped: for `drop_after`.
    """
    if rule is None:
        return
    if rule.kind == "drop_after":
        raise ConnectionDropped("The connection was reset before the answer was sent.")
    if rule.kind == "error_after":
        raise _error(rule.status, rule.code or _CODES.get(rule.status, "InjectedFault"), rule, rule.retry_after)


_CODES = {
    400: "BadRequest",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    408: "RequestTimeout",
    409: "Conflict",
    429: "SubscriptionRequestsThrottled",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


def _error(status: int, code: str, rule: Fault, retry_after: int | None) -> ArmError:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return ArmError(status, code, f"The simulator was told to answer so (fault '{rule.kind}').", headers=headers)
