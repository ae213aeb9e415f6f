"""How many deliveries the intake keeps and answers in a second: `python -m benchmarks.intake --deliveries 1000 [--json]`.

With `--prefect` the same beside a Prefect server whose 50 runs the burst starts, and how long that server takes meanwhile for what its UI asks.

The intake runs as a process of its own on SQLite, and processes what it takes meanwhile: each delivery is another alert of Azure Monitor about
one of 50 subscriptions whose incidents run already. On a machine with other work the seconds of processor time tell more than the rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from firebreak.engine import EngineRoom, open_engine_room
from firebreak.intake.inbox import Inbox
from firebreak.settings import Settings
from tasks.registry import load_steps

KEY = "a shared key for the benchmark"
SUBSCRIPTIONS = 50
SENDERS = 32
_HEADERS = {"X-Firebreak-Key": KEY, "Content-Type": "application/json"}


def body(number: int) -> bytes:
    """One alert in the common schema; no two are alike."""
    subscription = f"{number % SUBSCRIPTIONS:08x}-3333-4333-8333-333333333333"
    essentials = {
        "alertId": f"/subscriptions/{subscription}/providers/Microsoft.AlertsManagement/alerts/{number}",
        "alertRule": "Many machines",
        "severity": "Sev1",
        "monitorCondition": "Fired",
        "monitoringService": "Platform",
        "alertTargetIDs": [f"/subscriptions/{subscription}"],
        "firedDateTime": "2026-03-02T04:00:00Z",
    }
    return json.dumps({"schemaId": "azureMonitorCommonAlertSchema", "data": {"essentials": essentials}}).encode()


async def send(address: str, bodies: list[bytes]) -> None:
    """Send all of them; each must be accepted."""
    waiting = list(bodies)

    async def one(client: httpx.AsyncClient) -> None:
        while waiting:
            answer = await client.post(address, content=waiting.pop(), headers=_HEADERS, timeout=60)
            if answer.status_code != 202:
                raise RuntimeError(f"{answer.status_code}: {answer.text}")

    async with httpx.AsyncClient() as client:
        await asyncio.gather(*(one(client) for _ in range(SENDERS)))


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_prefect(number: int) -> dict[str, Any]:
    """Let a burst about 50 new subscriptions start their runs, and return how quickly the Prefect server answered before it and meanwhile."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        prefect_port, port = free_port(), free_port()
        api = f"http://127.0.0.1:{prefect_port}/api"
        environment = prefect_environment({**os.environ, **_settings(folder)}, Path(folder), api)
        serve = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(prefect_port)]
        processes.start("prefect-server", serve, environment)
        processes.wait_for("prefect-server", f"{api}/health", seconds=240)
        flow = _answered(f"{api}/flows/", {"name": "respond"})["id"]
        for playbook in ("compromised-subscription", "review-subscription"):
            wanted = {"name": playbook, "flow_id": flow, "entrypoint": "flows.respond.respond"}
            _answered(f"{api}/deployments/", wanted)
        processes.start("intake", ["flows.intake", "--port", str(port)], environment)
        processes.wait_for("intake", f"http://127.0.0.1:{port}/health", seconds=120)
        before = [_ask(api) for _ in range(20)]
        with open_engine_room(Settings.load(home=Path(folder)), load_steps()) as room:
            meanwhile = asyncio.run(_burst_beside(api, f"http://127.0.0.1:{port}/hooks/azure-monitor", number, room))
            incidents = len(room.store.incidents.list())
        runs = _answered(f"{api}/flow_runs/count", {})
    return {
        "incidents": incidents,
        "flow_runs": runs,
        "prefect_seconds_before": _spread(before),
        "prefect_seconds_meanwhile": _spread(meanwhile),
        "looks_meanwhile": len(meanwhile),
    }


