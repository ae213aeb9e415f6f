"""A small estate of a colleague's on the simulated Azure, and a thief at work in it: for tests of what an intruder leaves behind.

estate = Estate(world, thief, colleague)
estate.make(estate.thief, "aa", path, body)          # through RBAC and into the activity log
case = await estate.case(connection, reads=("investigate.footholds",), changes=("eradicate.remove_footholds",))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from azure_simulator.app import assign, call_as, empty_world
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.world import Principal, World
from firebreak.clients import Connection
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.model.plan import Plan
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import subscription_of

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
READS = ("investigate.subscription", "investigate.access", "investigate.inventory", "investigate.activity_log")
HERE = {"location": "westeurope"}
VERSION = "2024-07-01"
ADDRESS = "203.0.113.9"


def operations_alert(world: World) -> Alert:
    """The alert that such an investigation starts from: suspicious operations since an hour ago."""
    return Alert(
        id="a",
        source="file",
        type="ARM_SuspiciousOperations",
        title="Operations",
        severity="high",
        subscription_id=subscription_of(world),
        customer_tenant_id=world.tenant_id,
        detected_at=NOW,
        first_observed_at=NOW - timedelta(hours=1),
    )


@dataclass
class Estate:
    """A colleague's estate, older than the log's window, and what a thief put into it an hour ago."""

    world: World
    thief: Principal
    colleague: Principal
    ids: dict[str, str] = field(default_factory=dict)

    def make(self, by: Principal, name: str, path: str, body: Mapping[str, Any], method: str = "PUT") -> str:
        address = ADDRESS if by is self.thief else "198.51.100.7"
        self.world.clock.advance(20)
        answer = call_as(
            self.world, by.object_id, method, f"{path}?api-version={VERSION}", dict(body) or None, address=address
        )
        assert answer.status < 300, (method, path, answer.status, answer.body)
        self.world.settle()
        self.ids[name] = path
        return path

    async def case(self, connection: Connection, reads: Sequence[str], changes: Sequence[str]) -> Case:
        loaded, facts = load_steps(), {}
        playbook = playbook_with()
        stage = playbook.stages[0]
        playbook = msgspec.structs.replace(
            playbook,
            stages=(
                msgspec.structs.replace(stage, steps=(*READS, *reads)),
                msgspec.structs.replace(stage, id="eradicate", steps=tuple(changes)),
            ),
        )
        alert = operations_alert(self.world)

        def case() -> Case:
            now = connection.eyes.now()
            return Case(incident=incident_for(alert, now), playbook=playbook, now=now, facts=facts)

        facts[Attribution] = Attribution(
            actors=(
                Judgement(
                    id=self.thief.upn,
                    cls=Class.ATTACKER,
                    score=90,
                    principal_id=self.thief.object_id,
                    address=ADDRESS,
                ),
            ),
            verdict="fraud",
        )
        for name in (*READS, *reads):
            collect = loaded[name].collect
            assert collect is not None
            made = await collect(connection.eyes, case())
            facts[type(made)] = made
        return case()

    def plan(self, case: Case) -> Plan:
        steps = [load_steps()[name] for name in case.playbook.stage("eradicate").steps]
        return make_plan(case, stage="eradicate", steps=steps, round=1, engine_version="test")


def empty_estate(namespaces: Sequence[str]) -> Estate:
    """Six days ago: a subscription of the colleague's with one group, and a thief who is an Owner and did nothing yet."""
    world = empty_world(NOW - timedelta(days=6))
    colleague = next(p for p in world.principals.values() if p.kind == "User")
    thief = Principal(world.chance.guid(), "User", "Eve", upn="eve@contoso.example", tenant_id=world.tenant_id)
    world.principals[thief.object_id] = thief
    subscription = next(iter(world.subscriptions))
    assign(world, thief, roles.OWNER, subscription)
    found = Estate(world, thief, colleague)
    found.make(colleague, "group", f"{subscription}/resourceGroups/rg-shop", HERE)
    for namespace in namespaces:
        found.make(colleague, namespace, f"{subscription}/providers/Microsoft.{namespace}/register", {}, "POST")
    return found


def later(found: Estate, before_now: timedelta) -> None:
    """Move the clock to so long before now."""
    found.world.clock.advance((NOW - before_now - found.world.clock.now()).total_seconds())
