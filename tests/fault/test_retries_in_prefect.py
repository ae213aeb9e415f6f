"""Every way in which Prefect lets a person, or a script, run an incident's flow again: none acts twice, none uses an old answer.

The buttons of both UIs send what is sent here: Retry of the older UI sets AwaitingRetry without force, Retry of the newer one and the command
line set it with force, Resume posts the form. The tests share one stack and one attack and go on where the one before ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flows.stack import Stack, until

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]

SLOW = 300.0
# From the third on, deallocations are asked to wait: the run is in the middle for long.
WAITING = [{"kind": "throttle", "method": "POST", "url": "/deallocate", "skip": 2, "retry_after": 20}]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def incident(stack: Stack) -> str:
    return str(stack.deliver().json()["incident"])


def post(stack: Stack, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call Prefect's API; a database that was locked for a moment is asked again, as its own client does."""

    def send() -> dict[str, Any] | None:
        answer = httpx.post(f"{stack.running.api_url}/{path}", json=body, timeout=60)
        return None if answer.status_code >= 500 else dict(answer.json())

    found = until(f"an answer to POST {path}", send, seconds=60)
    assert found is not None
    return found


def set_state(stack: Stack, run: str, kind: str, *, force: bool, name: str | None = None) -> str:
    """Set a run's state as the UIs do; return the server's word on it."""
    state = {"type": kind, **({"name": name} if name else {})}
    return str(post(stack, f"flow_runs/{run}/set_state", {"state": state, "force": force})["status"])


def retry(stack: Stack, run: str, *, force: bool) -> str:
    return set_state(stack, run, "SCHEDULED", force=force, name="AwaitingRetry")


def run_of(stack: Stack, run: str) -> dict[str, Any]:
    return dict(httpx.get(f"{stack.running.api_url}/flow_runs/{run}", timeout=60).json())


def count_of(stack: Stack, run: str) -> int:
    return int(run_of(stack, run)["run_count"])


def has_given_way(stack: Stack, run: str) -> bool:
    """Whether the run ended because a further one holds the incident."""
    state = run_of(stack, run)["state"]
    return state["type"] == "FAILED" and "no longer holds the lease" in (state["message"] or "")


def effects(stack: Stack) -> Counter[tuple[str, str]]:
    """The writes that took effect, by method and path. The reports to Microsoft are not among them: nothing is sent there before the end."""
    return Counter(
        (row["method"], row["url"].split("?")[0].lower()) for row in stack.azure.writes() if row["status"] < 300
    )


def twice(stack: Stack) -> dict[tuple[str, str], int]:
    return {write: times for write, times in effects(stack).items() if times > 1}


def again_at_the_gate(stack: Stack, incident: str, stage: str, run: str, before: int) -> None:
    """Wait until the run, started once more, is suspended at the gate again."""
    until("the run to have started again", lambda: count_of(stack, run) > before, seconds=SLOW)
    stack.until_asked(incident, stage, seconds=SLOW)


@pytest.mark.parametrize("force", [False, True])
def test_a_retry_at_an_open_gate_asks_again_and_sends_nothing(stack: Stack, incident: str, force: bool) -> None:
    stack.until_asked(incident, "contain", seconds=SLOW)
    run = stack.flow_run(incident)
    before = count_of(stack, run)
    set_state(stack, run, "FAILED", force=True)
    assert retry(stack, run, force=force) == "ACCEPT"
    again_at_the_gate(stack, incident, "contain", run, before)
    gate = stack.gate(f"{incident}.contain.1")
    assert gate is not None
    assert gate.approvals == ()
    assert stack.azure.writes() == []


