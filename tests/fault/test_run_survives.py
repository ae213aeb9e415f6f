"""Runs on a real Prefect server whose processes are killed with SIGKILL, whose alert comes three times, whose form is misused.

The tests share one stack and one attack; each works on its own, but only the last of each attack answers the gate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from firebreak.approval import GateView
from tests.flows.stack import Azure, Stack, simulator, until

pytestmark = [pytest.mark.flows, pytest.mark.timeout(420)]

# The third deallocation takes effect and its answer is lost; from the sixth on Azure asks for patience: the run is in the middle for long.
IN_THE_MIDDLE = [
    {"kind": "drop_after", "method": "POST", "url": "/deallocate", "skip": 2, "times": 1},
    {"kind": "throttle", "method": "POST", "url": "/deallocate", "skip": 4, "retry_after": 60},
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="module")
def deliveries(stack: Stack) -> list[dict[str, object]]:
    """The same alert, twice at the same moment and once more."""
    with ThreadPoolExecutor(2) as pool:
        answers = [*pool.map(lambda _: stack.deliver(), range(2)), stack.deliver()]
    assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
    return [answer.json() for answer in answers]


@pytest.fixture(scope="module")
def incident(deliveries: list[dict[str, object]]) -> str:
    return str(deliveries[0]["incident"])


def next_question(stack: Stack, incident: str, view: GateView) -> GateView:
    """The question after this one: only there when the run was suspended again."""
    return stack.until_asked(incident, view.stage, ask=view.ask + 1)


def test_the_same_alert_three_times_is_one_incident_and_one_run(
    stack: Stack, deliveries: list[dict[str, object]], incident: str
) -> None:
    assert {one["incident"] for one in deliveries} == {incident}
    assert sum(bool(one["new"]) for one in deliveries) == 1
    assert len({one["flow_run"] for one in deliveries}) == 1
    stack.until_asked(incident, "contain")
    assert len(stack.flow_runs(incident)) == 1


def test_a_wrong_code_is_asked_again_and_changes_nothing(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain")
    assert stack.resume(incident, stack.form(view, code=wrong_code(stack)))["status"] == "ACCEPT"
    again = next_question(stack, incident, view)
    assert "code" in again.last_problem.lower()
    assert again.approvals == ()
    assert stack.azure.writes() == []


def test_a_resume_without_an_answer_is_asked_again_and_changes_nothing(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain")
    run = stack.flow_runs(incident)[0]["id"]
    answer = stack.resume(incident, None)
    if answer["status"] == "ACCEPT":
        until(
            "the run to have started", lambda: stack.flow_runs(incident)[0]["state"]["name"] != "Suspended", seconds=60
        )
    after = stack.until_asked(incident, "contain")
    assert after.state == "open"
    assert after.approvals == view.approvals == ()
    assert [r["id"] for r in stack.flow_runs(incident)] == [run]
    assert stack.azure.writes() == []


def test_an_answer_to_another_plan_is_asked_again_and_changes_nothing(stack: Stack, incident: str) -> None:
    view = stack.until_asked(incident, "contain")
    old = {**stack.form(view, code=stack.code()), "plan_digest": "0" * 64}
    answer = stack.resume(incident, old)
    if answer["status"] == "ACCEPT":
        next_question(stack, incident, view)
    after = stack.until_asked(incident, "contain")
    assert after.approvals == ()
    assert stack.azure.writes() == []


@pytest.mark.slow  # minutes; kills at every instant are in test_execution_kill9.py and test_torture.py
def test_killing_everything_at_the_gate_loses_nothing(stack: Stack, incident: str) -> None:
    """Then it is answered, and the flow's process dies in the middle of the deallocations; the command line goes on with it."""
    view = stack.until_asked(incident, "contain")
    stack.kill_runner()
    assert stack.run_state(incident) == "Suspended"
    stack.start_runner()
    approve_and_kill_in_the_middle(stack, incident, view)
    ended = stack.firebreak("respond", "--incident", incident, "--json")
    assert ended.returncode in (0, 2), ended.stderr
    all_is_deallocated_once(stack, incident)


