"""Secrets by reference: the value itself, `env:NAME`, `file:/path`, `keyvault:https://<vault>/secrets/<name>[/<version>]`."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
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
    bearer = await _managed_identity_token(f"https://{suffix}/.default", name)
    address = f"https://{url.hostname}{url.path}"
    try:
        async with httpx.AsyncClient(transport=transport, follow_redirects=False, timeout=10) as client:
            answer = await client.get(
                address, params={"api-version": _API_VERSION}, headers={"Authorization": f"Bearer {bearer}"}
            )
    except httpx.TransportError as exc:
        raise UnreachableError(
            f"{name}: Key Vault at {url.hostname} was not reached ({type(exc).__name__}).",
            hint="Check its network rules.",
        ) from exc
    if answer.status_code != 200:
        raise CredentialError(
            f"{name}: Key Vault answered {answer.status_code} for {address}.",
            hint="The managed identity needs the role Key Vault Secrets User, and the secret must exist and be enabled.",
        )
    document = decode(answer.content)
    value = document.get("value") if isinstance(document, dict) else None
    if not isinstance(value, str) or not value:
        raise CredentialError(
            f"{name}: Key Vault answered no value for {address}.", hint="Check the secret's current version."
        )
    return value


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
