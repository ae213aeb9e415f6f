"""Azure roles that an intruder may take up, on the simulated Azure: found by who gave them, ended, and given back by undo; a colleague's stay."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from azure_simulator.app import assign, call_as, empty_world
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.services.authorization import eligibility
from azure_simulator.world import Principal, World
from firebreak.clients import Connection
from firebreak.model.alert import Alert
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from firebreak.planning import make_plan
from tasks.contain import remove_eligible_access
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import operations_alert
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import sent, simulated, subscription_of

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
STEP = "contain.remove_eligible_access"
READS = ("investigate.subscription", "investigate.access", "investigate.inventory", "investigate.activity_log")
ABOVE = "/providers/Microsoft.Management/managementGroups/root"
UNTIL = "2027-05-01T00:00:00Z"


@dataclass
class Estate:
    world: World
    thief: Principal
    colleague: Principal
    people: dict[str, Principal] = field(default_factory=dict)

    def entitle(self, by: Principal, whom: str, scope: str, ends: str = "") -> None:
        """Ask for an eligibility as somebody, through Azure."""
        expiration = {"type": "AfterDateTime", "endDateTime": ends} if ends else {"type": "NoExpiration"}
        body = {
            "principalId": self.people[whom].object_id,
            "roleDefinitionId": roles.role_id(roles.OWNER, subscription_of(self.world)),
            "requestType": "AdminAssign",
            "scheduleInfo": {"expiration": expiration},
        }
        address = "203.0.113.9" if by is self.thief else "198.51.100.7"
        path = f"{scope}/providers/{eligibility.REQUEST}/{self.world.chance.guid()}?api-version=2020-10-01"
        answer = call_as(self.world, by.object_id, "PUT", path, {"properties": body}, address=address)
        assert answer.status == 201, answer.body
        self.world.clock.advance(30)

    def standing(self) -> set[tuple[str, str, str | None]]:
        """Who may take up a role where, until when."""
        names = {person.object_id: name for name, person in self.people.items()}
        rows = [row["properties"] for row in self.world.table(eligibility.TABLE).values()]
        return {(names[row["principalId"]], row["scope"].rsplit("/", 1)[-1], row["endDateTime"]) for row in rows}

    async def case(self, connection: Connection) -> Case:
        loaded, facts = load_steps(), {}
        playbook = playbook_with()
        stages = (
            msgspec.structs.replace(playbook.stages[0], steps=(*READS, "investigate.eligible_access")),
            msgspec.structs.replace(playbook.stages[0], id="close-doors", steps=(STEP,)),
        )
        playbook = msgspec.structs.replace(playbook, stages=stages)
        alert = operations_alert(self.world)
        thief = Judgement(
            id=self.thief.upn,
            cls=Class.ATTACKER,
            score=90,
            principal_id=self.thief.object_id,
            address="203.0.113.9",
            established=True,
        )
        facts[Attribution] = Attribution(actors=(thief,), verdict="fraud")

        def case() -> Case:
            now = connection.eyes.now()
            return Case(incident=incident_for(alert, now), playbook=playbook, now=now, facts=facts)

        for name in (*READS, "investigate.eligible_access"):
            collect = loaded[name].collect
            assert collect is not None
            made = await collect(connection.eyes, case())
            facts[type(made)] = made
        return case()


def plan_of(case: Case) -> Plan:
    return make_plan(case, stage="close-doors", steps=[load_steps()[STEP]], round=1, engine_version="test")


@pytest.fixture
def estate() -> Estate:
    world = empty_world(NOW - timedelta(days=6))
    colleague = next(p for p in world.principals.values() if p.kind == "User")
    people = {
        name: Principal(world.chance.guid(), "User", name, upn=f"{name}@contoso.example", tenant_id=world.tenant_id)
        for name in ("eve", "mallory", "pat")
    }
    world.principals |= {person.object_id: person for person in people.values()}
    base = next(iter(world.subscriptions))
    found = Estate(world, people["eve"], colleague, people)
    assign(world, found.thief, roles.OWNER, base)
    group = f"{base}/resourceGroups/rg-shop"
    made = call_as(world, colleague.object_id, "PUT", f"{group}?api-version=2021-04-01", {"location": "westeurope"})
    assert made.status == 201
    found.entitle(colleague, "pat", base)
    world.clock.advance((NOW - timedelta(minutes=40) - world.clock.now()).total_seconds())
    found.entitle(found.thief, "mallory", base, UNTIL)
    found.entitle(found.thief, "mallory", group)
    found.entitle(colleague, "pat", group)
    role = roles.role_id(roles.OWNER, "")
    eligibility.add(
        world, ABOVE, people["mallory"].object_id, "User", role, name=world.chance.guid(), requested=world.chance.guid()
    )
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.requests.clear()
    return found


async def test_what_the_attacker_gave_is_ended_and_undo_gives_it_back_until_the_same_end(estate: Estate) -> None:
    world, before = estate.world, estate.standing()
    async with simulated(world, mode=Mode.LIVE) as connection:
        case = await estate.case(connection)
        assert sent(world, "PUT", "DELETE", "POST", "PATCH") == []
        plan = plan_of(case)
        assert plan.complete, plan.problems
        assert len(plan.actions) == 2
        assert all("Given by the attacker" in action.reasons[0] for action in plan.actions)
        done = await carry_out(plan, connection, world)
        assert {one.state for one in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
        assert estate.standing() == {one for one in before if one[0] == "pat"} | {("mallory", "root", None)}
        again = await carry_out(plan, connection, world)
        assert {one.state for one in again.outcomes.values()} == {ActionState.ALREADY_SO}
        inverses = [remove_eligible_access.undo(action, done.before[action.id].prior) for action in plan.actions]
        back = tuple(one for one in inverses if isinstance(one, Action))
        assert len(back) == 2
        undone = await carry_out(msgspec.structs.replace(plan, actions=back), connection, world)
        assert {one.state for one in undone.outcomes.values()} == {ActionState.DONE}, undone.outcomes
    assert estate.standing() == before


async def test_one_above_the_subscription_of_the_attackers_own_identity_is_named_for_an_administrator(
    estate: Estate,
) -> None:
    async with simulated(estate.world, mode=Mode.DRY_RUN) as connection:
        case = await estate.case(connection)
    mallory = estate.people["mallory"]
    own = Judgement(id=mallory.upn, cls=Class.ATTACKER, score=90, principal_id=mallory.object_id, address="203.0.113.9")
    loaded = load_steps()[STEP]
    assert loaded.plan is not None
    facts = {kind: case[kind] for kind in loaded.step.needs} | {
        Attribution: Attribution(actors=(own,), verdict="fraud")
    }
    planned = loaded.plan(Case(incident=case.incident, playbook=case.playbook, now=case.now, facts=facts))
    reasons = {row.target: row.reason for row in planned if not isinstance(row, Action)}
    (above,) = [reason for target, reason in reasons.items() if target.startswith(ABOVE)]
    assert "an administrator of the tenant must end it there" in above


async def test_without_the_licence_it_is_said_that_nobody_looked(estate: Estate) -> None:
    estate.world.directory_rules = True
    async with simulated(estate.world, mode=Mode.DRY_RUN) as connection:
        collect = load_steps()["investigate.eligible_access"].collect
        assert collect is not None
        case = Case(
            incident=incident_for(
                Alert(
                    id="a",
                    source="file",
                    type="x",
                    title="x",
                    severity="high",
                    subscription_id=subscription_of(estate.world),
                    customer_tenant_id=estate.world.tenant_id,
                    detected_at=NOW,
                ),
                NOW,
            ),
            playbook=playbook_with(),
            now=NOW,
            facts={},
        )
        facts = await collect(connection.eyes, case)
    assert facts.roles == ()
    (note,) = facts.not_looked_at
    assert note.what == "roles that may be taken up"
    assert "P2" in note.why
