"""A simulated cloud with secrets planted in it, and answers that repeat what was sent: what the leak tests respond to.

world = small_world()
cloud = Planted(world)
app = cloud.around(AsgiApp(world))      # or serve(world, 0, folder, around=cloud.around)
alert = cloud.alert()
...
Canaries(cloud.secrets())               # also the tokens that passed meanwhile
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from azure_simulator import build
from azure_simulator.services.storage.models import keys as storage_keys
from azure_simulator.world import World
from tests.support.playbooks import small_playbook

App = Callable[[Any, Any, Any], Awaitable[None]]

_SIGNATURES = {
    "tag": "cAnArYtAg/sIg0123456789=",
    "tag, escaped": "cAnArYeScApEd/sIg0123456789=",
    "error": "cAnArYeRrOr/sIg0123456789=",
    "title of the alert": "cAnArYtItLe/sIg0123456789=",
}
_IN_URL = {"/": "%2F", "=": "%3D"}
# Not secrets by their shape: they may not turn up because nobody asked for them.
NOT_ASKED_FOR = "cAnArY-not-asked-for"
_ACCOUNT = "microsoft.storage/storageaccounts"
_REFUSED_READ, _REFUSED_WRITE = "/budgets", "/providers/microsoft.compute/disks/"
PLAYBOOK = small_playbook(
    "compromised-subscription",
    reads=["investigate.spend"],
    deletes=["eradicate.delete_unmanaged_disks"],
    closes=["notify.alert_verdict"],
)


def small_world(scenario: str, now: datetime, *, real_time: bool = False) -> World:
    """A scenario with a shorter log, no costs and no price list: its investigation takes seconds of work, not half a minute."""
    world = build(scenario, seed=7, now=now, real_time=real_time)
    callers = {str(attacker.get("caller")) for attacker in world.truth["attackers"]}
    world.events = [event for n, event in enumerate(world.events) if event.get("caller") in callers or n % 100 == 0]
    world.prices, world.costs = [], []
    return world


def sas(signature: str) -> str:
    """A SAS URL, its signature escaped as Azure writes it."""
    for plain, coded in _IN_URL.items():
        signature = signature.replace(plain, coded)
    return f"https://contoso.blob.core.windows.net/backups/db.bak?sv=2024-11-04&se=2027-01-01&sig={signature}"


def _connection(key: str) -> str:
    return f"DefaultEndpointsProtocol=https;AccountName=backups;AccountKey={key};EndpointSuffix=core.windows.net"


class Planted:
    """Secrets in tags, custom data, storage keys and the alert; in the errors of `around`; and all tokens that pass it.

    Every list of budgets and every first deletion of a disk is refused by an error that repeats the request's token and an own SAS.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.refused: dict[str, int] = {"read": 0, "write": 0}
        self._tokens: list[str] = []
        self._refused_disks: set[str] = set()
        self._fixed = {f"SAS in the {place}": value for place, value in _SIGNATURES.items()}
        self._fixed["custom data"] = "cAnArYcUsToMdAtA0123456789=="
        self._fixed["password in the alert"] = "cAnArYpAsSwOrD0123456789"
        for document in world.resources.values():
            kind = str(document.get("type", "")).lower()
            if kind in ("microsoft.compute/virtualmachines", "microsoft.compute/disks"):
                document.setdefault("tags", {})["backup"] = sas(_SIGNATURES["tag"])
                document["tags"]["restore"] = "https://x.example/?u=" + sas(_SIGNATURES["tag, escaped"]).replace(
                    "&", "%26"
                )
            if kind == "microsoft.compute/virtualmachines":
                document["properties"].setdefault("osProfile", {})["customData"] = self._fixed["custom data"]
        accounts = [d for d in world.resources.values() if str(d.get("type", "")).lower() == _ACCOUNT]
        for number, account in enumerate(accounts[:2]):
            for which, key in enumerate(storage_keys(world, account)):
                self._fixed[f"storage key {number}.{which}"] = key
            account.setdefault("tags", {})["connection"] = _connection(self._fixed[f"storage key {number}.0"])

    def alert(self) -> bytes:
        """The alert, with a SAS in its title, a storage key in its details, a password, and what nobody asked for."""
        told = dict(next(iter(self._world.alerts.values())))
        told |= {"password": self._fixed["password in the alert"], "customerNote": NOT_ASKED_FOR}
        told["displayName"] = told["title"] = (
            f"{told.get('displayName') or ''} {sas(_SIGNATURES['title of the alert'])}"
        )
        details = told.get("additionalDetails")
        connection = _connection(self._fixed["storage key 1.1"])
        told["additionalDetails"] = {**(details if isinstance(details, dict) else {}), "connection": connection}
        return json.dumps(told).encode()

    def secrets(self) -> Mapping[str, str]:
        """What is planted, by name: of the tokens the first, the last and the one between."""
        assert self._tokens
        some = {0: "first", len(self._tokens) // 2: "middle", len(self._tokens) - 1: "last"}
        return self._fixed | {f"{name} token": self._tokens[at] for at, name in some.items()}

    def remember(self, token: str) -> None:
        """A token that passed; each is kept once."""
        if token and token not in self._tokens:
            self._tokens.append(token)

    def around(self, app: App) -> App:
        """The application, watched: tokens in requests and in the answers of sign-in are remembered, and some requests refused."""

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            given = next((v.decode() for n, v in scope["headers"] if n.lower() == b"authorization"), "")
            self.remember(given.partition(" ")[2])
            if kind := self._is_to_be_refused(scope["method"], scope["path"].lower()):
                self.refused[kind] += 1
                await _refuse(send, given)
                return
            signs_in = scope["path"].lower().endswith("/token")

            async def sent(message: Any) -> None:
                if signs_in and message["type"] == "http.response.body":
                    self._remember_answer(message.get("body", b""))
                await send(message)

            await app(scope, receive, sent)

        return watched

    def _is_to_be_refused(self, method: str, path: str) -> str:
        if method == "GET":
            return "read" if _REFUSED_READ in path else ""
        if method == "DELETE" and _REFUSED_WRITE in path and not self._refused_disks:
            self._refused_disks.add(path)
            return "write"
        return "write" if method == "DELETE" and path in self._refused_disks else ""

    def _remember_answer(self, body: bytes) -> None:
        told = json.loads(body or b"{}")
        for name in ("access_token", "refresh_token"):
            self.remember(str(told.get(name) or ""))


async def _refuse(send: Any, given: str) -> None:
    message = f"The client with Authorization: {given} (raw {given.partition(' ')[2]}) may not; see {sas(_SIGNATURES['error'])}"
    body = json.dumps({"error": {"code": "AuthorizationFailed", "message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
