"""How many deliveries the intake keeps and answers in a second: `python -m benchmarks.intake --deliveries 1000 [--json]`.

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
from firebreak.engine import open_engine_room
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


def measure(number: int) -> dict[str, Any]:
    """Start an intake, send, and return the figures."""
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder) / "logs") as processes:
        environment = {
            **os.environ,
            "FIREBREAK_HOME": folder,
            "FIREBREAK_CREDENTIAL__TENANT_ID": "22222222-2222-4222-8222-222222222222",
            "FIREBREAK_INTAKE__SHARED_KEY": KEY,
            "FIREBREAK_INTAKE__SUBSCRIPTIONS": '["*"]',
            "FIREBREAK_INTAKE__REQUESTS_PER_SECOND": "100000",
            "FIREBREAK_LOG_LEVEL": "error",
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
    given = parser.parse_args()
    found = measure(given.deliveries)
    print(json.dumps(found) if given.json else "\n".join(f"{name:30} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
