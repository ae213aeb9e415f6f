"""Whole incidents, recorded on the embedded Azure and replayed: the same plans, from the evidence alone, without a socket."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from firebreak.bundle import open_bundle, write_bundle
from firebreak.errors import ApprovalError, ContentError, WriteRefusedError
from firebreak.model.canonical import digest_of
from firebreak.model.mode import Mode
from firebreak.model.plan import Plan
from firebreak.replay import Point, Policy, stage_replay
from flows.course import respond_to
from flows.replay import QuietRuntime, replay
from tasks.registry import load_steps
from tests.flows.room_in_process import Ran
from tests.support.console import calling
from tests.support.recorded import entries_of, files_in, record, shuffled, small_world, spoiled, with_entries

pytestmark = pytest.mark.timeout(420)

TOP = Path(__file__).parent.parent.parent
SHIPPED = (TOP / "playbooks/compromised-subscription.yaml").read_text(encoding="utf-8")
Firebreak = Callable[..., tuple[int, str]]
# Put before a program: it ends when anything in it uses the network. (urllib3 binds a socket once, to see whether there is IPv6.)
NO_NETWORK = """
import sys
sys.addaudithook(lambda what, _: sys.exit(f"used the network: {what}") if what in (
    "socket.connect", "socket.getaddrinfo", "socket.sendto") else None)
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A live run with approvals and three looks at the subscription."""
    return record(small_world("service-principal-abuse"), tmp_path_factory.mktemp("live"))


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A dry run: one look, nobody asked."""
    return record(small_world("service-principal-abuse"), tmp_path_factory.mktemp("dry"), mode=Mode.DRY_RUN)


