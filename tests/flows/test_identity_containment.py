"""The playbook identity-containment from alert to end, on the world of a hijacked Owner: judged by the embedded directory, not by our own records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.services.signin import models as signin
from azure_simulator.services.signin.exceptions import TokenRefusedError
from azure_simulator.truth import can_sign_in, score
from azure_simulator.ways import ways_left
from azure_simulator.world import World
from firebreak.model.mode import Mode
from tests.flows.room_in_process import Ran, alert_bytes, engine_room_of, go_on, writes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
PLAYBOOK = "identity-containment"
GUESTS_AND_VICTIM = 3


@dataclass(frozen=True)
class Exercise:
    """A dry run, then the live run, and the tokens that the attacker and everybody else held before."""

    world: World
    home: Path
    dry: Ran
    dry_writes: int
    live: Ran
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exercise]:
    world, home = build("hijacked-owner", seed=7, now=NOW), tmp_path_factory.mktemp("identity")
    tokens = {key: signin.issue(world, principal) for key, principal in world.principals.items()}
    with engine_room_of(world, home) as room:
        opened = room.open(
            alert_bytes(world), place="test", mode=Mode.DRY_RUN, requested_by="intake", playbook=PLAYBOOK
        )
        dry = go_on(room, world, opened.incident.id)
        dry_writes = len(writes(world))
        opened = room.open(alert_bytes(world), place="test", mode=Mode.LIVE, requested_by="intake", playbook=PLAYBOOK)
        live = go_on(room, world, opened.incident.id)
        yield Exercise(world, home, dry, dry_writes, live, tokens)


def attackers(world: World) -> set[str]:
    return {row["principal_id"] for row in world.truth["attackers"]}


def test_no_way_back_is_open_and_nothing_of_others_was_touched(exercise: Exercise) -> None:
    assert exercise.live.state == "done"
    assert {one["state"] for one in exercise.live.json["actions"]} == {"done"}
    assert ways_left(exercise.world) == []
    truth = score(exercise.world)
    assert truth["protected_touched"] == []
    assert truth["attacker_access_left"] == []
    assert not any(
        can_sign_in(row, exercise.world.principals[row["principal_id"]]) for row in exercise.world.truth["attackers"]
    )


def test_the_attackers_tokens_are_dead_and_everybody_elses_live(exercise: Exercise) -> None:
    world, dead = exercise.world, set()
    for key, token in exercise.tokens.items():
        try:
            signin.read_token(world, f"Bearer {token}")
        except TokenRefusedError:
            dead.add(key)
    before = {key for key, principal in world.principals.items() if not principal.enabled} - attackers(world)
    assert dead - before == attackers(world)
    assert len(attackers(world)) == GUESTS_AND_VICTIM


def test_a_dry_run_writes_nothing_and_plans_the_same_doors(exercise: Exercise) -> None:
    assert exercise.dry_writes == 0
    dry, live = (
        {p["stage"]: p["digest"] for p in reversed(ran.json["plans"])} for ran in (exercise.dry, exercise.live)
    )
    assert dry["close-doors"] == live["close-doors"]


def test_sessions_end_before_and_after_the_new_password(exercise: Exercise) -> None:
    order = [
        "password"
        if "passwordProfile" in row.body
        else "revoke"
        if row.url.endswith("/revokeSignInSessions")
        else "block"
        for row in writes(exercise.world)
        if "/users/" in row.url
        and ("accountEnabled" in row.body or "passwordProfile" in row.body or "revoke" in row.url)
    ]
    assert order == ["block"] * GUESTS_AND_VICTIM + ["revoke", "password", "revoke"]


def test_nobody_but_the_directory_ever_saw_the_new_password(exercise: Exercise) -> None:
    """The canary: what the embedded Azure was sent stands in no file of the installation, no page, no JSON and no log."""
    sent = [json.loads(row.body) for row in writes(exercise.world) if "passwordProfile" in row.body]
    (password,) = [body["passwordProfile"]["password"] for body in sent]
    assert len(password) == 64
    assert password not in json.dumps(exercise.live.json, default=str)
    assert password not in "".join(exercise.live.runtime.said)
    files = [one for one in exercise.home.rglob("*") if one.is_file()]
    assert any(one.suffix in (".db", ".sqlite", ".sqlite3") or "firebreak" in one.name for one in files)
    assert [one for one in files if password.encode() in one.read_bytes()] == []


def test_no_user_is_deleted(exercise: Exercise) -> None:
    deleted = [row.url for row in writes(exercise.world) if row.method == "DELETE"]
    assert deleted
    assert [
        url for url in deleted if url.rstrip("/").split("/")[-2] in ("users", "servicePrincipals", "applications")
    ] == []
