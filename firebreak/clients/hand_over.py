"""New secrets of applications, from Microsoft Graph straight into a Key Vault of the customer's: nobody sees one on the way.

A secret exists in this process from the answer of `addPassword` until the vault has it, in one local variable of one function. It is in no
`Sent`, no error and no log line. https://learn.microsoft.com/graph/api/application-addpassword
https://learn.microsoft.com/rest/api/keyvault/secrets/set-secret
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from firebreak.clients.addresses import address, following, origin_of
from firebreak.clients.channel import Channel
from firebreak.clients.failures import error_of, is_absent, object_of, unreadable
from firebreak.clients.graph import GraphRead, GraphWrite
from firebreak.clients.policies.exchange import Call, encode
from firebreak.clients.policies.redaction import know_secret, shown_url
from firebreak.errors import AccessError, RejectedError, RemoteError, ScopeError, ThrottledError, UnreachableError
from firebreak.model.clouds import MaySend, Renewal
from firebreak.model.step import Sent

_VERSION = "7.4"
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_DEFINITE = (AccessError, RejectedError, ThrottledError, UnreachableError)


class VaultHosts:
    """Where vaults may be: below the cloud's suffix, or under `/vault/{name}` of an extra origin (the simulator's)."""

    def __init__(self, suffix: str, origins: Sequence[str] = ()) -> None:
        self._suffix = f".{suffix.lower().strip('.')}"
        self._origins = frozenset(origin_of(origin) for origin in origins)

    def secret(self, vault: str, name: str) -> str:
        """The address of a secret.

        Raises:
            ScopeError: not https, no vault of this cloud, or with a trick in it. No token was sent there.
        """
        scheme, host, port = origin_of(vault)
        parts = urlsplit(vault)
        place = parts.path.rstrip("/")
        ours = (scheme, host, port) in self._origins and re.fullmatch(r"/vault/[0-9a-zA-Z-]{3,24}", place)
        theirs = (
            scheme == "https"
            and port == 443
            and not place
            and re.fullmatch(r"[0-9a-z-]{3,24}", host.removesuffix(self._suffix))
        )
        known = ours or (theirs and host.endswith(self._suffix))
        if not known or parts.query or parts.fragment or not _NAME.fullmatch(name):
            raise ScopeError(
                f"{shown_url(vault.partition('?')[0])} is not a vault of this cloud, or {name[:60]!r} no name of a secret.",
                hint=f"Use https://NAME{self._suffix}; no token was sent there.",
            )
        return f"{vault.rstrip('/')}/secrets/{name}"


class VaultRead:
    """`VaultReader`: what versions a secret has. Their values are never asked for."""

    def __init__(self, channel: Channel, hosts: VaultHosts, *, max_pages: int) -> None:
        self._channel, self._hosts, self._max_pages = channel, hosts, max_pages

    async def versions(self, vault: str, name: str) -> builtins.list[dict[str, Any]]:
        """The versions of a secret, without values; none for one that is not there."""
        base = self._hosts.secret(vault, name)
        url, seen = address(base, "/versions", {"api-version": _VERSION}), set[str]()
        found: builtins.list[dict[str, Any]] = []
        while url:
            call = Call("GET", url, {"Accept": "application/json"}, is_read=True)
            reply = await self._channel.send(call)
            if is_absent(reply):
                return found
            document = object_of(call, reply)
            rows = document.get("value")
            if not isinstance(rows, builtins.list):
                raise unreadable(call, 'a list without "value"')
            # Listing tells no values; should one come all the same, it goes no further.
            found += [{key: value for key, value in row.items() if key != "value"} for row in rows]
            link = document.get("nextLink")
            url = following(base, str(link)) if link else ""
            if url in seen or len(seen) >= self._max_pages:
                raise unreadable(call, "pages that never end")
            seen.add(url)
        return found


class HandOver:
    """`HandOver` of the ports: makes a secret and hands it over, or leaves nothing behind."""

    def __init__(
        self,
        graph: GraphRead,
        writer: GraphWrite,
        graph_channel: Channel,
        graph_url: str,
        vault_channel: Channel,
        vaults: VaultRead,
        hosts: VaultHosts,
        may_send: MaySend | None = None,
    ) -> None:
        self._graph, self._writer, self._graph_channel, self._graph_url = graph, writer, graph_channel, graph_url
        self._vault_channel, self._vaults, self._hosts = vault_channel, vaults, hosts
        self._may_send = may_send

    def fenced(self, may_send: MaySend) -> HandOver:
        """The same behind a fence, which each of its requests that write awaits."""
        return HandOver(
            self._graph,
            self._writer.fenced(may_send),
            self._graph_channel,
            self._graph_url,
            self._vault_channel,
            self._vaults,
            self._hosts,
            may_send,
        )

    async def renew(self, wanted: Renewal, *, request_id: str) -> Sent:
        """Make one secret of an application and put it into the vault.

        A secret under the same marker that the vault does not have was given to nobody: it goes first, so that there are never two. One that the
        vault has is the one that was wanted. What the vault refuses is taken back at once.

        Raises:
            RemoteError, AccessError: the message says whether a secret was left behind, by its key id.
        """
        place = self._hosts.secret(wanted.vault, wanted.name)
        handed = {_key_of(row).lower() for row in await self._vaults.versions(wanted.vault, wanted.name)}
        mine = [row for row in await self._held(wanted.application) if row.get("displayName") == wanted.marker]
        for row in mine:
            if str(row.get("keyId", "")).lower() not in handed:
                await self._remove(wanted.application, str(row.get("keyId")), request_id)
        if any(str(row.get("keyId", "")).lower() in handed for row in mine):
            return Sent(status=200, note="It was handed over before.")
        key_id, secret = await self._make(wanted, request_id)
        know_secret(secret)
        try:
            return await self._put(place, wanted, key_id, secret)
        except _DEFINITE as error:
            await self._take_back(wanted, key_id, request_id, error)
            raise
        except RemoteError as error:
            # It may have arrived: the vault says.
            if any(_key_of(row) == key_id for row in await self._vaults.versions(wanted.vault, wanted.name)):
                return Sent(status=200, request_id="", note="The vault's answer was lost; it has the secret.")
            await self._take_back(wanted, key_id, request_id, error)
            raise

    async def retire(self, holders: Sequence[str], key_id: str, *, request_id: str) -> Sent:
        """Remove a secret from whichever of the objects holds it.

        Raises:
            RejectedError: none of them does.
        """
        for holder in holders:
            if any(str(row.get("keyId", "")).lower() == key_id.lower() for row in await self._held(holder)):
                return await self._remove(holder, key_id, request_id)
        raise RejectedError(f"Secret {key_id} is on none of its holders any more.", status=404)

    async def _held(self, holder: str) -> builtins.list[dict[str, Any]]:
        document = await self._graph.get(holder, {"$select": "id,passwordCredentials"})
        rows = (document or {}).get("passwordCredentials")
        return [row for row in rows if isinstance(row, dict)] if isinstance(rows, builtins.list) else []

    async def _remove(self, holder: str, key_id: str, request_id: str) -> Sent:
        return await self._writer.post(f"{holder}/removePassword", {"keyId": key_id}, request_id=request_id)

    async def _make(self, wanted: Renewal, request_id: str) -> tuple[str, str]:
        given = {"displayName": wanted.marker, "endDateTime": wanted.ends_at}
        call = Call(
            "POST",
            address(self._graph_url, f"{wanted.application}/addPassword", {}),
            {"Accept": "application/json", "Content-Type": "application/json", "client-request-id": request_id},
            content=encode({"passwordCredential": given}),
            may_send=self._may_send,
            records=False,
        )
        document = object_of(call, await self._graph_channel.send(call))
        key_id, secret = str(document.get("keyId") or ""), document.get("secretText")
        if not key_id or not isinstance(secret, str) or not secret:
            raise unreadable(call, "no secret")
        return key_id, secret

    async def _put(self, place: str, wanted: Renewal, key_id: str, secret: str) -> Sent:
        body = {
            "value": secret,
            "contentType": "client secret",
            "tags": {**wanted.tags, "keyId": key_id},
            "attributes": {"exp": int(datetime.fromisoformat(wanted.ends_at).timestamp())},
        }
        call = Call(
            "PUT",
            address(place, "", {"api-version": _VERSION}),
            {"Accept": "application/json", "Content-Type": "application/json"},
            content=encode(body),
            may_send=self._may_send,
            records=False,
        )
        reply = await self._vault_channel.send(call)
        if reply.status >= 300:
            raise error_of(call, reply)
        return Sent(status=reply.status, request_id=reply.request_id)

    async def _take_back(self, wanted: Renewal, key_id: str, request_id: str, because: Exception) -> None:
        try:
            await self._remove(wanted.application, key_id, request_id)
        except (RemoteError, AccessError) as error:
            raise RemoteError(
                f"The vault did not take the new secret ({because}), and the secret {key_id} that was made could not be removed again ({error}).",
                hint="Nobody has it. Remove it from the application by its key id.",
            ) from because


def _key_of(version: Mapping[str, Any]) -> str:
    tags = version.get("tags")
    return str(tags.get("keyId") or "") if isinstance(tags, Mapping) else ""
