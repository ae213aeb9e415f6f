"""Secrets by reference: the value itself, `env:NAME`, `file:/path`, `keyvault:https://<vault>/secrets/<name>[/<version>]`."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
from azure.core.exceptions import AzureError
from azure.identity.aio import ManagedIdentityCredential
from pydantic import SecretStr

from firebreak.clients.policies.exchange import decode
from firebreak.clients.policies.redaction import know_secret
from firebreak.errors import CredentialError, SettingsError, UnreachableError
from firebreak.settings import Settings, plain_secret

_PATH = re.compile(r"/secrets/[0-9A-Za-z-]{1,127}(/[0-9a-f]{32})?")
_API_VERSION = "7.4"


async def reveal(
    secret: SecretStr, name: str, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> str:
    """Return the secret that the setting `name` holds or refers to. Key Vault is read with this machine's managed identity.

    Raises:
        SettingsError: the reference is malformed or leads nowhere.
        CredentialError: Key Vault or the managed identity refused.
        UnreachableError: Key Vault was not reached.
    """
    value = await _revealed(secret, name, settings, transport)
    know_secret(value)
    return value


async def _revealed(
    secret: SecretStr, name: str, settings: Settings, transport: httpx.AsyncBaseTransport | None
) -> str:
    text = secret.get_secret_value()
    if not text.startswith("keyvault:"):
        return plain_secret(secret, name)
    return (await KeyVaultSecret.parse(text, name, settings, transport).get())[0]


@dataclass(frozen=True)
class KeyVaultSecret:
    """One secret of Key Vault, read and written with this machine's managed identity. `name` is the setting that refers to it."""

    name: str
    address: str
    scope: str
    transport: httpx.AsyncBaseTransport | None

    @classmethod
    def parse(
        cls, text: str, name: str, settings: Settings, transport: httpx.AsyncBaseTransport | None
    ) -> KeyVaultSecret:
        """Read a reference.

        Raises:
            SettingsError: it is not of this cloud's Key Vault.
        """
        url = urlsplit(text.removeprefix("keyvault:"))
        suffix = settings.cloud.vault_suffix
        if (
            url.scheme != "https"
            or not (url.hostname or "").endswith(f".{suffix}")
            or url.port
            or not _PATH.fullmatch(url.path)
        ):
            raise SettingsError(
                f"{name} is not a Key Vault reference of this cloud.",
                hint=f"Use keyvault:https://<vault>.{suffix}/secrets/<name>",
            )
        return cls(name, f"https://{url.hostname}{url.path}", f"https://{suffix}/.default", transport)

    async def get(self) -> tuple[str, datetime | None]:
        """Return its value and when this version was made.

        Raises:
            CredentialError: Key Vault or the managed identity refused.
            UnreachableError: Key Vault was not reached.
        """
        answer = await self._send("GET", None)
        if answer.status_code != 200:
            raise CredentialError(
                f"{self.name}: Key Vault answered {answer.status_code} for {self.address}.",
                hint="The managed identity needs the role Key Vault Secrets User, and the secret must exist and be enabled.",
            )
        document = decode(answer.content)
        value = document.get("value") if isinstance(document, dict) else None
        if not isinstance(value, str) or not value:
            raise CredentialError(
                f"{self.name}: Key Vault answered no value for {self.address}.",
                hint="Check the secret's current version.",
            )
        made = (document.get("attributes") or {}).get("created") if isinstance(document, dict) else None
        return value, datetime.fromtimestamp(made, UTC) if isinstance(made, int) else None

    def check_is_replaceable(self) -> None:
        """Raises CredentialError: the reference names one version of the secret."""
        if self.address.count("/") > 4:
            raise CredentialError(
                f"{self.name} names one version of {self.address}, which cannot be replaced.",
                hint="Leave the version out of the reference.",
            )

    async def set(self, value: str, *, days: int) -> None:
        """Make a new version that ends after so many days, which Key Vault can warn of.

        Raises:
            CredentialError: Key Vault or the managed identity refused, or the reference names one version.
            UnreachableError: Key Vault was not reached.
        """
        self.check_is_replaceable()
        ends = int((datetime.now(UTC) + timedelta(days=days)).timestamp())
        answer = await self._send("PUT", {"value": value, "attributes": {"exp": ends}})
        if answer.status_code != 200:
            raise CredentialError(
                f"{self.name}: Key Vault answered {answer.status_code} to a new version of {self.address}.",
                hint="The managed identity needs the role Key Vault Secrets Officer to keep renewed tokens there.",
            )

    async def _send(self, method: str, body: object) -> httpx.Response:
        bearer = await _managed_identity_token(self.scope, self.name)
        try:
            async with httpx.AsyncClient(transport=self.transport, follow_redirects=False, timeout=10) as client:
                return await client.request(
                    method,
                    self.address,
                    params={"api-version": _API_VERSION},
                    headers={"Authorization": f"Bearer {bearer}"},
                    json=body,
                )
        except httpx.TransportError as exc:
            raise UnreachableError(
                f"{self.name}: Key Vault at {urlsplit(self.address).hostname} was not reached ({type(exc).__name__}).",
                hint="Check its network rules.",
            ) from exc


def reveal_now(
    secret: SecretStr, name: str, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None
) -> str:
    """As `reveal`, for callers that cannot wait; an event loop that runs already does no harm."""
    if not secret.get_secret_value().startswith("keyvault:"):
        value = plain_secret(secret, name)
        know_secret(value)
        return value
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, reveal(secret, name, settings, transport=transport)).result()


async def _managed_identity_token(scope: str, name: str) -> str:
    credential = ManagedIdentityCredential()
    try:
        token: str = (await credential.get_token(scope)).token
    except AzureError as exc:
        raise CredentialError(
            f"{name}: no managed identity is available to read Key Vault ({type(exc).__name__}).",
            hint="Run on a machine with a managed identity, or use env: or file:.",
        ) from exc
    finally:
        await credential.close()
    return token
