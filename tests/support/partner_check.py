"""Checks of a partner's own tenant in this process: the embedded partner, signed in as one of its agents with a second factor.

with partner_room(world, home) as room:
    ran = check_in(room, world)
    ran.checks["accounts-registered"].status
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken

from azure_simulator import AsgiApp
from azure_simulator.services.signin import models as signin
from azure_simulator.world import Document, Principal, World
from firebreak.clients.inprocess import in_process
from firebreak.engine import EngineRoom, Question, open_engine_room
from firebreak.engine.partner import open_check
from firebreak.model.check import Check
from firebreak.model.mode import Mode
from tasks.guidance import instructions
from tasks.registry import load_steps
from tests.flows.room_in_process import People, Ran, go_on
from tests.support.inprocess import SimulatedToken, responder, settings_for, sleeping


class AgentToken(SimulatedToken):
    """Signs in as a person of the partner's, by the responder's application; `mfa` is whether a second factor was used."""

    mfa: bool | None = True

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        audience, application = scopes[0].removesuffix("/.default"), responder(self._world).app_id
        token = signin.issue(
            self._world, self._principal, tenant=self._tenant_id, audience=audience, app_id=application, mfa=self.mfa
        )
        return AccessToken(token, 0)


class AgentTokenWithoutFactor(AgentToken):
    mfa = False


@dataclass(frozen=True)
class Checked:
    """How a run ended, and its checks by id."""

    ran: Ran
    checks: dict[str, Check]

    def row(self, row: str) -> list[Check]:
        return [check for check in self.checks.values() if check.row == row]


def person(world: World, name: str) -> Principal:
    """An account of the partner's by the part of its name before the @."""
    partners = (p for p in world.principals.values() if p.tenant_id == world.partner_tenant_id)
    return next(p for p in partners if p.upn.lower().startswith(f"{name.lower()}@"))


def relationship(world: World, purpose: str) -> Document:
    rows = world.table("graph.delegatedAdminRelationships").values()
    return next(row for row in rows if row["displayName"].endswith(purpose))


@contextmanager
def partner_room(
    world: World, home: Path, *, app_only: bool = False, token: type[AgentToken] = AgentToken
) -> Iterator[EngineRoom]:
    """The engine room of a fresh home, signed in by the secure application model, or with `app_only` as an application."""
    home.mkdir(parents=True, exist_ok=True)
    acting, agent = responder(world), person(world, "agent1")
    credential = {
        "kind": "client_secret" if app_only else "secure_application_model",
        "tenant_id": world.tenant_id,
        "partner_tenant_id": world.partner_tenant_id,
        "client_id": acting.app_id,
        "client_secret": acting.secrets[0],
    }
    credential |= {} if app_only else {"refresh_token": "not used in this process"}
    settings = settings_for(world, home=home, approvers_file=People(world).write(home), credential=credential)
    made: Callable[[str], SimulatedToken] = (
        (lambda tenant: SimulatedToken(world, acting, tenant or world.tenant_id))
        if app_only
        else (lambda tenant: token(world, agent, tenant or world.tenant_id))
    )
    transports = in_process(AsgiApp(world), credential=made)
    with open_engine_room(settings, load_steps(), instructions=instructions(), clock=world.clock.now) as room:
        yield replace(
            room, transport=transports, sleep=sleeping(world), monotonic=lambda: world.clock.now().timestamp()
        )


def check_in(
    room: EngineRoom,
    world: World,
    *,
    mode: Mode = Mode.DRY_RUN,
    end: Iterable[str] = (),
    decide: Callable[[Question], str] = lambda _: "approve",
) -> Checked:
    """Open a check and carry it out to the end."""
    opened = open_check(room, mode=mode, requested_by="ruth@partner.example", end=end)
    ran = go_on(room, world, opened.incident.id, decide=decide)
    return Checked(ran, {check.id: check for check in ran.dossier.checks})