def test_a_second_run_of_the_incident_waits_at_the_same_gate(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain", seconds=SLOW)
    first = stack.flow_run(incident)
    deployment = httpx.get(f"{stack.running.api_url}/flow_runs/{first}", timeout=60).json()["deployment_id"]
    parameters = {"incident": incident, "playbook": "compromised-subscription"}
    second = str(post(stack, f"deployments/{deployment}/create_flow_run", {"parameters": parameters})["id"])
    assert second != first
    until("the second run to have taken the gate over", lambda: stack.flow_run(incident) == second, seconds=SLOW)
    now = stack.until_asked(incident, "contain", seconds=SLOW)
    assert (now.id, now.ask, now.approvals) == (view.id, view.ask, ())
    assert stack.azure.writes() == []


def test_answered_once_and_started_again_in_every_way_each_write_happens_once(stack: Stack, incident: str) -> None:
    """The answer comes, the run is in the middle. It is resumed once more, called crashed while it goes on, and retried by the command line
    and without force; the first run, still suspended with the same gate, is resumed with the same answer.

    Whether the retry is started depends on who is quicker: a process that finds the lease with the further run ends as failed and says so,
    and with that state Prefect takes the waiting retry back. The incident goes on in either case.
    """
    view = stack.until_asked(incident, "contain", seconds=SLOW)
    second = stack.flow_run(incident)
    (first,) = [run["id"] for run in stack.flow_runs(incident) if run["id"] != second]
    answer = stack.form(view, code=stack.code())
    stack.azure.control("POST", "faults", WAITING)
    assert stack.resume(incident, answer)["status"] == "ACCEPT"
    throttled = [row for row in stack.azure.writes() if row["status"] == 429]
    until("throttled deallocations", lambda: any(r["status"] == 429 for r in stack.azure.writes()), seconds=SLOW)
    assert not throttled

    assert post(stack, f"flow_runs/{second}/resume", {"run_input": answer})["status"] != "ACCEPT"
    post(stack, f"flow_runs/{first}/resume", {"run_input": answer})  # the same answer at the other run's gate
    before = count_of(stack, second)
    known = {run["id"] for run in stack.flow_runs(incident)}
    assert set_state(stack, second, "CRASHED", force=True) == "ACCEPT"
    # The runner starts the retry when the process that goes on has ended; a further run starts beside it at once.
    asked = stack.prefect("flow-run", "retry", second)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    stack.firebreak("respond", "--incident", incident, "--json")
    (third,) = {run["id"] for run in stack.flow_runs(incident)} - known or {""}
    until("a run beside the one that goes on", lambda: third and count_of(stack, third) > 0, seconds=SLOW)
    stack.azure.control("DELETE", "faults")
    until(
        "the retry, or the end of a run that gave way",
        lambda: count_of(stack, second) > before or has_given_way(stack, second),
        seconds=SLOW,
    )

    stack.until_asked(incident, "eradicate", seconds=SLOW)
    assert twice(stack) == {}
    stopped = [path for method, path in effects(stack) if path.endswith("/deallocate")]
    with stack.room() as room:
        plan = room.store.plans.load(room.desk.view(view.id).plan_digest)
        people = [a.approver for a in room.desk.view(view.id).approvals]
    wanted = {a.target.lower() for a in plan.actions if a.kind.endswith(".deallocate")}
    assert {path.removesuffix("/deallocate") for path in stopped} == wanted
    assert people == [answer["approver"]]
    assert not [path for method, path in effects(stack) if method == "DELETE" and "/virtualmachines/" in path]


def test_a_half_given_approval_stays_half_after_retries_and_the_old_answer_is_refused(
    stack: Stack, incident: str
) -> None:
    view = stack.until_asked(incident, "eradicate", seconds=SLOW)
    run = stack.flow_run(incident)
    answer = {**stack.form(view, code=stack.code()), "confirm": view.confirm}
    before = effects(stack)
    assert stack.resume(incident, answer)["status"] == "ACCEPT"
    asked = stack.until_asked(incident, "eradicate", ask=view.ask + 1, seconds=SLOW)
    assert len(asked.approvals) == 1
    for force in (False, True):
        count = count_of(stack, run)
        set_state(stack, run, "FAILED", force=True)
        assert retry(stack, run, force=force) == "ACCEPT"
        again_at_the_gate(stack, incident, "eradicate", run, count)
    stack.resume(incident, answer)  # refused by the server (an old question's constant), or by the desk (a used code)
    after = stack.until_asked(incident, "eradicate", seconds=SLOW)
    assert len(after.approvals) == 1
    assert after.state == "open"
    assert effects(stack) == before
