"""Signing in: which credential the settings ask for, one per tenant, with failures that say what to do.

`Credentials.for_tenant` gives a `TokenSource`: what the SDK clients and the httpx clients both take. It remembers the object ids of the
identities it signed in as, from the tokens' claims; the steps protect them (P4).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import httpx
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from firebreak.clients.msal_applications import MsalApplications
from firebreak.clients.policies.exchange import decode
from firebreak.clients.policies.redaction import shown
from firebreak.clients.refresh_token import RefreshToken, RefreshTokenCredential
from firebreak.clients.refresh_token_store import store_for
from firebreak.clients.secrets import reveal
from firebreak.clients.sign_in_refusals import WANT_SECOND_FACTOR, hint_for, number_of, place_of
from firebreak.clients.transports import Transports, reason_of
from firebreak.errors import CredentialError, RemoteError, SecondFactorError, SettingsError, UnreachableError
from firebreak.settings import CredentialSettings, Settings


class TokenSource:
    """A credential of azure-core's kind whose failures are errors of the tree."""

    def __init__(
        self,
        inner: AsyncTokenCredential,
        *,
        own: CredentialSettings,
        login: str,
        tenant_id: str = "",
        passes_tenant: bool = False,
    ) -> None:
        self._inner = inner
        self._own = own
        self._login = login
        self._tenant_id = tenant_id
        self._passes_tenant = passes_tenant and bool(tenant_id)
        self.principal_ids: set[str] = set()
        self.last_claims: dict[str, Any] = {}

    async def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token.

        Raises:
            CredentialError: the authority, or the credential itself, refused.
            UnreachableError: the authority was not reached.
        """
        asked: TokenRequestOptions = dict(options or {})  # type: ignore[assignment]
        if self._passes_tenant:
            asked.setdefault("tenant_id", self._tenant_id)
        try:
            if hasattr(self._inner, "get_token_info"):
                token: AccessTokenInfo = await self._inner.get_token_info(*scopes, options=asked)
            else:
                plain = await self._inner.get_token(*scopes, **asked)
                token = AccessTokenInfo(plain.token, plain.expires_on)
        except AzureError as exc:
            raise self._failure(exc, scopes) from exc
        except ValueError as exc:
            raise CredentialError(
                f"The credential for tenant {self._tenant_id or '(default)'} cannot be used: {shown(str(exc), 200)}.",
                hint="Check the FIREBREAK_CREDENTIAL__ settings.",
            ) from exc
        self.last_claims = claims_of(token.token)
        if object_id := self.last_claims.get("oid"):
            self.principal_ids.add(str(object_id).lower())
        return token

    async def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        info = await self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(info.token, info.expires_on)

    @property
    def account(self) -> str:
        """Who signed in last, as the token names them: a user's sign-in name, or an application's id. Hostile text made plain."""
        claims = self.last_claims
        if name := claims.get("upn") or claims.get("preferred_username") or claims.get("unique_name"):
            return shown(str(name), 200)
        return f"application {shown(str(claims['appid']), 60)}" if claims.get("appid") else ""

    async def bearer(self, scope: str) -> str:
        return (await self.get_token_info(scope)).token

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> TokenSource:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _failure(self, exc: AzureError, scopes: tuple[str, ...]) -> Exception:
        place = place_of(self._own, self._tenant_id, self._login, scopes)
        text = shown(str(exc.message or exc), 300)
        if isinstance(exc, ClientAuthenticationError):
            number = number_of(text)
            hint = hint_for(number, self._own, self._tenant_id, self._login)
            kind = SecondFactorError if number in WANT_SECOND_FACTOR else CredentialError
            return kind(f"{place} was refused: {text}", hint=hint)
        if isinstance(exc, HttpResponseError):
            return RemoteError(f"{place} failed: {text}", status=exc.status_code or 0, hint="Try again in a while.")
        return UnreachableError(
            f"{place} failed: {reason_of(exc)}.",
            hint="Check the network, FIREBREAK_CLOUD__LOGIN and FIREBREAK_CLOUD__CA_BUNDLE.",
        )


class Credentials:
    """The acting identity in each tenant it works in. Close it when done."""

    def __init__(self, settings: Settings, transports: Transports) -> None:
        self._settings = settings
        self._transports = transports
        self._sources: dict[str, TokenSource] = {}
        self._refresh_token: RefreshToken | None = None
        self._applications: MsalApplications | None = None

    async def for_tenant(self, tenant_id: str) -> TokenSource:
        """Return the identity for a tenant ("" for the credential's own), made on first use.

        Raises:
            SettingsError, CredentialError, UnreachableError: a secret reference leads nowhere.
        """
        if tenant_id not in self._sources:
            login = self._settings.cloud.login
            if self._transports.credential:
                inner, passes = self._transports.credential(tenant_id), False
            else:
                inner, passes = await self._make(tenant_id), self._settings.credential.kind == "default"
            self._sources[tenant_id] = TokenSource(
                inner, own=self._settings.credential, login=login, tenant_id=tenant_id, passes_tenant=passes
            )
        return self._sources[tenant_id]

    @property
    def principal_ids(self) -> tuple[str, ...]:
        """Object ids of every identity that has signed in so far, sorted."""
        return tuple(sorted(set().union(*(source.principal_ids for source in self._sources.values()))))

    async def close(self) -> None:
        for source in self._sources.values():
            await source.close()
        if self._applications is not None:
            await self._applications.close()

    async def _make(self, tenant_id: str) -> AsyncTokenCredential:
        cloud, own = self._settings.cloud, self._settings.credential
        options: dict[str, Any] = {"authority": cloud.login}
        if cloud.ca_bundle:
            options["connection_verify"] = str(cloud.ca_bundle)
        if own.kind == "managed_identity":
            return ManagedIdentityCredential(client_id=own.client_id or None)
        if own.kind == "default":
            return DefaultAzureCredential(**options)
        options["disable_instance_discovery"] = not cloud.is_known_authority
        options["retry_total"] = 2
        if own.kind == "certificate":
            return await self._certificate(tenant_id, options)
        client_secret = await self._reveal("client_secret")
        if own.kind == "client_secret":
            transport = self._transports.azure()
            return ClientSecretCredential(tenant_id, own.client_id, client_secret, transport=transport, **options)
        if self._refresh_token is None or self._applications is None:
            self._refresh_token = RefreshToken(store_for(self._settings, self._transports.http))
            self._applications = MsalApplications(cloud, own.client_id, client_secret, self._transports.http())
        return RefreshTokenCredential(self._applications, tenant_id, self._refresh_token)

    async def _certificate(self, tenant_id: str, options: dict[str, Any]) -> AsyncTokenCredential:
        own = self._settings.credential
        text = own.certificate.get_secret_value() if own.certificate else ""
        password = await self._reveal("certificate_password") if own.certificate_password else None
        if "-----BEGIN" not in text and not text.startswith(("env:", "keyvault:")):
            data = _certificate_file(text)
        else:
            data = (await self._reveal("certificate")).encode()
        try:
            return CertificateCredential(
                tenant_id,
                own.client_id,
                certificate_data=data,
                password=password,
                transport=self._transports.azure(),
                **options,
            )
        except ValueError as exc:
            raise CredentialError(
                "FIREBREAK_CREDENTIAL__CERTIFICATE holds no usable certificate with a private key.",
                hint="Use a PEM file with certificate and key, or a PFX file; check the password.",
            ) from exc

    async def _reveal(self, name: str) -> str:
        secret = getattr(self._settings.credential, name)
        return await reveal(
            secret, f"FIREBREAK_CREDENTIAL__{name.upper()}", self._settings, transport=self._vault_transport()
        )

    def _vault_transport(self) -> httpx.AsyncBaseTransport:
        return self._transports.http()


def _certificate_file(reference: str) -> bytes:
    path = Path(reference.removeprefix("file:")).expanduser()
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(
            f"FIREBREAK_CREDENTIAL__CERTIFICATE: {path} cannot be read ({type(exc).__name__}).",
            hint="Name a PEM or PFX file.",
        ) from exc


def claims_of(token: str) -> dict[str, Any]:
    """Return the claims of a JWT without checking its signature; {} when the token is opaque."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
