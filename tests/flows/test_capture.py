"""`firebreak capture` against the embedded Azure over TLS: reads only, whole after a kill, slow when it is told to, and worth a dry run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from azure_simulator.app import endpoints
from azure_simulator.faults import Fault
from azure_simulator.server import Running, serve
from firebreak.bundle import open_bundle
from firebreak.engine.capture import working_folder
from firebreak.model.plan import Plan
from firebreak.replay.past import past_of
from tests.flows.room_in_process import writes
from tests.support.console import calling
from tests.support.inprocess import responder, subscription_of
from tests.support.recorded import small_world

pytestmark = pytest.mark.timeout(300)

TOP = Path(__file__).parent.parent.parent
Firebreak = Callable[..., tuple[int, str, str]]
QUICK = ("REPORTS", "REPORTS_PER_SECOND", "PROTECTION", "PROTECTION_PER_SECOND")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A small tenant that lives now, and throttles when it is told to."""
    world = small_world("service-principal-abuse", one_in=1000, now=datetime.now(UTC), real_time=True)
    with serve(world, 0, tmp_path_factory.mktemp("azure"), throttling=False) as running:
        yield running


@pytest.fixture
def environment(server: Running, tmp_path: Path) -> dict[str, str]:
    """The settings that point at it."""
    world = server.world
    acting = responder(world)
    cloud = {f"FIREBREAK_CLOUD__{name.upper()}": str(value) for name, value in endpoints(world).items()}
    return {
        **cloud,
        "FIREBREAK_CLOUD__PRESET": "simulator",
        "FIREBREAK_CLOUD__CA_BUNDLE": server.ca_bundle,
        "FIREBREAK_CREDENTIAL__KIND": "client_secret",
        "FIREBREAK_CREDENTIAL__TENANT_ID": world.tenant_id,
        "FIREBREAK_CREDENTIAL__PARTNER_TENANT_ID": world.partner_tenant_id,
        "FIREBREAK_CREDENTIAL__CLIENT_ID": acting.app_id,
        "FIREBREAK_CREDENTIAL__CLIENT_SECRET": acting.secrets[0],
        "FIREBREAK_HOME": str(tmp_path / "home"),
        **{f"FIREBREAK_OPERATIONS__GRAPH_THROTTLE__{name}": "1000" for name in QUICK},
    }


