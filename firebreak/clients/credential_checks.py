"""What the doctor says of the credential: who signs in where, the second factor, the refresh token and its age. Reads only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from firebreak.clients.connection import Connection
from firebreak.clients.policies.redaction import shown
from firebreak.clients.refresh_token_store import store_for
from firebreak.clients.transports import Transports
from firebreak.errors import CredentialError, MissingPermissionError, ResponseError
from firebreak.settings import Settings

LIFETIME_DAYS = 90
_CONSENT = "A person consents anew, with a second factor: firebreak credentials consent"
Trial = tuple[str, set[str], Callable[[Connection], Awaitable[str]]]


def identity_trials(settings: Settings, transports: Transports) -> list[Trial]:
    """What is tried of the identity itself, and of a consent if it stands on one."""
    own, cloud = settings.credential, settings.cloud

    async def sign_in(connection: Connection) -> str:
        ids = await connection.eyes.own_principal_ids()
        who = (await connection.credentials.for_tenant(own.tenant_id)).account
        as_whom = f"{who} (object {', '.join(ids)})" if who else f"object {', '.join(ids)}"
        return f"Signed in to tenant {own.tenant_id or '(default)'} as {as_whom}, credential {own.kind}."

    async def partner_sign_in(connection: Connection) -> str:
        source = await connection.credentials.for_tenant(own.partner_tenant)
        await source.bearer(f"{cloud.partner_center_audience}/.default")
        await source.bearer(f"{cloud.graph_audience}/.default")
        return f"Signed in to the partner's tenant {own.partner_tenant}{f' as {source.account}' if source.account else ''}."

    async def second_factor(connection: Connection) -> str:
        await connection.eyes.partner_center.get("/v1/profiles/organization")
        if connection.second_factor.found is False:
            raise CredentialError(
                "Partner Center says that no second factor stands behind the consent (isMfaCompliant: false), and may refuse it.",
                hint=_CONSENT,
            )
        if connection.second_factor.found is None:
            return "Partner Center did not say (no header isMfaCompliant)."
        return "Partner Center says that a second factor stands behind the consent."

    async def refresh_token(_: Connection) -> str:
        return await _token_told(settings, transports)

    trials: list[Trial] = [("sign-in", {"login"}, sign_in)]
    if own.partner_tenant_id:
        trials.append(("partner sign-in", {"login"}, partner_sign_in))
    if own.kind == "secure_application_model":
        trials += [
            ("second factor", {"login", "partner center", "partner sign-in"}, second_factor),
            ("refresh token", {"login", "sign-in"}, refresh_token),
        ]
    return trials


async def _token_told(settings: Settings, transports: Transports) -> str:
    """Where the refresh token lies, and how long it is good if nobody uses it."""
    store = store_for(settings, transports.http)
    await store.read()
    if not store.is_kept:
        raise ResponseError(
            f"Renewed tokens are not kept: the refresh token stands in {shown(store.place, 200)}, and ends {LIFETIME_DAYS} days after its consent.",
            hint="Let FIREBREAK_CREDENTIAL__REFRESH_TOKEN name a file: or keyvault: place, then run: firebreak credentials consent",
        )
    renewed = await store.renewed_at()
    if renewed is None:
        return f"Lies in {shown(store.place, 300)}."
    age = (datetime.now(UTC) - renewed).days
    told = f"Lies in {shown(store.place, 300)}, renewed {_ago(age)}; unused it ends in {LIFETIME_DAYS - age} days."
    if age > 0:
        # Signing in has just renewed it: an old one means that what was renewed could not be put there.
        raise CredentialError(
            f"{told} It is renewed with each use, so its place cannot be written.", hint="Let this process write there."
        )
    return told


def _ago(days: int) -> str:
    return "today" if days <= 0 else "yesterday" if days == 1 else f"{days} days ago"


def registration_trial(settings: Settings, *, hook_path: str) -> Trial:
    """Whose webhook registration it is. Without one, and with another's, alerts still come by other channels: that is said and no failure."""

    async def registration(connection: Connection) -> str:
        try:
            found = await connection.eyes.partner_center.get("/webhooks/v1/registration")
        except MissingPermissionError as error:
            raise CredentialError(
                error.message, hint="The identity needs the role Admin agent or Helpdesk agent."
            ) from error
        public = settings.intake.public_url.rstrip("/")
        hint = "See: firebreak webhooks show, firebreak webhooks register"
        if found is None:
            if public:
                raise ResponseError("No webhook is registered for this partner.", hint=hint)
            return "No webhook is registered for this partner; alerts come by other channels only."
        url, events = str(found.get("webhookUrl", "")), [str(one) for one in found.get("webhookEvents") or ()]
        told = f"{shown(url, 300)} for {', '.join(shown(one, 80) for one in sorted(events)[:12])}."
        if public and url.rstrip("/").lower() != f"{public}{hook_path}".lower():
            raise ResponseError(f"Not this installation's: {told}", hint=hint)
        if public and "azure-fraud-event-detected" not in events:
            raise ResponseError(f"Fraud events are not registered: {told}", hint=hint)
        return told

    return ("webhook registration", {"login", "partner center", "partner sign-in"}, registration)
