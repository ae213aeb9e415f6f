"""The doctor: tries each cloud the way a run would, reads only, and says in one sentence each what works and what to do if not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec

from firebreak.clients.connection import Connection, connect
from firebreak.clients.credential_checks import Trial, identity_trials, registration_trial
from firebreak.clients.policies.exchange import NoAnswerError, NotSentError
from firebreak.clients.policies.mode_guard import ModeGuard
from firebreak.clients.transports import GuardedHttpTransport, Transports, network
from firebreak.errors import MissingPermissionError, ResponseError
from firebreak.model.mode import Mode
from firebreak.settings import Settings

_NOBODY = "00000000-0000-4000-8000-000000000000"
_SECONDS = 15.0
HOOK = "/hooks/partner-center"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing tried. `detail` says what was found, `hint` what to do when `ok` is False."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


async def doctor(settings: Settings, *, transport: Transports | None = None) -> list[Check]:
    """Try addresses, sign-in, subscriptions, partner alerts and Partner Center. Never raises for what it finds; writes nothing."""
    patient = settings.model_copy(
        update={
            "operations": settings.operations.model_copy(
                update={"attempts": 1, "total_seconds": _SECONDS, "attempt_timeout_seconds": _SECONDS}
            )
        }
    )
    try:
        transports = transport or network(patient)
    except ResponseError as exc:
        return [_failed("certificate authorities", exc)]
    checks = [await _reaches(name, url, transports) for name, url in _addresses(patient).items()]
    unreachable = {check.name for check in checks if not check.ok}
    try:
        async with connect(
            patient, subscription_id=_NOBODY, mode=Mode.DRY_RUN, correlation_id=_NOBODY, transport=transports
        ) as connection:
            for name, needs, try_it in _trials(patient, transports):
                if missing := unreachable & needs:
                    checks.append(
                        Check(
                            name=name,
                            ok=False,
                            detail="Not tried.",
                            hint=f"First make reachable: {', '.join(sorted(missing))}.",
                        )
                    )
                    continue
                check = await _tried(name, connection, try_it)
                checks.append(check)
                if name in ("sign-in", "partner sign-in") and not check.ok:
                    unreachable.add(name)
    except ResponseError as exc:
        checks.append(_failed("credential", exc))
    return checks


def _addresses(settings: Settings) -> dict[str, str]:
    cloud = settings.cloud
    return {
        "resource manager": cloud.resource_manager,
        "login": cloud.login,
        "graph": cloud.graph,
        "partner center": cloud.partner_center,
        "prices": cloud.prices,
    }


def _trials(settings: Settings, transports: Transports) -> list[Trial]:
    async def subscriptions(connection: Connection) -> str:
        found = await connection.eyes.arm.list("/subscriptions", "2022-12-01")
        if not found:
            raise ResponseError(
                "The identity sees no subscription.",
                hint="Give it a role in the customer's subscription, or check delegated access.",
            )
        return f"{len(found)} visible: {', '.join(sorted(str(row.get('subscriptionId')) for row in found)[:5])}."

    async def alerts(connection: Connection) -> str:
        path = f"{settings.operations.alerts_api}/security/partner/securityAlerts"
        answer = await connection.eyes.graph.get(path, {"$top": "1"})
        if answer is None:
            raise ResponseError(
                "This cloud has no partner security alerts.", hint="Alerts must come in by another way: see the intake."
            )
        return "Readable."

    async def partner(connection: Connection) -> str:
        try:
            profile: dict[str, Any] = await connection.eyes.partner_center.get("/v1/profiles/organization") or {}
        except MissingPermissionError:
            # The profile wants a user's token; what a run needs most, the customers, an application may read too.
            await connection.eyes.partner_center.get("/v1/customers", {"size": "1"})
            return "Customers are readable with an app-only token; calls that want a user's need the secure application model."
        return f"Readable as {str(profile.get('companyName') or profile.get('id') or 'the partner')[:80]}."

    trials = [
        *identity_trials(settings, transports),
        ("subscriptions", {"login", "resource manager", "sign-in"}, subscriptions),
    ]
    if settings.credential.partner_tenant_id:
        trials += [
            ("partner alerts", {"login", "graph", "partner sign-in"}, alerts),
            ("partner center account", {"login", "partner center", "partner sign-in"}, partner),
            registration_trial(settings, hook_path=HOOK),
        ]
    return trials


async def _reaches(name: str, url: str, transports: Transports) -> Check:
    """Any HTTP answer counts: the address resolves, the TLS certificate is trusted, somebody is there."""
    guarded = GuardedHttpTransport(transports.http(), ModeGuard(Mode.DRY_RUN, origins=(url,)), attempt_seconds=_SECONDS)
    timeout = httpx.Timeout(_SECONDS).as_dict()
    try:
        answer = await guarded.handle_async_request(httpx.Request("GET", url, extensions={"timeout": timeout}))
    except (NotSentError, NoAnswerError) as exc:
        hint = (
            "Check FIREBREAK_CLOUD__CA_BUNDLE."
            if "TLS" in str(exc)
            else "Check the address in the settings, the network and the proxy."
        )
        return Check(name=name, ok=False, detail=f"{url} was not reached: {exc}.", hint=hint)
    finally:
        await guarded.aclose()
    return Check(name=name, ok=True, detail=f"{url} answers ({answer.status_code}).")


async def _tried(name: str, connection: Connection, try_it: Callable[[Connection], Awaitable[str]]) -> Check:
    try:
        return Check(name=name, ok=True, detail=await try_it(connection))
    except ResponseError as exc:
        return _failed(name, exc)


def _failed(name: str, exc: ResponseError) -> Check:
    return Check(name=name, ok=False, detail=exc.message, hint=exc.hint)
