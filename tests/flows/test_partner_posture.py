"""A whole check of the partner's own tenant: what it changes, who agreed, what can be taken back, and how runs compare."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.services.graph import store
from azure_simulator.world import World
from firebreak.engine import Undo
from firebreak.engine.partner import open_check
from firebreak.errors import ContentError, SettingsError
from firebreak.model.check import CheckStatus
from firebreak.model.mode import Mode
from flows.local import try_undo_here
from tests.flows.room_in_process import alert_bytes, go_on, writes
from tests.support.partner_check import check_in, partner_room, person, relationship

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
DEFAULTS = "/graph/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"


@cache
def _built() -> World:
    world = build("crypto-mining", seed=7, now=NOW)
    world.fill()
    return world


@pytest.fixture
def world() -> World:
    return copy.deepcopy(_built())


def _defaults(world: World) -> bool:
    key = f"{world.partner_tenant_id}/identitySecurityDefaultsEnforcementPolicy"
    return bool(store.table(world, "policies")[key]["isEnabled"])


def _paths(world: World) -> list[tuple[str, str]]:
    return [(row.method, row.url.split("?")[0]) for row in writes(world)]


def test_what_two_people_approved_is_done_once_and_shows_in_the_next_look(world: World, tmp_path: Path) -> None:
    idle = relationship(world, "migration")
    others = {row["id"]: row["status"] for row in store.table(world, "delegatedAdminRelationships").values()}
    with partner_room(world, tmp_path) as room:
        checked = check_in(room, world, mode=Mode.LIVE)
        again = go_on(room, world, checked.ran.incident)
    ended = f"/graph/v1.0/tenantRelationships/delegatedAdminRelationships/{idle['id']}/requests"
    assert _paths(world) == [("PATCH", DEFAULTS), ("POST", ended)]
    assert checked.ran.state == again.state == "done"
    assert _defaults(world)
    assert idle["status"] == "terminated"
    left = {row["id"]: row["status"] for row in store.table(world, "delegatedAdminRelationships").values()}
    assert {key for key in left if left[key] != others[key]} == {idle["id"]}
    gates = {gate["stage"]: gate["approvers"] for gate in checked.ran.json["gates"]}
    assert len(set(gates["relationships"])) == 2
    assert len(set(gates["defaults"])) == 2, "it locks people out, so two agree"
    assert checked.checks["something-enforces"].status is CheckStatus.PASSED
    reasons = " ".join(r for plan in checked.ran.dossier.plans for a in plan.actions for r in a.reasons)
    assert "Locks out billing@" in reasons
    assert "Locks out sales@" in reasons
    assert not any(item.id.startswith("problem") for item in checked.ran.dossier.todo)


def test_nothing_is_written_that_nobody_agreed_to(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        skipped = check_in(room, world, mode=Mode.LIVE, decide=lambda _: "skip")
    assert writes(world) == []
    assert skipped.ran.state == "done"
    with partner_room(world, tmp_path / "dry") as room:
        dry = check_in(room, world)
    assert writes(world) == []
    assert [len(plan.actions) for plan in dry.ran.dossier.plans] == [1, 1]


def test_a_relationship_that_is_named_is_ended_and_the_own_customers_never(world: World, tmp_path: Path) -> None:
    named, own = relationship(world, "Rivermill - support"), relationship(world, "day-to-day support")
    with partner_room(world, tmp_path) as room:
        ran = check_in(room, world, mode=Mode.LIVE, end=[named["id"], own["id"], "nobody-knows-it"]).ran
    assert named["status"] == "terminated"
    assert own["status"] == "active"
    left = [one.reason for plan in ran.dossier.plans for one in plan.no_ops]
    assert any("responds for" in reason for reason in left)
    assert any("has no such relationship" in reason for reason in left)
    action = next(row for row in ran.json["actions"] if named["id"] in row["target"])
    assert any("ruth@partner.example named it" in reason for reason in action["why"])


@pytest.mark.parametrize("identifier", ["a/b", "..", "x,y", ""])
def test_an_id_that_is_none_is_refused_before_anything_is_opened(identifier: str, world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        with pytest.raises(ContentError, match="no id of a delegated relationship"):
            open_check(room, mode=Mode.LIVE, requested_by="ruth", end=[identifier])
        assert room.store.incidents.list() == []


def test_security_defaults_are_left_alone_beside_an_access_policy_and_while_the_log_is_unread(
    world: World, tmp_path: Path
) -> None:
    policy = next(row for row in store.rows(world, "conditionalAccessPolicies", world.partner_tenant_id))
    policy["state"] = "enabled"
    with partner_room(world, tmp_path) as room:
        with_policy = check_in(room, world).ran
    policy["state"] = "disabled"
    for key, row in list(store.table(world, "subscribedSkus").items()):
        if row["_tenant"] == world.partner_tenant_id:
            del store.table(world, "subscribedSkus")[key]
    with partner_room(world, tmp_path / "second") as room:
        unread = check_in(room, world).ran
    for ran, words in ((with_policy, "Access policies are in force"), (unread, "who would be locked out")):
        plan = next(plan for plan in ran.dossier.plans if plan.stage == "defaults")
        assert plan.actions == ()
        assert any(words in one.reason for one in plan.no_ops)


def test_a_policy_that_came_into_force_while_the_gate_waited_stops_the_switch(world: World, tmp_path: Path) -> None:
    policy = next(row for row in store.rows(world, "conditionalAccessPolicies", world.partner_tenant_id))

    def decide(question: object) -> str:
        policy["state"] = "enabled"
        return "approve"

    with partner_room(world, tmp_path) as room:
        ran = check_in(room, world, mode=Mode.LIVE, decide=decide).ran
    assert not _defaults(world)
    assert ("PATCH", DEFAULTS) not in _paths(world)
    assert ran.state == "done"


def test_the_switch_can_be_taken_back_and_the_end_of_a_relationship_cannot(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        ran = check_in(room, world, mode=Mode.LIVE).ran
        wanted = Undo(number=0, requested_by="ruth@partner.example", asked_at=NOW)
        plan = asyncio.run(try_undo_here(room, ran.incident, wanted, print))
    assert [action.kind for action in plan.actions] == ["partner_defaults.disable"]
    assert [one.target.rsplit("/", 1)[-1] for one in plan.no_ops] == [relationship(world, "migration")["id"]]


def test_the_second_run_says_what_became_better_and_worse(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        check_in(room, world)
        world.clock.advance(7 * 86_400)
        world.partner["customers"]["77777777-7777-4777-8777-777777777777"]["profile"]["allowDelegatedAccess"] = False
        del store.table(world, "methods")[
            next(k for k, r in store.table(world, "methods").items() if r["_user"] == person(world, "emergency").object_id and "fido2" in r["@odata.type"])
        ]  # fmt: skip
        second = check_in(room, world).ran
    document = json.loads(Path(second.dossier.report_files["json"]).read_text(encoding="utf-8"))
    changed = {one["title"]: (one["before"], one["now"]) for one in document["changed"]}
    assert ("fail", "pass") in changed.values()
    assert len(document["trend"]) == 2
    assert document["trend"][1]["pass"] == document["counts"]["pass"]
    page = Path(second.dossier.report_files["html"]).read_text(encoding="utf-8")
    assert "better: No customer is administered by the old kind of delegated access" in page
    assert page.index("What is wrong") < page.index("What could not be looked at") < page.index("What is in order")


def test_playbooks_of_customers_and_of_the_partner_are_not_mixed_up(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        with pytest.raises(ContentError, match="not for a customer's subscription"):
            room.open(alert_bytes(world), place="t", mode=Mode.LIVE, requested_by="r", playbook="partner-posture")
        with pytest.raises(ContentError, match="not for the partner's own tenant"):
            open_check(room, mode=Mode.LIVE, requested_by="r", playbook="compromised-subscription")
        alert = {"id": "x", "type": "partner-tenant", "subscriptionId": world.tenant_id, "customerTenantId": world.tenant_id}  # fmt: skip
        with pytest.raises(ContentError, match="as the partner's tenant"):
            room.open(json.dumps(alert).encode(), place="t", mode=Mode.LIVE, requested_by="r")
        assert room.store.incidents.list() == []


def test_without_a_partner_tenant_the_setting_is_named(world: World, tmp_path: Path) -> None:
    with partner_room(world, tmp_path) as room:
        bare = room.settings.model_copy(update={"credential": room.settings.credential.model_copy(update={"partner_tenant_id": "", "tenant_id": ""})})  # fmt: skip
        with pytest.raises(SettingsError) as raised:
            open_check(dataclasses.replace(room, settings=bare), mode=Mode.LIVE, requested_by="r")
    assert "FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID" in raised.value.hint
