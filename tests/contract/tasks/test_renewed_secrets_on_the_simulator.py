"""New secrets that nobody sees, on the simulated Azure: made, handed over into a vault, the old ones removed after; and what every death leaves."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from azure_simulator.app import call_as, empty_world
from azure_simulator.faults import Fault
from azure_simulator.services.graph.store import table
from azure_simulator.services.key_vault import models as vaults
from azure_simulator.world import Principal, World
from firebreak.clients import Connection
from firebreak.errors import AccessError, RemoteError, ResponseError, ScopeError
from firebreak.model.case import Case
from firebreak.model.facts import Attribution
from firebreak.model.identity import Application, Applications, Credential
from firebreak.model.intrusion import Intruder, Intrusion, Service
from firebreak.model.keys import Vaults
from firebreak.model.mode import Mode
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Action, Plan
from firebreak.planning import make_plan
from tasks.registry import load_steps
from tests.contract.tasks.changing_steps import carry_out
from tests.contract.tasks.estate import operations_alert
from tests.steps.investigation import incident_for, playbook_with
from tests.support.inprocess import responder, simulated

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
APP, OBJECT = "0000000a-0000-4000-8000-0000000000a1", "0000000b-0000-4000-8000-0000000000b1"
FIRST, SECOND = "0000000c-0000-4000-8000-0000000000c1", "0000000c-0000-4000-8000-0000000000c2"
STEP = "contain.renew_secrets"


class Shop:
    """An application with two secrets of its own, a service principal, and a vault that the responder may write into."""

    def __init__(self) -> None:
        self.world: World = empty_world(NOW)
        world = self.world
        self.principal = Principal(
            world.chance.guid(),
            "ServicePrincipal",
            "shop",
            app_id=APP,
            tenant_id=world.tenant_id,
            secrets=["old-1", "old-2"],
        )
        acting = responder(world)
        world.principals[self.principal.object_id] = self.principal
        table(world, "applications")[OBJECT] = {
            "id": OBJECT,
            "appId": APP,
            "displayName": "shop",
            "_tenant": world.tenant_id,
        }
        for key, secret in ((FIRST, "old-1"), (SECOND, "old-2")):
            row = {
                "keyId": key,
                "displayName": f"ci {secret}",
                "hint": "old",
                "_owner": OBJECT,
                "_kind": "passwordCredentials",
            }
            times = {"startDateTime": "2026-01-01T00:00:00Z", "endDateTime": "2027-01-01T00:00:00Z"}
            table(world, "credentials")[key] = row | times | {"_secret": secret}
        subscription, owner = (
            next(iter(world.subscriptions)),
            next(p for p in world.principals.values() if p.kind == "User"),
        )
        policy = {
            "tenantId": world.tenant_id,
            "objectId": acting.object_id,
            "permissions": {"secrets": ["set", "list"]},
        }
        properties = {
            "tenantId": world.tenant_id,
            "sku": {"family": "A", "name": "standard"},
            "accessPolicies": [policy],
        }
        for method, path, body in (
            ("PUT", f"{subscription}/resourceGroups/rg-keys", {"location": "westeurope"}),
            ("POST", f"{subscription}/providers/Microsoft.KeyVault/register", None),
            (
                "PUT",
                f"{subscription}/resourceGroups/rg-keys/providers/Microsoft.KeyVault/vaults/kv-hand-over",
                {"location": "westeurope", "properties": properties},
            ),
        ):
            assert call_as(world, owner.object_id, method, f"{path}?api-version=2023-07-01", body).status < 300
        self.vault = vaults.find_vault(world, "kv-hand-over") or {}
        self.address = vaults.uri(world, self.vault).rstrip("/")

    def case(self, vault: str, *facts: object, outcomes: Mapping[str, Outcome] | None = None) -> Case:
        book = playbook_with({STEP: {"vault": vault}} if vault else {})
        alert = operations_alert(self.world)
        who = self.principal.object_id
        held = tuple(
            Credential(id=key, kind="secret", name=row["displayName"])
            for key, row in table(self.world, "credentials").items()
            if row["_owner"] == OBJECT
        )
        application = Application(app_id=APP, name="shop", principal_id=who, object_id=OBJECT, credentials=held)
        intrusion = Intrusion(
            window_start=NOW,
            intruders=(
                Intruder(id=who, name="shop", kind="servicePrincipal", own=False, reasons=("Its secret leaked.",)),
            ),
            services=(Service(id=who, app_id=APP, name="shop", kind="Application", enabled=False),),
        )
        known = (
            Attribution(verdict="fraud"),
            Applications(window_start=NOW, applications=(application,)),
            intrusion,
            *facts,
        )
        return Case(
            incident=incident_for(alert, NOW),
            playbook=book,
            now=NOW,
            facts={type(one): one for one in known},
            outcomes=outcomes or {},
        )

    def plan(self, vault: str = "same", *facts: object, outcomes: Mapping[str, Outcome] | None = None) -> Plan:
        case = self.case(self.address if vault == "same" else vault, *facts, outcomes=outcomes)
        return make_plan(case, stage="evict", steps=[load_steps()[STEP]], round=1, engine_version="test")

    def renewal(self) -> Action:
        return next(action for action in self.plan().actions if action.kind == "app_secret.renew")

    @property
    def signs_in(self) -> list[str]:
        return list(self.principal.secrets)

    @property
    def in_vault(self) -> list[str]:
        return [version["value"] for version in self.vault.get("_secrets", {}).get(f"firebreak-{APP}", ())]

    @property
    def keys(self) -> set[str]:
        return {key for key, row in table(self.world, "credentials").items() if row["_owner"] == OBJECT}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def connection(shop: Shop) -> AsyncIterator[Connection]:
    async with simulated(shop.world) as opened:
        yield opened


async def test_the_new_secret_is_in_the_vault_and_nowhere_else_and_the_old_ones_go_after_it(
    shop: Shop, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    plan = shop.plan()
    assert [action.kind for action in plan.actions].count("app_secret.retire") == 2
    done = await carry_out(plan, connection, shop.world)
    assert {one.state for one in done.outcomes.values()} == {ActionState.DONE}, done.outcomes
    (secret,) = shop.in_vault
    assert shop.signs_in == [secret]
    order = [
        (row.method, row.url.partition("?")[0].rsplit("/", 1)[-1]) for row in shop.world.requests if row.method != "GET"
    ]
    assert [name for _, name in order] == ["addPassword", f"firebreak-{APP}", "removePassword", "removePassword"]
    shown = json.dumps(
        [msgspec.to_builtins(plan), str(done), [str(row) for row in shop.world.requests], shop.world.events],
        default=str,
    )
    assert secret not in shown
    assert secret not in caplog.text
    again = await carry_out(plan, connection, shop.world)
    assert {one.state for one in again.outcomes.values()} == {ActionState.ALREADY_SO}
    assert shop.signs_in == shop.in_vault == [secret]


async def test_a_secret_that_died_on_its_way_is_removed_before_another_is_made(
    shop: Shop, connection: Connection
) -> None:
    """Killed between the two requests: what is left is a secret in the directory that nobody has."""
    action, step = shop.renewal(), load_steps()[STEP]
    assert step.look is not None
    assert step.apply is not None
    body = {"passwordCredential": {"displayName": action.params["marker"]}}
    left = await connection.hands.graph.post(f"{action.target}/addPassword", body, request_id="x")
    assert left.status == 200
    assert len(shop.signs_in) == 3
    seen = (await step.look([action], connection.eyes))[action.id]
    assert not seen.already_so
    assert "given to nobody" in seen.state
    await step.apply(action, connection.hands)
    (secret,) = shop.in_vault
    assert shop.signs_in == ["old-1", "old-2", secret]
    assert (await step.look([action], connection.eyes))[action.id].already_so


async def test_a_secret_that_was_handed_over_and_nobody_heard_of_it_is_not_made_twice(
    shop: Shop, connection: Connection
) -> None:
    action, step = shop.renewal(), load_steps()[STEP]
    assert step.look is not None
    assert step.apply is not None
    await step.apply(action, connection.hands)
    assert (await step.look([action], connection.eyes))[action.id].already_so
    await step.apply(action, connection.hands)
    assert len(shop.in_vault) == 1
    assert shop.signs_in == ["old-1", "old-2", *shop.in_vault]


@pytest.mark.parametrize("refusal", ["forbidden", "gone", "unreachable"])
async def test_what_the_vault_does_not_take_is_taken_back_and_the_old_secrets_stay(
    shop: Shop, connection: Connection, refusal: str
) -> None:
    action, step = shop.renewal(), load_steps()[STEP]
    assert step.apply is not None
    if refusal == "forbidden":
        shop.vault["properties"]["accessPolicies"][0]["permissions"]["secrets"] = ["list"]
    elif refusal == "gone":
        shop.vault["properties"]["accessPolicies"] = []
    else:
        shop.world.faults.append(Fault(method="PUT", url="/vault/", kind="drop_before", times=9))
    with pytest.raises((RemoteError, AccessError)) as told:
        await step.apply(action, connection.hands)
    assert shop.keys == {FIRST, SECOND}
    assert shop.signs_in == ["old-1", "old-2"]
    assert shop.in_vault == []
    assert "old-1" not in str(told.value)


async def test_an_answer_of_the_vault_that_was_lost_is_looked_up(shop: Shop, connection: Connection) -> None:
    action, step = shop.renewal(), load_steps()[STEP]
    assert step.apply is not None
    shop.world.faults.append(Fault(method="PUT", url="/vault/", kind="drop_after", times=1))
    await step.apply(action, connection.hands)
    assert shop.signs_in == ["old-1", "old-2", *shop.in_vault]
    assert len(shop.in_vault) == 1


async def test_an_answer_that_cannot_be_read_is_an_error_and_the_secret_that_nobody_has_goes_with_the_next_try(
    shop: Shop, connection: Connection
) -> None:
    action, step = shop.renewal(), load_steps()[STEP]
    assert step.apply is not None
    shop.world.faults.append(Fault(method="POST", url="/addPassword", kind="truncate_page", times=1))
    with pytest.raises(ResponseError, match="no JSON"):
        await step.apply(action, connection.hands)
    assert len(shop.signs_in) == 3
    assert shop.in_vault == []
    await step.apply(action, connection.hands)
    assert shop.signs_in == ["old-1", "old-2", *shop.in_vault]
    assert len(shop.in_vault) == 1


async def test_an_old_secret_that_stayed_is_proposed_again_and_no_second_new_one_is(
    shop: Shop, connection: Connection
) -> None:
    whole = shop.plan()
    first = await carry_out(msgspec.structs.replace(whole, actions=whole.actions[:2]), connection, shop.world)
    assert shop.signs_in == ["old-2", *shop.in_vault]
    plan = shop.plan(outcomes=first.outcomes)
    assert [action.kind for action in plan.actions] == ["app_secret.retire"]
    second = await carry_out(plan, connection, shop.world)
    assert {one.state for one in second.outcomes.values()} == {ActionState.DONE}, second.outcomes
    assert shop.signs_in == shop.in_vault
    rest = shop.plan(outcomes={**first.outcomes, **second.outcomes})
    assert rest.actions == ()
    assert "none from before" in rest.no_ops[0].reason


async def test_the_old_secrets_stay_when_the_new_one_was_not_handed_over(shop: Shop) -> None:
    plan = shop.plan()
    renewal = next(action for action in plan.actions if action.kind == "app_secret.renew")
    assert all(action.after == (renewal.id,) for action in plan.actions if action.kind == "app_secret.retire")


def test_without_a_vault_people_are_asked_with_the_list(shop: Shop) -> None:
    plan = shop.plan("")
    assert plan.actions == ()
    (told,) = plan.no_ops
    assert "FIREBREAK_HAND_OVER__VAULT" in told.reason
    assert "ci old-1, ci old-2" in told.reason


def test_a_vault_that_the_attacker_may_read_takes_nothing(shop: Shop) -> None:
    plan = shop.plan("same", Vaults(reachable={str(shop.vault["id"]): ("eve",)}))
    assert plan.actions == ()
    assert "The attacker may read the Key Vault" in plan.no_ops[0].reason


@pytest.mark.parametrize(
    "vault",
    [
        "https://evil.example",
        "https://kv.vault.azure.net.evil.example",
        "https://kv.vault.azure.net/x",
        "http://kv.vault.azure.net",
    ],
)
async def test_no_secret_is_made_for_a_vault_of_another_cloud(shop: Shop, connection: Connection, vault: str) -> None:
    action = msgspec.structs.replace(shop.renewal(), params={**shop.renewal().params, "vault": vault})
    apply = load_steps()[STEP].apply
    assert apply is not None
    with pytest.raises(ScopeError):
        await apply(action, connection.hands)
    assert shop.signs_in == ["old-1", "old-2"]


async def test_a_dry_run_makes_none(shop: Shop) -> None:
    step = load_steps()[STEP]
    assert step.apply is not None
    async with simulated(shop.world, mode=Mode.DRY_RUN) as dry:
        with pytest.raises(ResponseError):
            await step.apply(shop.renewal(), dry.hands)
    assert shop.signs_in == ["old-1", "old-2"]