@pytest.fixture
def firebreak(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """The command line, with a network that cannot be used at all."""

    def refuse(*_: Any) -> None:
        raise AssertionError("a socket was used")

    for name in ("connect", "connect_ex", "bind", "sendto"):
        monkeypatch.setattr(f"socket.socket.{name}", refuse)
    monkeypatch.setenv("FIREBREAK_OPERATIONS__CURRENCY", "EUR")  # of this machine: plays no part
    monkeypatch.setenv("FIREBREAK_PROTECTION__RESPECT_LOCKS", "true")

    call = calling(monkeypatch, capsys)
    return lambda *words: call(*words)[:2]


@pytest.fixture(scope="module")
def live_told(live: tuple[Path, Ran]) -> dict[str, Any]:
    """What the command line says of the replay of the live run."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            NO_NETWORK + "from firebreak.cli.main import main; main()",
            "replay",
            str(live[0]),
            "--json",
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere"},
        capture_output=True,
        timeout=400,
        check=True,
    )
    return dict(json.loads(done.stdout))


def truth_in(bundle: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(files_in(bundle)["expected.yaml"]))


def decided(ran: Ran) -> dict[Point, Plan]:
    return {Point(plan.stage, plan.round): plan for plan in ran.dossier.plans}


def playbook_with(folder: Path, was: str, now: str) -> Path:
    assert was in SHIPPED
    path = folder / "changed.yaml"
    path.write_text(SHIPPED.replace(was, now), encoding="utf-8")
    return path


def test_a_live_run_gives_every_plan_again_from_the_evidence_of_its_own_round(
    live: tuple[Path, Ran], live_told: dict[str, Any]
) -> None:
    ran, told = live[1], live_told
    assert {(p["stage"], p["round"]): p["digest"] for p in told["plans"]} == {
        point: plan.digest for point, plan in decided(ran).items()
    }
    assert len(told["plans"]) > 4
    assert (told["mode"], told["changed"], told["not_recorded"]) == ("replay", False, [])
    assert told["verdict"] == ran.dossier.verdict == "fraud"
    assert {change["state"] for change in told["diff"]} == {"same"}
    gates = {gate["stage"]: gate for gate in told["gates"]}
    assert (gates["contain"]["state"], gates["cancel-entitlement"]["state"]) == ("approved", "skipped")
    assert len(gates["eradicate"]["approvers"]) == 2
    assert {action["state"] for action in told["actions"]} == {"planned"}  # nothing was sent
    assert "done" in {action["then"] for action in told["actions"]}
    assert told["cost"] == json.loads(json.dumps(ran.json["cost"]))


def test_a_dry_run_gives_every_plan_again(dry: tuple[Path, Ran], firebreak: Firebreak) -> None:
    bundle, ran = dry
    code, out = firebreak("replay", bundle, "--json")
    told = json.loads(out)
    assert (code, told["changed"]) == (0, False)
    assert {p["digest"] for p in told["plans"]} == {plan.digest for plan in decided(ran).values()}
    assert {gate["why_open"] for gate in told["gates"]} == {"No answer is recorded."}


def test_the_score_is_that_of_the_ground_truth(live: tuple[Path, Ran], live_told: dict[str, Any]) -> None:
    bundle, ran = live
    truth = truth_in(bundle)
    rogue, rest = ({name.lower() for name in truth[kind]} for kind in ("rogue", "legitimate"))
    skipped = {gate.plan_digest for gate in ran.dossier.gates if gate.state != "approved"}
    # New keys of an account that is the customer's leave the account as it is.
    acted = {
        action.target.lower()
        for plan in ran.dossier.plans
        if plan.digest not in skipped
        for action in plan.actions
        if action.kind != "storage_key.regenerate"
    }
    assert rogue
    found = live_told["score"]
    assert found["recall"] == round(len(rogue & acted) / len(rogue), 4)
    assert {name.lower() for name in found["missed"]} == rogue - acted
    assert {name.lower() for name in found["protected_touched"]} == rest & acted
    assert found["verdict_is_right"] is True


@pytest.mark.parametrize("policy", ["approve-all", "reject-all"])
def test_a_policy_answers_all_gates(dry: tuple[Path, Ran], firebreak: Firebreak, policy: str) -> None:
    code, out = firebreak("replay", dry[0], "--decide", policy, "--json")
    told = json.loads(out)
    states = [gate["state"] for gate in told["gates"]]
    if policy == "reject-all":
        assert (states, told["state"], code) == (["rejected"], "stopped", 0)
        assert {c["state"] for c in told["diff"] if c["stage"] != "close-doors"} == {"not reached"}
    else:
        assert states
        assert set(states) == {"approved"}
        assert {name for gate in told["gates"] for name in gate["approvers"]} == {"replay"}


def test_the_plans_do_not_depend_on_the_order_in_which_pages_and_items_came(
    dry: tuple[Path, Ran], tmp_path: Path
) -> None:
    files = files_in(dry[0])
    mixed = shuffled(files, 1)
    assert len(files.keys() - mixed.keys()) > 20
    assert plans_of(write_bundle(mixed, tmp_path / "mixed.zip")) == decided(dry[1])


def plans_of(bundle: Path) -> dict[Point, Plan]:
    with open_bundle(bundle) as opened, stage_replay(opened, load_steps()) as staged:
        dossier = asyncio.run(replay(staged, lambda _: None))
    return {Point(plan.stage, plan.round): plan for plan in dossier.plans}


ELSEWHERE = (
    {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242", "PYTHONUTF8": "0"},
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "ar_EG.UTF-8", "PYTHONHASHSEED": "77", "LANGUAGE": "ar"},
)
AGAIN = """
import asyncio, locale, pathlib
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
from firebreak.bundle import open_bundle
from firebreak.replay import Policy, stage_replay
from firebreak.replay.result import result_of
from flows.replay import replay
from tasks.registry import load_steps
for _ in range(int(sys.argv[2])):
    with open_bundle(pathlib.Path(sys.argv[1])) as bundle, stage_replay(bundle, load_steps()) as staged:
        dossier = asyncio.run(replay(staged, lambda _: None))
        print(result_of("b", staged, Policy.RECORDED, dossier).plan_digest)
"""


def digests(bundle: Path, environment: dict[str, str], times: int, *, at: Path | None = None) -> list[str]:
    """The digest of each repetition in a process of its own, in the working folder `at`, that ends when anything uses the network."""
    done = subprocess.run(
        [sys.executable, "-c", NO_NETWORK + AGAIN, str(bundle), str(times)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere", **environment},
        cwd=at,
        capture_output=True,
        text=True,
        timeout=6000,
        check=True,
    )
    return done.stdout.split()


def test_the_digest_is_the_same_in_other_time_zones_locales_and_hash_orders(
    dry: tuple[Path, Ran],
) -> None:
    here = digest_of([[point.stage, point.attempt, plan.digest] for point, plan in decided(dry[1]).items()])
    for environment in ELSEWHERE[:2]:
        assert digests(dry[0], environment, 2) == [here, here]


@pytest.mark.slow
@pytest.mark.timeout(6000)
def test_the_digest_is_the_same_a_hundred_times_on_machines_of_every_kind(
    dry: tuple[Path, Ran], tmp_path: Path
) -> None:
    """Ten processes of ten repetitions. Each has its own copy of the program, home, working folder, zone, locale, hash seed and order of pages."""
    here = digest_of([[point.stage, point.attempt, plan.digest] for point, plan in decided(dry[1]).items()])
    files = files_in(dry[0])

    def on_a_machine(seed: int) -> list[str]:
        machine = tmp_path / f"machine {seed}"
        for part in ("firebreak", "flows", "tasks", "playbooks"):
            shutil.copytree(TOP / part, machine / "lib" / part, ignore=shutil.ignore_patterns("__pycache__"))
        home = machine / "home"
        home.mkdir()
        given = files if seed == 0 else shuffled(files, seed)
        bundle = write_bundle(given, machine / ("b.zip" if seed % 2 else "b"))
        environment = ELSEWHERE[seed % len(ELSEWHERE)] | {
            "PYTHONHASHSEED": str(1 + seed * 997),
            "PYTHONPATH": str(machine / "lib"),
            "HOME": str(home),
            "USER": f"somebody-{seed}",
        }
        return digests(bundle, environment, 10, at=home)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [digest for ten in pool.map(on_a_machine, range(10)) for digest in ten]
    assert len(found) == 100
    assert set(found) == {here}


def test_what_was_not_recorded_is_told_as_not_looked_at(
    dry: tuple[Path, Ran], tmp_path: Path, firebreak: Firebreak
) -> None:
    files = files_in(dry[0])
    kept = [entry for entry in entries_of(files) if "/locks?" not in entry["url"]]
    assert len(kept) < len(entries_of(files))
    bundle = write_bundle(with_entries(files, kept, {}), tmp_path / "less.zip")
    code, out = firebreak("replay", bundle, "--json")
    told = json.loads(out)
    assert code == 2  # locks that were not read leave every plan incomplete
    assert any("/locks?" in missing["url"] for missing in told["not_recorded"])
    assert any("not_recorded" in missed["why"] for missed in told["not_looked_at"])
    contain = next(change for change in told["diff"] if change["stage"] == "contain")
    assert contain["flags"]["complete"] == [True, False]


def test_a_changed_guard_rail_is_seen_and_accepted_with_a_reason(
    dry: tuple[Path, Ran], tmp_path: Path, firebreak: Firebreak
) -> None:
    bundle = write_bundle(files_in(dry[0]), tmp_path / "b.zip")
    changed = playbook_with(tmp_path, "max_actions: 3000", "max_actions: 3")
    assert firebreak("replay", bundle, "--playbook", changed, "--update")[0] == 1  # no reason
    code, out = firebreak("replay", bundle, "--playbook", changed, "--update", "--reason", "smaller steps")
    assert code == 0
    assert "over_limits: none → 11 actions, the limit is 3." in out
    code, out = firebreak("replay", bundle, "--playbook", changed, "--json")
    told = json.loads(out)
    assert (code, told["changed"], told["compared_with"]) == (0, False, "accepted")
    assert told["accepted"]["reason"] == "smaller steps"
    # Now the playbook of then is the one that differs.
    assert firebreak("replay", bundle)[0] == 2
    with open_bundle(bundle) as opened:
        assert opened.verify().records > 0
        assert set(opened.plans) == {plan.digest for plan in decided(dry[1]).values()}


def test_a_protected_tag_moves_targets_from_the_plan_to_what_is_left_alone(
    dry: tuple[Path, Ran], tmp_path: Path, firebreak: Firebreak
) -> None:
    rogue = {name.lower() for name in truth_in(dry[0])["rogue"] if "/virtualMachines/" in name}
    groups = {name.split("/")[4] for name in rogue}
    changed = playbook_with(
        tmp_path, "  respect_locks: true", f"  protected_groups: {json.dumps(sorted(groups))}\n  respect_locks: true"
    )
    code, out = firebreak("replay", dry[0], "--playbook", changed, "--json")
    told = json.loads(out)
    assert code == 2
    contain = next(change for change in told["diff"] if change["stage"] == "contain")
    gone = {one["target"].lower(): one for one in contain["actions"] if one["change"] == "removed"}
    assert rogue <= gone.keys()
    assert all(gone[name]["because"] for name in rogue)
    assert set(told["score"]["missed"]) > set()


def test_several_bundles_give_a_table_and_a_damaged_one_is_named(
    dry: tuple[Path, Ran], tmp_path: Path, firebreak: Firebreak
) -> None:
    write_bundle(files_in(dry[0]), tmp_path / "many" / "a")
    write_bundle(files_in(dry[0]), tmp_path / "many" / "b")
    (tmp_path / "many" / "b" / "alert.json").write_bytes(b"{}")
    code, out = firebreak("replay", tmp_path / "many")
    assert (code, "1 replayed, 0 changed, 1 refused." in out) == (1, True)
    code, out = firebreak("replay", tmp_path / "many" / "b", tmp_path / "many" / "b", "--json")
    refused = json.loads(out)["replays"]
    assert [one["error"]["code"] for one in refused] == ["integrity"]
    assert "alert.json was changed" in refused[0]["error"]["message"]


def test_a_replay_can_neither_write_nor_bind_an_approved_plan(dry: tuple[Path, Ran]) -> None:
    """The engine that runs a replay holds hands; they, and the gate desk beside it, refuse."""
    with open_bundle(dry[0]) as bundle, stage_replay(bundle, load_steps(), policy=Policy.APPROVE_ALL) as staged:

        async def course() -> None:
            async with staged.engine() as engine:
                await respond_to(engine, QuietRuntime(lambda _: None))
                plan = next(plan for plan in map(staged.room.store.plans.load, digests_in(engine)) if plan.actions)
                for action in plan.actions:
                    step = staged.room.steps[action.step]
                    assert step.apply is not None
                    with pytest.raises(WriteRefusedError):
                        await step.apply(action, engine._clouds.hands)
                with pytest.raises((ApprovalError, ContentError)):
                    staged.room.desk.bind(f"{staged.incident.id}.{plan.stage}.{plan.round}", plan)

        def digests_in(engine: Any) -> list[str]:
            return [digest for _, _, digest in staged.room.store.plans.list(engine.incident.id)]

        asyncio.run(course())
        assert {row.channel for view in staged.desk.list() for row in view.approvals} == {"replay"}


@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 40), marks=pytest.mark.slow)])
@pytest.mark.timeout(3000)
def test_nonsense_in_sealed_evidence_ends_in_words_and_never_in_another_plan_unsaid(
    dry: tuple[Path, Ran], tmp_path: Path, firebreak: Firebreak, seeds: range
) -> None:
    files = files_in(dry[0])
    for seed in seeds:
        bundle = write_bundle(spoiled(files, seed), tmp_path / f"{seed}.zip")
        code, out = firebreak("replay", bundle, "--json")
        told = json.loads(out)
        if "error" in told:
            assert (code, bool(told["error"]["message"])) == (1, True)
            continue
        plans = {Point(plan["stage"], plan["round"]): plan["digest"] for plan in told["plans"]}
        assert (code, told["changed"]) in ((0, False), (2, True))
        if not told["changed"]:
            assert plans == {point: plan.digest for point, plan in decided(dry[1]).items()}
