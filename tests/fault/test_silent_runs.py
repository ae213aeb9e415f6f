"""The host of a run dies: the server's automation calls the run crashed, people are told over a real endpoint, and another run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.automations import silent_runs
from flows.start import prefect_client
from tests.flows.stack import Stack, until
from tests.support.receivers import HttpReceiver, http_receiver

pytestmark = [pytest.mark.slow, pytest.mark.flows, pytest.mark.timeout(1200)]

SILENT_SECONDS = 75  # two and a half heartbeats: as short as is safe, so that nobody waits for three minutes
UI = "https://ir.example.com"
SETTINGS = f"""
watch_gates_every_seconds: 10
notify:
  channels: [custom-webhook/siem]
  ui_url: {UI}
"""
# Azure asks for patience from the first look on: the run is in the middle for long.
PATIENCE = [{"kind": "throttle", "method": "GET", "url": "/subscriptions/", "retry_after": 60}]


@pytest.fixture(scope="module")
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("silent")
    (folder / "home").mkdir()
    (folder / "home" / "settings.yaml").write_text(SETTINGS)
    with Stack.start(folder) as stack:
        yield stack


async def prepare(receiver: HttpReceiver) -> None:
    """The channel's block, and the automation that the runner put there waiting less."""
    block = CustomWebhookNotificationBlock(
        name="siem", url=receiver.url, json_data={"title": "{{subject}}", "text": "{{body}}"}
    )
    await block.asave("siem", overwrite=True)
    wanted = silent_runs(SILENT_SECONDS)
    async with prefect_client() as client:
        (there,) = await client.read_automations_by_name(wanted.name)
        await client.update_automation(there.id, wanted)


def titles(receiver: HttpReceiver) -> list[str]:
    return [received.json["title"] for received in receiver.received]


def test_a_run_whose_host_died_is_crashed_told_and_followed_by_another(stack: Stack, receiver: HttpReceiver) -> None:
    with temporary_settings({PREFECT_API_URL: stack.running.api_url}):
        asyncio.run(prepare(receiver))
    stack.azure.control("POST", "faults", PATIENCE)
    incident = stack.deliver().json()["incident"]
    run = stack.flow_run(incident)
    until("the run to be at work", lambda: stack.run_state(incident) == "Running", seconds=120)
    until("a sign of life", lambda: heartbeats(stack, run), seconds=60)
    stack.kill_runner()
    assert stack.run_state(incident) == "Running", "nobody is left who could say that it died"
    until("the automation", lambda: state_of(stack, run) == "Crashed", seconds=SILENT_SECONDS * 3)
    stack.azure.control("DELETE", "faults")
    stack.start_runner()
    until(
        "the message",
        lambda: f"{incident} lost its run: a person has to start it again" in titles(receiver),
        seconds=90,
    )
    (told,) = [received.json for received in receiver.received if "lost its run" in received.json["title"]]
    assert f"Then: firebreak respond --incident {incident}" in told["text"]
    assert f"{UI}/v2/runs/flow-run/{run}" in told["text"]
    assert stack.firebreak("respond", "--incident", incident).returncode in (0, 2)
    stack.until_asked(incident, "contain")
    assert stack.flow_run(incident) != run
    assert titles(receiver).count(f"{incident} lost its run: a person has to start it again") == 1
    until("the gate's message", lambda: [one for one in titles(receiver) if "waits for an answer" in one], seconds=90)
    with stack.room() as room:
        kinds = [record.kind for record in room.audit.records(incident)]
    assert kinds.count("run.crashed") == 1
    assert "notice.delivered" in kinds


def heartbeats(stack: Stack, run: str) -> list[object]:
    wanted = {
        "filter": {
            "event": {"name": ["prefect.flow-run.heartbeat"]},
            "resource": {"id": [f"prefect.flow-run.{run}"]},
        },
        "limit": 5,
    }
    answer = httpx.post(f"{stack.running.api_url}/events/filter", json=wanted, timeout=60).raise_for_status()
    return list(answer.json()["events"])


def state_of(stack: Stack, run: str) -> str:
    answer = httpx.get(f"{stack.running.api_url}/flow_runs/{run}", timeout=60).raise_for_status()
    return str(answer.json()["state"]["name"])
