"""Where the refresh token lies between uses, and how a renewed one takes its place without ever being lost.

Every use of a refresh token gives a new one, and the old one stays good for the rest of its ninety days
(https://learn.microsoft.com/entra/identity-platform/refresh-tokens). So whoever dies between receiving and storing loses nothing, as long as the
place always holds a whole token; and whoever stores late must not overwrite the token of a consent that was given meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import glob
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx
from pydantic import SecretStr

from firebreak.clients.secrets import KeyVaultSecret
from firebreak.errors import CredentialError, SettingsError
from firebreak.settings import Settings, plain_secret

SETTING = "FIREBREAK_CREDENTIAL__REFRESH_TOKEN"


class RefreshTokenStore(Protocol):
    """One place for one refresh token. `place` names it for people; `is_kept` says whether renewed tokens outlive the process."""

    place: str
    is_kept: bool

    async def read(self) -> str:
        """Return the token. Raises SettingsError, CredentialError or UnreachableError."""
        ...

    async def replace(self, used: str, renewed: str) -> str:
        """Put `renewed` where `used` lies and return what lies there now: another token, when somebody else was quicker.

        Raises:
            CredentialError: the place cannot be written.
        """
        ...

    async def prepare(self) -> None:
        """See, before a person is asked to consent, whether the token can be put there, as far as that can be seen. Raises as `replace`."""
        ...

    async def put(self, token: str) -> None:
        """Put the token of a new consent there, whatever lay there before. Raises as `replace`."""
        ...

    async def renewed_at(self) -> datetime | None:
        """When the token that lies there was put there; None when nobody knows."""
        ...


def store_for(settings: Settings, transport: Callable[[], httpx.AsyncBaseTransport]) -> RefreshTokenStore:
    """The place that the setting names.

    Raises:
        SettingsError: it is a Key Vault reference that is none.
    """
    secret = settings.credential.refresh_token or SecretStr("")
    text = secret.get_secret_value()
    if text.startswith("file:"):
        return FileStore(Path(text.removeprefix("file:")).expanduser())
    if text.startswith("keyvault:"):
        return VaultStore(secret, settings, transport)
    return MemoryStore(secret)


class FileStore:
    """A file of its own, replaced as a whole: whoever reads it at any moment finds one whole token."""

    is_kept = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = f"the file {path}"

    async def read(self) -> str:
        return plain_secret(SecretStr(f"file:{self._path}"), SETTING)

    async def replace(self, used: str, renewed: str) -> str:
        return await asyncio.to_thread(self._replace, used, renewed)

    async def prepare(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._locked():
                return
        except OSError as exc:
            raise CredentialError(
                f"No refresh token could be kept in {self._path} ({type(exc).__name__}: {exc.strerror}).",
                hint=f"Let this process write the folder {self._path.parent}, or name another place: {SETTING}",
            ) from exc

    async def put(self, token: str) -> None:
        await asyncio.to_thread(self._replace, None, token)

    async def renewed_at(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        except OSError:
            return None

    def _replace(self, used: str | None, renewed: str) -> str:
        try:
            with self._locked():
                found = self._path.read_text(encoding="utf-8").strip() if self._path.exists() else ""
                if used is not None and found not in ("", used):
                    return found
                self._write(renewed)
                return renewed
        except OSError as exc:
            raise CredentialError(
                f"The renewed refresh token cannot be kept in {self._path} ({type(exc).__name__}: {exc.strerror}).",
                hint=f"Let this process write the folder {self._path.parent}; until then the old token goes on for the rest of its 90 days.",
            ) from exc

    def _write(self, token: str) -> None:
        """Write beside it, force it to the disk, then put it in its place in one move."""
        for left in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.new"):
            left.unlink(missing_ok=True)  # by one who died; nobody else writes while we hold the lock
        handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", suffix=".new", dir=self._path.parent)
        fresh = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(token)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time among the processes of this host. The lock dies with its holder."""
        lock = os.open(self._path.with_name(f".{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


class VaultStore:
    """A secret of Key Vault: each renewed token is a version of its own, with the end of its ninety days as expiry."""

    is_kept = True

    def __init__(
        self, secret: SecretStr, settings: Settings, transport: Callable[[], httpx.AsyncBaseTransport]
    ) -> None:
        self._vault = KeyVaultSecret.parse(secret.get_secret_value(), SETTING, settings, None)
        self._transport = transport
        self.place = f"the secret {self._vault.address}"

    async def read(self) -> str:
        return (await self._secret().get())[0]

    async def replace(self, used: str, renewed: str) -> str:
        found = await self.read()
        if found != used:
            return found
        await self.put(renewed)
        return renewed

    async def prepare(self) -> None:
        self._vault.check_is_replaceable()

    async def put(self, token: str) -> None:
        await self._secret().set(token, days=90)

    async def renewed_at(self) -> datetime | None:
        return (await self._secret().get())[1]

    def _secret(self) -> KeyVaultSecret:
        return replace(self._vault, transport=self._transport())


class MemoryStore:
    """A value, or a variable of the environment: a renewed token lives as long as this process."""

    is_kept = False

    def __init__(self, secret: SecretStr) -> None:
        self._secret, self._value = secret, ""
        text = secret.get_secret_value()
        self.place = f"the variable {text.removeprefix('env:')}" if text.startswith("env:") else "the setting itself"

    async def read(self) -> str:
        self._value = self._value or plain_secret(self._secret, SETTING)
        return self._value

    async def replace(self, used: str, renewed: str) -> str:  # noqa: ARG002 - nobody else writes here
        self._value = renewed
        return renewed

    async def put(self, token: str) -> None:  # noqa: ARG002 - it cannot be kept
        await self.prepare()

    async def prepare(self) -> None:
        raise SettingsError(
            f"{SETTING} names no place that a consent could be kept in.",
            hint="Name one: file:/path, or keyvault:https://VAULT.vault.azure.net/secrets/NAME",
        )

    async def renewed_at(self) -> datetime | None:
        return None
