"""The watch after a whole response in a believable tenant: quiet while the attacker is out, one response when they are back in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator.app import assign, call_as
from azure_simulator.scenarios import build_world
from azure_simulator.services.authorization import builtin as roles
from flows.aftercare import watch_once
from tasks.arm import COMPUTE
from tests.flows.room_in_process import alert_bytes, engine_room_of, respond_in, writes
from tests.support.inprocess import subscription_of


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_tenant_is_quiet_for_days_and_the_attackers_return_is_seen_once(tmp_path: Path) -> None:
    world = build_world("crypto-mining", seed=7, now=datetime(2026, 3, 3, 4, 30, tzinfo=UTC))
    with engine_room_of(world, tmp_path / "home") as room:
        ran = respond_in(room, world, alert_bytes(world))
        assert ran.state == "done"
        sent = len(writes(world))
        world.clock.advance(6 * 3600)
        seen = asyncio.run(watch_once(room, start=False))
        assert [one.text for one in seen.watched[0].signs] == []
        assert seen.reopened == {}
        assert len(writes(world)) == sent
        row = next(one for one in world.truth["attackers"] if one["kind"] == "created")
        thief = world.principals[row["principal_id"]]
        thief.enabled = True
        scope = f"/subscriptions/{subscription_of(world)}"
        assign(world, thief, roles.OWNER, scope)
        path = f"{scope}/resourceGroups/rg-again?api-version={COMPUTE}"
        answer = call_as(world, thief.object_id, "PUT", path, {"location": "koreacentral"}, address=row["addresses"][0])
        assert answer.status < 300, answer.body
        world.clock.advance(1800)
        again = asyncio.run(watch_once(room, start=False))
        assert list(again.reopened) == [ran.incident], again.watched
        assert asyncio.run(watch_once(room, start=False)).reopened == {}
