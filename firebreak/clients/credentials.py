"""Signing in: which credential the settings ask for, one per tenant, with failures that say what to do.

`Credentials.for_tenant` gives a `TokenSource`: what the SDK clients and the httpx clients both take. It remembers the object ids of the
identities it signed in as, from the tokens' claims; the steps protect them (P4).
"""

from __future__ import annotations

import base64
import binascii
import os
import re
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

from firebreak.clients.policies.exchange import decode
from firebreak.clients.policies.redaction import shown
from firebreak.clients.refresh_token import RefreshToken, RefreshTokenCredential
from firebreak.clients.secrets import reveal
from firebreak.clients.transports import Transports, reason_of
from firebreak.errors import CredentialError, RemoteError, SettingsError, UnreachableError
from firebreak.settings import Settings

_HINTS = {
    "7000215": "The client secret is wrong: check FIREBREAK_CREDENTIAL__CLIENT_SECRET (the value, not the secret's id).",
    "7000222": "The client secret has run out: make a new one for the application.",
    "700016": "The application is not known in this tenant: check FIREBREAK_CREDENTIAL__CLIENT_ID and the consent.",
    "90002": "The tenant does not exist in this cloud: check FIREBREAK_CREDENTIAL__TENANT_ID and the cloud preset.",
    "700027": "The certificate is not one of the application's.",
    "50034": "The user does not exist in this tenant.",
    "50057": "The account is disabled.",
    "50076": "MFA is needed: a person must redo the consent with MFA.",
    "50079": "MFA is needed: a person must redo the consent with MFA.",
    "50158": "A further check is needed: a person must redo the consent.",
    "700082": "The refresh token has run out (90 days): a person must redo the consent.",
    "70043": "The refresh token has run out by policy: a person must redo the consent.",
    "50173": "The refresh token was revoked: a person must redo the consent.",
    "65001": "The application was not consented to in this tenant.",
    "53003": "Conditional Access blocks the sign-in; a person must look.",
}
_AADSTS = re.compile(r"AADSTS(\d+)")


class TokenSource:
    """A credential of azure-core's kind whose failures are errors of the tree."""

    def __init__(
        self, inner: AsyncTokenCredential, *, login: str, tenant_id: str = "", passes_tenant: bool = False
    ) -> None:
        self._inner = inner
        self._login = login
        self._tenant_id = tenant_id
        self._passes_tenant = passes_tenant and bool(tenant_id)
        self.principal_ids: set[str] = set()

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
            raise self._failure(exc) from exc
        except ValueError as exc:
            raise CredentialError(
                f"The credential for tenant {self._tenant_id or '(default)'} cannot be used: {shown(str(exc), 200)}.",
                hint="Check the FIREBREAK_CREDENTIAL__ settings.",
            ) from exc
        if object_id := claims_of(token.token).get("oid"):
            self.principal_ids.add(str(object_id).lower())
        return token

    async def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        info = await self.get_token_info(*scopes, options={"claims": claims} if claims else None)
        return AccessToken(info.token, info.expires_on)

    async def bearer(self, scope: str) -> str:
        return (await self.get_token_info(scope)).token

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> TokenSource:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _failure(self, exc: AzureError) -> Exception:
        place = f"Signing in to tenant {self._tenant_id or '(default)'} at {self._login}"
        text = shown(str(exc.message or exc), 300)
        if isinstance(exc, ClientAuthenticationError):
            code = _AADSTS.search(text)
            hint = _HINTS.get(code.group(1), "") if code else ""
            return CredentialError(
                f"{place} was refused: {text}",
                hint=hint or "Check the FIREBREAK_CREDENTIAL__ settings; 'firebreak doctor' tries each part.",
            )
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
            self._sources[tenant_id] = TokenSource(inner, login=login, tenant_id=tenant_id, passes_tenant=passes)
        return self._sources[tenant_id]

    @property
    def principal_ids(self) -> tuple[str, ...]:
        """Object ids of every identity that has signed in so far, sorted."""
        return tuple(sorted(set().union(*(source.principal_ids for source in self._sources.values()))))

    async def close(self) -> None:
        for source in self._sources.values():
            await source.close()

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
        if self._refresh_token is None:
            self._refresh_token = RefreshToken(await self._reveal("refresh_token"), self._keep_refresh_token)
        return RefreshTokenCredential(
            login=cloud.login,
            tenant_id=tenant_id,
            client_id=own.client_id,
            client_secret=client_secret,
            refresh_token=self._refresh_token,
            transport=self._transports.http(),
        )

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

    async def _keep_refresh_token(self, value: str) -> None:
        """Write a rotated refresh token back to its file; other references keep the old one, which stays valid for its 90 days."""
        secret = self._settings.credential.refresh_token
        text = secret.get_secret_value() if secret else ""
        if text.startswith("file:"):
            _replace_file(text, value)


def _certificate_file(reference: str) -> bytes:
    path = Path(reference.removeprefix("file:")).expanduser()
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingsError(
            f"FIREBREAK_CREDENTIAL__CERTIFICATE: {path} cannot be read ({type(exc).__name__}).",
            hint="Name a PEM or PFX file.",
        ) from exc


def _replace_file(reference: str, value: str) -> None:
    path = Path(reference.removeprefix("file:")).expanduser()
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(value)
        fresh.replace(path)
    except OSError as exc:
        raise CredentialError(
            f"The renewed refresh token cannot be kept in {path} ({type(exc).__name__}).",
            hint="Let this process write the file.",
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
