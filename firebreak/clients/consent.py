"""Consent to the secure application model: a person signs in once, with a second factor, and the refresh token goes straight to its place.

    async with Consent(settings) as consent:
        given = await consent.in_browser(port=8400, show=print)          # or: await consent.by_device(show=print)

Nothing of the token is shown, returned or logged. https://learn.microsoft.com/partner-center/developer/enable-secure-app-model
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError
from msal.oauth2cli.authcode import AuthCodeReceiver

from firebreak.clients.msal_applications import MsalApplications
from firebreak.clients.policies.redaction import clean_library_logs, know_secret, shown
from firebreak.clients.refresh_token import token_of
from firebreak.clients.refresh_token_store import store_for
from firebreak.clients.secrets import reveal
from firebreak.clients.sign_in_refusals import hint_for, number_of, place_of
from firebreak.clients.transports import Transports, network, reason_of
from firebreak.errors import ContentError, CredentialError, SettingsError, UnreachableError
from firebreak.settings import Settings

_PENDING = ("authorization_pending", "slow_down")
Show = Callable[[str], None]


@dataclass(frozen=True)
class Given:
    """A consent that was given: by whom, in which tenant, and where its token lies."""

    account: str
    object_id: str
    tenant_id: str
    place: str


class Consent:
    """Asks for a consent. An async context manager, for one consent; nobody is asked before it is seen that the token can be kept.

    Raises:
        SettingsError: the settings are not for the secure application model, or name no place for the token.
        CredentialError: that place cannot be written.
    """

    def __init__(self, settings: Settings, transports: Transports | None = None) -> None:
        own = settings.credential
        if own.kind != "secure_application_model":
            raise SettingsError(
                f"The credential is of kind {own.kind}, for which nobody consents.",
                hint="Set FIREBREAK_CREDENTIAL__KIND=secure_application_model.",
            )
        self._settings, self._transports = settings, transports or network(settings)
        self._store = store_for(settings, self._transports.http)
        self._scopes = [f"{settings.cloud.partner_center_audience}/user_impersonation"]
        self._applications: MsalApplications | None = None

    async def in_browser(self, *, port: int, show: Show, seconds: float = 600) -> Given:
        """Wait on http://localhost:PORT for a person who signs in in a browser of this machine; `show` gets the address to open.

        Raises:
            CredentialError: the sign-in was refused, given up, or not finished in time.
            ContentError: the port is taken.
            UnreachableError: the sign-in service was not reached.
        """
        try:
            receiver = await asyncio.to_thread(AuthCodeReceiver, port=port)
        except OSError as exc:
            raise ContentError(
                f"Port {port} of this machine is taken.",
                hint="Choose another with --port, and register its address with the application.",
            ) from exc
        with receiver:
            flow = await self._ask(
                lambda app: app.initiate_auth_code_flow(
                    self._scopes,
                    redirect_uri=f"http://localhost:{receiver.get_port()}",
                    prompt="login",
                    response_mode="form_post",
                )
            )
            show(str(flow["auth_uri"]))
            answer = await asyncio.to_thread(receiver.get_auth_response, timeout=seconds, state=flow["state"])
        if not answer:
            raise CredentialError(
                f"Nobody signed in within {seconds:g} seconds.", hint="Run the command again and open the address."
            )
        return await self._kept(await self._ask(lambda app: app.acquire_token_by_auth_code_flow(flow, answer)))

    async def by_device(self, *, show: Show, sleep: Callable[[float], Any] = asyncio.sleep) -> Given:
        """Let a person type a code on any other device; `show` gets Microsoft's sentence with the address and the code.

        Raises as `in_browser`. Conditional Access often forbids this way; then use the browser.
        """
        flow = await self._ask(
            lambda app: app.client.initiate_device_flow(scope=[*self._scopes, "offline_access", "openid"])
        )
        if "device_code" not in flow:
            token_of(flow)
        show(shown(str(flow["message"])))
        ends = time.monotonic() + float(flow["expires_in"])
        while time.monotonic() < ends:
            await sleep(float(flow["interval"]) + 0.1)
            answer = await self._ask(
                lambda app: app.client.obtain_token_by_device_flow(flow, exit_condition=lambda _: True)
            )
            if answer.get("error") not in _PENDING:
                return await self._kept(answer)
        raise CredentialError("The code was not used in time.", hint="Run the command again.")

    async def __aenter__(self) -> Consent:
        clean_library_logs()
        await self._store.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._applications is not None:
            await self._applications.close()

    async def _ask(self, ask: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        own, cloud = self._settings.credential, self._settings.cloud
        if self._applications is None:
            secret = own.client_secret
            if secret is None:
                raise SettingsError("FIREBREAK_CREDENTIAL__CLIENT_SECRET is missing.", hint="Set it.")
            revealed = await reveal(
                secret,
                "FIREBREAK_CREDENTIAL__CLIENT_SECRET",
                self._settings,
                transport=self._transports.http(),
            )
            self._applications = MsalApplications(cloud, own.client_id, revealed, self._transports.http())
        try:
            return await self._applications.call(own.partner_tenant, ask)
        except ClientAuthenticationError as exc:
            raise self._refused(exc) from exc
        except AzureError as exc:
            raise UnreachableError(
                f"{self._place} failed: {reason_of(exc)}.",
                hint="Check the network, FIREBREAK_CLOUD__LOGIN and FIREBREAK_CLOUD__CA_BUNDLE.",
            ) from exc

    async def _kept(self, answer: dict[str, Any]) -> Given:
        try:
            token_of(answer)
        except ClientAuthenticationError as exc:
            raise self._refused(exc) from exc
        token = answer.get("refresh_token")
        if not isinstance(token, str) or not token:
            raise CredentialError(
                f"{self._place} gave no refresh token.", hint="The application may not ask for offline_access."
            )
        know_secret(token)
        await self._store.put(token)
        claims = answer.get("id_token_claims") or {}
        return Given(
            account=shown(str(claims.get("preferred_username") or ""), 200),
            object_id=str(claims.get("oid") or "").lower(),
            tenant_id=self._settings.credential.partner_tenant,
            place=self._store.place,
        )

    @property
    def _place(self) -> str:
        own, cloud = self._settings.credential, self._settings.cloud
        return place_of(own, own.partner_tenant, cloud.login, tuple(self._scopes))

    def _refused(self, exc: ClientAuthenticationError) -> CredentialError:
        text = shown(str(exc.message or exc), 300)
        own = self._settings.credential
        hint = hint_for(number_of(text), own, own.partner_tenant, self._settings.cloud.login)
        return CredentialError(f"{self._place} was refused: {text}", hint=hint)