@pytest.mark.timeout(2400)
@pytest.mark.slow  # minutes on a loaded machine; every way of a retry is in test_retries_in_prefect.py, slow as well
def test_a_retry_in_prefect_goes_on_in_the_middle(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    with simulator(tmp_path_factory.mktemp("second"), scenario="service-principal-abuse", seed=8) as azure:
        stack.kill_runner()
        before, stack.azure = stack.azure, azure
        try:
            stack.start_runner()
            started = stack.firebreak("respond", "--alert", str(azure.line["alert_file"]), "--json")
            assert started.returncode in (0, 2), started.stderr
            with stack.room() as room:
                incident = room.store.incidents.list()[0].incident.id
            view = stack.until_asked(incident, "contain")
            approve_and_kill_in_the_middle(stack, incident, view)
            run = stack.flow_run(incident)
            until("the run to be called crashed", lambda: stack.run_state(incident) == "Crashed", seconds=30)
            retried = stack.prefect("flow-run", "retry", run)
            assert retried.returncode == 0, retried.stderr + retried.stdout
            all_is_deallocated_once(stack, incident)
            assert stack.flow_run(incident) == run
        finally:
            stack.kill_runner()
            stack.azure = before


def wrong_code(stack: Stack) -> str:
    """Six digits that are not a code of anybody here now."""
    return next(c for c in ("000000", "111111", "222222", "333333") if c != stack.code())


def approve(stack: Stack, incident: str, view: GateView) -> None:
    """As many people as the gate wants: where the command line asked under a login that is nobody's, that is one more."""
    for number in range(view.required):
        asked = next_question(stack, incident, view) if number else view
        form = stack.form(asked, code=stack.code(number))
        form |= {"approver": stack.azure.line["approvers"][number]["name"]}
        assert stack.resume(incident, form)["status"] == "ACCEPT"


def approve_and_kill_in_the_middle(stack: Stack, incident: str, view: GateView) -> None:
    """Approve, wait until some machines are being deallocated and others are not, and kill the flow's process."""
    stack.azure.control("POST", "faults", IN_THE_MIDDLE)
    approve(stack, incident, view)
    until("throttled deallocations", lambda: len(throttled(stack.azure)) >= 2, seconds=240)
    stack.kill(*stack.flow_processes())
    until("the flow's processes to be gone", lambda: not stack.flow_processes(), seconds=20)
    stack.azure.control("DELETE", "faults")
    statuses = Counter(row["status"] for row in stack.azure.writes() if "/deallocate" in row["url"])
    assert statuses[202] >= 3
    assert statuses[0] == 1
    assert statuses[429] >= 2
    gate = stack.gate(view.id)
    assert gate is not None
    assert gate.state == "approved"


def throttled(azure: Azure) -> list[str]:
    return [row["url"] for row in azure.writes() if row["status"] == 429]


def all_is_deallocated_once(stack: Stack, incident: str) -> None:
    """The next gate asks: then every machine of the approved plan is deallocated, and what had an effect was sent once."""
    stack.until_asked(incident, "eradicate", seconds=240)
    with stack.room() as room:
        gate = room.desk.view(f"{incident}.contain.1")
        plan = room.store.plans.load(gate.plan_digest)
    wanted = {action.target.lower() for action in plan.actions if action.kind.endswith(".deallocate")}
    assert len(wanted) > 5
    state = stack.azure.control("GET", "state")
    power = {m["id"].lower(): {m["powerState"]} for m in state["machines"]}
    power |= {s["id"].lower(): {i["powerState"] for i in s["instances"]} for s in state["scale_sets"]}
    assert {target: power[target] for target in wanted if power[target] != {"deallocated"}} == {}
    effective = Counter(
        (row["method"], row["url"].split("?")[0].lower())
        for row in stack.azure.writes()
        if row["status"] < 300  # 0: it took effect and the answer was lost
    )
    assert {write: times for write, times in effective.items() if times > 1} == {}
    assert {where for method, where in effective if where.endswith("/deallocate")} == {
        f"{w}/deallocate" for w in wanted
    }
    truth = stack.azure.control("GET", "truth")
    assert truth["rogue_running"] == []
    assert truth["protected_touched"] == []
