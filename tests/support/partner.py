"""An embedded Azure behind TLS whose partner's agent consents to the application that Firebreak signs in as.

with partnership(tmp_path) as place:
    place.consent()                                     # the file of the setting holds a refresh token
    place.settings()                                    # the secure application model, every address the world's
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure_simulator.app import assign, empty_world, endpoints
from azure_simulator.server import serve
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.signin import grants
from azure_simulator.world import Principal, World
from firebreak.settings import Settings

SECRET = "responder-secret"


@dataclass
class Partnership:
    """A world, its agent, and the file where the consent's refresh token lies."""

    world: World
    agent: Principal
    app: Principal
    folder: Path
    ca_bundle: str

    @property
    def token_file(self) -> Path:
        return self.folder / "refresh-token"

    @property
    def subscription(self) -> str:
        return str(next(iter(self.world.subscriptions.values()))["subscriptionId"])

    def consent(self, *, mfa: bool = True) -> str:
        """As if the agent had consented: put a refresh token into the file and return it."""
        token = grants.give(self.world, self.agent, self.app.app_id, mfa=mfa)
        self.token_file.write_text(token)
        return token

    def environment(self) -> dict[str, str]:
        """The settings as variables of the environment."""
        places = {f"FIREBREAK_CLOUD__{name.upper()}": value for name, value in endpoints(self.world).items()}
        own = {f"FIREBREAK_CREDENTIAL__{name.upper()}": value for name, value in self._credential().items()}
        return {
            **places,
            **own,
            "FIREBREAK_CLOUD__CA_BUNDLE": self.ca_bundle,
            "FIREBREAK_HOME": str(self.folder / "home"),
        }

    def settings(self, **more: Any) -> Settings:
        cloud = {"preset": "simulator", **endpoints(self.world), "ca_bundle": self.ca_bundle}
        home = {"home": self.folder / "home"}
        return Settings.load(**(home | {"cloud": cloud, "credential": self._credential()} | more))

    def generation(self, token: str) -> int:
        """How often a token was renewed before this one was given; the world remembers them in order."""
        return list(self.world.grants).index(token)

    def _credential(self) -> dict[str, str]:
        return {
            "kind": "secure_application_model",
            "tenant_id": self.world.tenant_id,
            "partner_tenant_id": self.world.partner_tenant_id,
            "client_id": self.app.app_id,
            "client_secret": SECRET,
            "refresh_token": f"file:{self.token_file}",
        }


@contextlib.contextmanager
def partnership(folder: Path) -> Iterator[Partnership]:
    """Serve such a world."""
    world = empty_world(datetime.now(UTC).replace(microsecond=0))
    world.partner = {
        "organization": {"companyName": "Example Partner", "domain": "partner.example"},
        "customers": {world.tenant_id: {"profile": {"companyName": "Contoso", "domain": "contoso.example"}}},
    }
    agent = Principal(
        world.chance.guid(), "User", "Ada Agent", upn="ada@partner.example", tenant_id=world.partner_tenant_id
    )
    world.principals[agent.object_id] = agent
    assign(world, agent, roles.OWNER, next(iter(world.subscriptions)))
    app = next(p for p in world.principals.values() if p.app_id)
    (folder / "azure").mkdir(parents=True)
    with serve(world, folder=folder / "azure", throttling=False) as server:
        yield Partnership(world, agent, app, folder, server.ca_bundle)