async def _burst_beside(api: str, address: str, number: int, room: EngineRoom) -> list[float]:
    """Send a burst, and ask the Prefect server until all of it is processed."""
    inbox, took = Inbox(room.store), list[float]()
    sending = asyncio.create_task(send(address, [body(one) for one in range(number)]))
    while not sending.done() or inbox.waiting().number:
        took.append(await asyncio.to_thread(_ask, api))
        await asyncio.sleep(0.1)
    await sending
    return took


def _ask(api: str) -> float:
    """Seconds until there is the list of runs that the UI shows first."""
    began = time.monotonic()
    _answered(f"{api}/flow_runs/filter", {"limit": 20})
    return time.monotonic() - began


def _answered(url: str, wanted: dict[str, Any]) -> Any:
    """What the server says in the end: on SQLite it answers 503 while another request writes, and its own clients come again."""
    while (answer := httpx.post(url, json=wanted, timeout=120)).status_code == httpx.codes.SERVICE_UNAVAILABLE:
        time.sleep(0.2)
    return answer.raise_for_status().json()


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = {"median": 0.5, "of_100_95": 0.95, "longest": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) for name, share in at.items()}


def _settings(folder: str) -> dict[str, str]:
    return {
        "FIREBREAK_HOME": folder,
        "FIREBREAK_CREDENTIAL__TENANT_ID": "22222222-2222-4222-8222-222222222222",
        "FIREBREAK_INTAKE__SHARED_KEY": KEY,
        "FIREBREAK_INTAKE__SUBSCRIPTIONS": '["*"]',
        "FIREBREAK_INTAKE__REQUESTS_PER_SECOND": "100000",
        "FIREBREAK_LOG_LEVEL": "error",
    }


def measure(number: int) -> dict[str, Any]:
    """Start an intake, send, and return the figures."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        environment = {
            **os.environ,
            **_settings(folder),
            "PREFECT_API_URL": "http://127.0.0.1:9/api",  # nobody: the incidents have their runs already
            "PREFECT_CLIENT_MAX_RETRIES": "0",
        }
        port = free_port()
        child = processes.start("intake", ["flows.intake", "--port", str(port)], environment)
        processes.wait_for("intake", f"http://127.0.0.1:{port}/health", seconds=120)
        address = f"http://127.0.0.1:{port}/hooks/azure-monitor"
        with open_engine_room(Settings.load(home=Path(folder)), load_steps()) as room:
            inbox = Inbox(room.store)
            asyncio.run(send(address, [body(one) for one in range(SUBSCRIPTIONS)]))
            while len(rows := room.store.incidents.list()) < SUBSCRIPTIONS:
                time.sleep(0.1)
            for row in rows:
                room.store.values.set(row.incident.id, "flow_run", "runs")
            while inbox.waiting().number:
                time.sleep(0.1)
            bodies = [body(one) for one in range(SUBSCRIPTIONS, SUBSCRIPTIONS + number)]
            used, began = processor_seconds(child.pid), time.monotonic()
            asyncio.run(send(address, bodies))
            accepted, cost = time.monotonic() - began, processor_seconds(child.pid) - used
            while inbox.waiting().number:
                time.sleep(0.05)
            done, total = time.monotonic() - began, processor_seconds(child.pid) - used
    return {
        "deliveries": number,
        "accepted_per_second": round(number / accepted, 1),
        "processed_per_second": round(number / done, 1),
        "processor_ms_until_accepted": round(1000 * cost / number, 2),
        "processor_ms_in_all": round(1000 * total / number, 2),
        "load_average": round(os.getloadavg()[0], 1),
        "processors": os.cpu_count(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Deliveries that the intake accepts in a second.")
    parser.add_argument("--deliveries", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--prefect", action="store_true", help="also measure a Prefect server beside the burst")
    given = parser.parse_args()
    found = measure(given.deliveries)
    if given.prefect:
        found |= measure_prefect(given.deliveries)
    print(json.dumps(found) if given.json else "\n".join(f"{name:30} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
