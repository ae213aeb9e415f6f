"""What an intruder took away comes back as it was, on the simulated Azure: known from the log, under its own id, and taken back by undo."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from azure_simulator.app import assign, call_as, empty_world
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.world import Document, Principal, World
from firebreak.clients import Connection
from firebreak.execution.looking import why_stale
from firebreak.model.case import Case
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action, Plan
from firebreak.model.removals import Removal, Removals
from firebreak.planning import make_plan
from tasks.recover import restore_removed
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import operations_alert
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import sent, simulated

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
READS = ("investigate.subscription", "investigate.access", "investigate.inventory", "investigate.activity_log")
STEP = "recover.restore_removed"
VERSION = "2022-09-01"
HERE = {"location": "global"}
_NAMES = ("reader of pat", "reader of the thief", "role", "lock", "policy", "setting", "rule", "group")
_STEADY = ("properties", "location", "tags")
_WRITTEN_BY_AZURE = {"createdOn", "updatedOn", "createdBy", "updatedBy"}


@dataclass
class Estate:
    world: World
    thief: Principal
    colleague: Principal
    pat: Principal
    ids: dict[str, str] = field(default_factory=dict)
    before: dict[str, Document] = field(default_factory=dict)

    def call(self, by: Principal, method: str, path: str, body: Any = None) -> None:
        address = "203.0.113.9" if by is self.thief else "198.51.100.7"
        self.world.clock.advance(20)
        mark = "" if "?" in path else f"?api-version={VERSION}"
        answer = call_as(self.world, by.object_id, method, f"{path}{mark}", body, address=address)
        assert answer.status < 300, (method, path, answer.status, answer.body)
        self.world.settle()

    def make(self, name: str, path: str, body: Any) -> None:
        self.ids[name] = path
        self.call(self.colleague, "PUT", path, body)

    def document(self, name: str) -> Document | None:
        """What stands under a name now, without what Azure writes by itself."""
        key = self.ids[name]
        world = self.world
        tables = (
            world.resources,
            world.locks,
            world.role_assignments,
            world.role_definitions,
            world.policy_assignments,
        )
        found = next((table[key] for table in tables if key in table), None)
        if found is None:
            return None
        kept = {name: copy.deepcopy(found[name]) for name in _STEADY if found.get(name)}
        for part in (kept["properties"], kept["properties"].get("metadata", {})):
            for name in _WRITTEN_BY_AZURE & part.keys():
                del part[name]
        return kept

    async def case(self, connection: Connection) -> Case:
        loaded, facts = load_steps(), {}
        playbook = playbook_with()
        stage = playbook.stages[0]
        playbook = msgspec.structs.replace(
            playbook,
            stages=(
                msgspec.structs.replace(stage, steps=(*READS, "investigate.removals")),
                msgspec.structs.replace(stage, id="give-back", steps=(STEP,)),
            ),
        )
        alert = operations_alert(self.world)
        facts[Attribution] = Attribution(
            actors=(
                Judgement(
                    id=self.thief.upn,
                    cls=Class.ATTACKER,
                    score=90,
                    principal_id=self.thief.object_id,
                    address="203.0.113.9",
                ),
            ),
            verdict="fraud",
        )

        def case() -> Case:
            now = connection.eyes.now()
            return Case(incident=incident_for(alert, now), playbook=playbook, now=now, facts=facts)

        for name in (*READS, "investigate.removals"):
            collect = loaded[name].collect
            assert collect is not None
            made = await collect(connection.eyes, case())
            facts[type(made)] = made
        return case()


def plan_of(case: Case) -> Plan:
    return make_plan(case, stage="give-back", steps=[load_steps()[STEP]], round=1, engine_version="test")


@pytest.fixture
def estate() -> Estate:
    world = empty_world(NOW - timedelta(days=6))
    colleague = next(p for p in world.principals.values() if p.kind == "User")
    people = [
        Principal(world.chance.guid(), "User", name, upn=f"{name.lower()}@contoso.example", tenant_id=world.tenant_id)
        for name in ("Eve", "Pat")
    ]
    world.principals |= {person.object_id: person for person in people}
    thief, pat = people
    base = next(iter(world.subscriptions))
    assign(world, thief, roles.OWNER, base)
    found = Estate(world, thief, colleague, pat)
    _colleagues(found, base)
    found.before = {name: found.document(name) or {} for name in found.ids}
    world.clock.advance((NOW - timedelta(minutes=40) - world.clock.now()).total_seconds())
    found.call(colleague, "DELETE", found.ids["own lock"])
    for name in _NAMES:
        found.call(thief, "DELETE", found.ids[name])
    world.clock.advance((NOW - world.clock.now()).total_seconds())
    world.requests.clear()
    return found


def _colleagues(found: Estate, base: str) -> None:
    world, rights = found.world, f"{base}/providers/Microsoft.Authorization"
    group = f"{base}/resourceGroups/rg-shop"
    found.call(found.colleague, "PUT", f"{group}?api-version=2021-04-01", {"location": "westeurope"})
    found.call(found.colleague, "POST", f"{base}/providers/Microsoft.Insights/register")
    guid = world.chance.guid
    role = f"{rights}/roleDefinitions/{guid()}"
    found.make(
        "role",
        role,
        {
            "properties": {
                "roleName": "Release reader",
                "type": "CustomRole",
                "description": "Reads releases.",
                "assignableScopes": [base],
                "permissions": [{"actions": ["*/read"], "notActions": []}],
            }
        },
    )
    for name, who in (("reader of pat", found.pat), ("reader of the thief", found.thief)):
        body = {"roleDefinitionId": role, "principalId": who.object_id, "principalType": "User"}
        found.make(name, f"{rights}/roleAssignments/{guid()}", {"properties": body})
    for name in ("lock", "own lock"):
        body = {"level": "CanNotDelete", "notes": f"The {name} of the shop"}
        found.make(
            name, f"{group}/providers/Microsoft.Authorization/locks/{name.replace(' ', '-')}", {"properties": body}
        )
    definition = next(key for key in world.policy_definitions if key.endswith("e56962a6-4747-49cd-b67b-bf8b01975c4c"))
    allowed = {"listOfAllowedLocations": {"value": ["westeurope", "northeurope"]}}
    body = {"displayName": "Two regions", "policyDefinitionId": definition, "parameters": allowed}
    found.make("policy", f"{rights}/policyAssignments/two-regions", {"properties": body})
    logs = [{"category": "Administrative", "enabled": True}]
    body = {"workspaceId": f"{group}/providers/Microsoft.OperationalInsights/workspaces/logs", "logs": logs}
    found.make("setting", f"{base}/providers/Microsoft.Insights/diagnosticSettings/to-workspace", {"properties": body})
    mail = {"emailReceivers": [{"name": "desk", "emailAddress": "desk@contoso.example"}]}
    body = {**HERE, "properties": {"groupShortName": "desk", "enabled": True, **mail}}
    found.make("group", f"{group}/providers/Microsoft.Insights/actionGroups/desk", body)
    rule = {
        "scopes": [base],
        "enabled": True,
        "condition": {"allOf": [{"field": "category", "equals": "Administrative"}]},
        "actions": {"actionGroups": [{"actionGroupId": found.ids["group"]}]},
    }
    found.make("rule", f"{group}/providers/Microsoft.Insights/activityLogAlerts/roles", {**HERE, "properties": rule})
    # Older than the log: nothing tells what it held.
    old = f"{base}/resourceGroups/rg-old/providers/Microsoft.Authorization/locks/old"
    found.call(
        found.colleague, "PUT", f"{base}/resourceGroups/rg-old?api-version=2021-04-01", {"location": "westeurope"}
    )
    world.locks[old] = {"id": old, "name": "old", "type": "x", "properties": {"level": "ReadOnly"}}
    found.ids["old"] = old


async def test_what_the_attacker_deleted_comes_back_as_it_was_and_undo_takes_it_away_again(estate: Estate) -> None:
    world = estate.world
    async with simulated(world, mode=Mode.LIVE) as connection:
        case = await estate.case(connection)
        assert sent(world, "PUT", "DELETE", "POST", "PATCH") == []
        plan = plan_of(case)
        assert plan.complete, plan.problems
        assert plan.applyable, plan.problems
        named = {name for name, path in estate.ids.items() if path in {a.target for a in plan.actions}}
        assert named == set(_NAMES) - {"reader of the thief"}
        done = await carry_out(plan, connection, world)
        assert {one.state for one in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
        for name in named:
            assert estate.document(name) == estate.before[name], name
        again = await carry_out(plan, connection, world)
        assert {one.state for one in again.outcomes.values()} == {ActionState.ALREADY_SO}
        inverses = [restore_removed.undo(action, done.before[action.id].prior) for action in plan.actions]
        turned = {one.target: one.id for one in inverses if isinstance(one, Action)}
        assert len(turned) == len(plan.actions)
        waits = {turned[a.target]: [turned[b.target] for b in plan.actions if a.id in b.after] for a in plan.actions}
        back = [
            msgspec.structs.replace(one, after=tuple(waits[one.id]))
            for one in reversed(inverses)
            if isinstance(one, Action)
        ]
        undone = await carry_out(msgspec.structs.replace(plan, actions=tuple(back)), connection, world)
        assert {one.state for one in undone.outcomes.values()} == {ActionState.DONE}, undone.outcomes
        assert [name for name in named if estate.document(name) is not None] == []


async def test_the_custom_role_comes_back_before_its_assignment(estate: Estate) -> None:
    async with simulated(estate.world, mode=Mode.LIVE) as connection:
        plan = plan_of(await estate.case(connection))
        await carry_out(plan, connection, estate.world)
    puts = [row.url.split("?")[0] for row in estate.world.requests if row.method == "PUT"]
    assert puts.index(estate.ids["role"]) < puts.index(estate.ids["reader of pat"])


async def test_a_role_of_the_thief_and_a_colleagues_own_deletion_stay_deleted(estate: Estate) -> None:
    async with simulated(estate.world, mode=Mode.DRY_RUN) as connection:
        case = await estate.case(connection)
        plan = plan_of(case)
    told = {row.target: row.reason for row in plan.no_ops}
    assert "attacker's" in told[estate.ids["reader of the thief"]]
    assert estate.ids["own lock"] not in {one.id for one in case[Removals].items}


async def test_what_the_attacker_wrote_is_never_given_back(estate: Estate) -> None:
    """A policy that they weakened first comes back as it was before them; a custom role of their own does not come back at all."""
    world, base = estate.world, next(iter(estate.world.subscriptions))
    bent, own = (
        f"{estate.ids['policy']}-2",
        f"{base}/providers/Microsoft.Authorization/roleDefinitions/{world.chance.guid()}",
    )
    model = estate.before["policy"]
    estate.make("bent", bent, {"properties": model["properties"]})
    estate.before["bent"] = estate.document("bent") or {}
    wide = {"listOfAllowedLocations": {"value": ["westeurope", "eastus", "southindia"]}}
    estate.call(estate.thief, "PUT", bent, {"properties": {**model["properties"], "parameters": wide}})
    permissions = [{"actions": ["*"], "notActions": []}]
    role = {"roleName": "Helper", "type": "CustomRole", "assignableScopes": [base], "permissions": permissions}
    estate.call(estate.thief, "PUT", own, {"properties": role})
    for target in (bent, own):
        estate.call(estate.thief, "DELETE", target)
    world.requests.clear()
    async with simulated(world, mode=Mode.LIVE) as connection:
        plan = plan_of(await estate.case(connection))
        assert "themselves" in next(row.reason for row in plan.no_ops if row.target == own)
        await carry_out(plan, connection, world)
    assert estate.document("bent") == estate.before["bent"]
    assert own not in world.role_definitions


async def test_what_the_log_does_not_tell_is_asked_of_people(estate: Estate) -> None:
    estate.call(estate.thief, "DELETE", estate.ids["old"])
    async with simulated(estate.world, mode=Mode.DRY_RUN) as connection:
        plan = plan_of(await estate.case(connection))
    (reason,) = [row.reason for row in plan.no_ops if row.target == estate.ids["old"]]
    assert "does not tell what it held" in reason
    assert estate.ids["old"] not in {action.target for action in plan.actions}


async def test_somebody_who_left_gets_no_role_and_a_place_that_was_taken_is_left_alone(estate: Estate) -> None:
    world = estate.world
    async with simulated(world, mode=Mode.LIVE) as connection:
        plan = plan_of(await estate.case(connection))
        role = next(a for a in plan.actions if a.target == estate.ids["reader of pat"])
        lock = next(a for a in plan.actions if a.target == estate.ids["lock"])
        del world.principals[estate.pat.object_id]
        estate.call(estate.colleague, "PUT", lock.target, {"properties": {"level": "ReadOnly"}})
        world.requests.clear()
        seen = await restore_removed.look([role, lock], connection.eyes)
        assert "deleted from the directory" in str(why_stale(role, seen[role.id]))
        assert "taken by another one" in str(why_stale(lock, seen[lock.id]))


async def test_nothing_is_given_back_on_a_log_that_could_not_be_read(estate: Estate) -> None:
    async with simulated(estate.world, mode=Mode.DRY_RUN) as connection:
        case = await estate.case(connection)
    facts: dict[type[Any], Any] = {kind: case[kind] for kind in (Attribution,)}
    unread = tuple(msgspec.structs.replace(one, document=None, source="") for one in case[Removals].items)
    facts[Removals] = Removals(items=unread)
    plan = plan_of(Case(incident=case.incident, playbook=case.playbook, now=case.now, facts=facts))
    assert plan.actions == ()
    assert len(plan.no_ops) == len(_NAMES)


def test_names_from_the_log_are_shown_plain() -> None:
    """A deletion's caller and address are text of somebody else's."""
    item = Removal(
        id="/subscriptions/33333333-3333-4333-8333-333333333333/providers/Microsoft.Authorization/locks/x",
        type="microsoft.authorization/locks",
        called="lock",
        version="2020-05-01",
        by="<script>\x1b[31m",
        at=NOW,
    )
    findings = load_steps()["investigate.removals"].assess
    assert findings is not None
    (found,) = findings(Removals(items=(item,)), None)
    assert "\x1b" not in json.dumps(found.reasons)
    assert isinstance(found.reasons[0], str)