@pytest.fixture
def firebreak(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Firebreak:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    return calling(monkeypatch, capsys)


def test_a_capture_killed_under_throttling_goes_on_and_can_be_replayed(
    server: Running, environment: dict[str, str], firebreak: Firebreak, tmp_path: Path
) -> None:
    world, out = server.world, tmp_path / "captured.zip"
    words = ("capture", "--subscription", subscription_of(world), "--out", out)
    # The spend step is told to wait for so long that the process is surely killed in the middle of it.
    world.faults.append(Fault(kind="throttle", method="POST", url="costmanagement/query", retry_after=90))
    child = subprocess.Popen(
        [sys.executable, "-m", "firebreak.cli.main", *map(str, words)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: any(row.status == 429 for row in list(world.requests)))
        code, _, said = firebreak(*words)
        assert (code, "Another process is at the capture" in said) == (1, True)
    finally:
        child.kill()
        child.wait(10)
    asked_before = [row.url for row in world.requests if "eventtypes/management" in row.url]
    assert asked_before
    assert not out.exists()

    # What was begun is not mixed with anything else.
    code, _, said = firebreak(*words, "--playbook", "review-subscription")
    assert (code, "begun with another playbook compromised-subscription" in said) == (1, True)
    code, _, said = firebreak("capture", "--subscription", world.tenant_id, "--out", out)
    assert (code, "begun with another subscription_id" in said) == (1, True)

    # Now the service only asks for patience, and gets it.
    world.faults[:] = [Fault(kind="throttle", method="POST", url="costmanagement/query", times=1, retry_after=2)]
    killed_at = len(world.requests)
    code, told, said = firebreak(*words, "--json")
    assert code == 0, said
    after = world.requests[killed_at:]
    assert not [row.url for row in after if "eventtypes/management" in row.url]
    waited = [moment(row.at) for row in after if "costmanagement/query" in row.url.lower()]
    assert [row.status for row in after if "costmanagement/query" in row.url.lower()][:2] == [429, 200]
    assert (waited[1] - waited[0]).total_seconds() >= 2
    assert writes(world) == []
    assert not working_folder(out).exists()
    # What an application may not ask anywhere is said, here as in every run, and that this tenant's past is nearly empty.
    why = [missed["why"] for missed in json.loads(told)["not_looked_at"]]
    assert [reason for reason in why if "app-only" not in reason and "the past is thin" not in reason] == []
    assert sum(plan["actions"] for plan in json.loads(told)["plans"]) > 0

    code, replayed, _ = firebreak("replay", out, "--json")
    assert (code, json.loads(replayed)["changed"], json.loads(replayed)["not_recorded"]) == (0, False, [])


@pytest.mark.slow
def test_under_azures_own_limits_nothing_is_missed_and_the_plans_are_those_of_a_dry_run(
    server: Running, firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world, out = server.world, tmp_path / "captured"
    world.throttling = True
    for name in QUICK:
        monkeypatch.delenv(f"FIREBREAK_OPERATIONS__GRAPH_THROTTLE__{name}")
    began = len(world.requests)
    code, _, said = firebreak(
        "capture", "--subscription", subscription_of(world), "--out", out, "--since", "2026-11-01"
    )
    assert code == 0, said
    assert json.loads((out / "alert.json").read_bytes())["firstObservedDateTime"] == "2026-11-01T00:00:00+00:00"
    # Two services keep limits so small that a request which was a moment faster on its way is refused, and asked again.
    refused = {row.url for row in world.requests[began:] if row.status == 429}
    assert [
        url for url in refused if not re.search("/identityProtection/|/conditionalAccess/|CostManagement/query", url)
    ] == []
    assert refused <= {row.url for row in world.requests[began:] if row.status == 200}
    with open_bundle(out) as bundle:
        alert = tmp_path / "alert.json"
        alert.write_bytes(bundle.alert)
        code, _, said = firebreak("respond", "--alert", alert, "--dry-run", "--playbook", "compromised-subscription")
        assert code == 2, said
        code, _, said = firebreak("incidents", "export", bundle.incident.id, "--out", tmp_path / "dry.zip")
        assert code == 0, said
        shared = tmp_path / "shared.zip"
        code, told, said = firebreak("incidents", "export", bundle.incident.id, "--out", shared, "--redact", "--json")
        assert (code, json.loads(told)["same_plans"]) == (0, True), said
        with open_bundle(shared) as derived:
            assert derived.incident.subscription_id != bundle.incident.subscription_id
        with open_bundle(tmp_path / "dry.zip") as dry:
            then, now = past_of(bundle).plans, past_of(dry).plans
            assert {point: timeless(plan) for point, plan in then.items()} == {
                p: timeless(plan) for p, plan in now.items()
            }
            assert {asked(entry) for entry in dry.evidence} == {asked(entry) for entry in bundle.evidence}
    assert writes(world) == []
    code, _, said = firebreak("capture", "--subscription", subscription_of(world), "--out", out)
    assert (code, "is there already; nothing was read" in said) == (1, True)


def timeless(plan: Plan) -> str:
    """A plan without the money that was lost between two looks."""
    return re.sub(r"Loss so far about [0-9.]+", "Loss", json.dumps(msgspec.to_builtins(plan)))


def asked(entry: Any) -> tuple[str, str]:
    return entry.step, entry.method


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:26] + "+00:00")


def until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline, "waited 60 s"
        time.sleep(0.05)
