"""How long the review of a large activity log takes, and how much memory beyond the process, against parsing and counting alone.

    python -m benchmarks.review --events 1000000 --json

A log of 30 days is written to a temporary file (about 2.9 KB an event) and deleted afterwards. Each measurement has a process of its own; the
floor decodes one field of each event with msgspec, in the same pieces, and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from firebreak.analysis.log_files import PIECE, review_file
from firebreak.analysis.logs import reviewed
from firebreak.analysis.operations import LogReview
from firebreak.analysis.suspects import suspects

START = datetime(2026, 10, 1, tzinfo=UTC)
SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
# What a busy subscription does, and how often: operation, share, whether it shows as three events.
EVERYDAY = (
    ("Microsoft.Compute/virtualMachines/start/action", 14, True),
    ("Microsoft.Compute/virtualMachines/deallocate/action", 14, True),
    ("Microsoft.Resources/deployments/write", 12, True),
    ("Microsoft.Resources/deployments/validate/action", 8, False),
    ("Microsoft.Compute/virtualMachineScaleSets/write", 6, True),
    ("Microsoft.Compute/virtualMachines/write", 8, True),
    ("Microsoft.Network/networkInterfaces/write", 8, True),
    ("Microsoft.Compute/disks/write", 6, True),
    ("Microsoft.Compute/virtualMachines/delete", 4, True),
    ("Microsoft.Storage/storageAccounts/listKeys/action", 6, False),
    ("Microsoft.Resources/tags/write", 6, False),
    ("Microsoft.Authorization/policies/audit/action", 4, False),
    ("Microsoft.Network/networkSecurityGroups/securityRules/write", 2, True),
    ("Microsoft.Storage/storageAccounts/write", 2, True),
)


def events(count: int, seed: int = 7) -> Iterator[dict[str, Any]]:
    """A log of everyday work, oldest first, and an attack in its last hour."""
    dice = random.Random(seed)
    names = [name for name, share, _ in EVERYDAY for _ in range(share)]
    triple = {name for name, _, three in EVERYDAY if three}
    step = timedelta(days=30) / max(count, 1)
    made = 0
    while made < count:
        name = dice.choice(names)
        person = dice.randrange(60)
        kind = name.rsplit("/", 1)[0]
        group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-{person % 40:03}"
        target = f"{group}/providers/{kind}/thing-{dice.randrange(4000):05}"
        correlation = str(uuid.UUID(int=dice.getrandbits(128)))
        for status in ("Started", "Accepted", "Succeeded") if name in triple else ("Succeeded",):
            if made < count:
                yield _event(dice, name, status, person, target, correlation, START + step * made)
                made += 1


def _event(
    dice: random.Random, name: str, status: str, person: int, target: str, correlation: str, at: datetime
) -> dict[str, Any]:
    caller, address = f"person{person:02}@contoso.example", f"198.51.100.{person}"
    body = {
        "name": target.rsplit("/", 1)[-1],
        "location": "westeurope",
        "tags": {"owner": caller, "cost": "4711"},
        "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}, "provisioningState": "Updating"},
    }
    unique = str(uuid.UUID(int=dice.getrandbits(128)))
    return {
        "authorization": {"action": name, "role": "Contributor", "scope": target},
        "caller": caller,
        "channels": "Operation",
        "claims": {
            "aud": "https://management.core.windows.net/",
            "iss": "https://sts.windows.net/22222222-2222-4222-8222-222222222222/",
            "iat": "1790000000",
            "nbf": "1790000000",
            "exp": "1790003600",
            "aio": "A" * 76,
            "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "appidacr": "0",
            "http://schemas.microsoft.com/identity/claims/objectidentifier": f"33333333-3333-4333-8333-{person:012}",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": caller,
            "http://schemas.microsoft.com/claims/authnmethodsreferences": "pwd,mfa",
            "ipaddr": address,
            "name": f"Person {person}",
            "puid": "1003200000000000",
            "http://schemas.microsoft.com/identity/claims/scope": "user_impersonation",
            "http://schemas.microsoft.com/identity/claims/tenantid": "22222222-2222-4222-8222-222222222222",
            "uti": "B" * 22,
            "ver": "1.0",
            "wids": "b79fbf4d-3ef9-4689-8143-76b194e85509",
        },
        "correlationId": correlation,
        "description": "",
        "eventDataId": unique,
        "eventName": {"value": "EndRequest", "localizedValue": "End request"},
        "category": {"value": "Administrative", "localizedValue": "Administrative"},
        "httpRequest": {"clientRequestId": correlation, "clientIpAddress": address, "method": "PUT"},
        "id": f"{target}/events/{unique}/ticks/638993990650000000",
        "level": "Informational",
        "resourceGroupName": target.split("/")[4],
        "resourceProviderName": {"value": name.split("/")[0], "localizedValue": name.split("/")[0]},
        "resourceId": target,
        "resourceType": {"value": name.rsplit("/", 1)[0], "localizedValue": name.rsplit("/", 1)[0]},
        "operationId": correlation,
        "operationName": {"value": name, "localizedValue": "What was done"},
        "properties": {
            "statusCode": "OK",
            "serviceRequestId": unique,
            "responseBody" if status == "Accepted" else "requestbody": json.dumps(body) if "/write" in name else "",
            "eventCategory": "Administrative",
            "entity": target,
            "message": name,
            "hierarchy": f"22222222-2222-4222-8222-222222222222/{SUBSCRIPTION}",
        },
        "status": {"value": status, "localizedValue": status},
        "subStatus": {"value": "OK", "localizedValue": "OK (HTTP Status Code: 200)"},
        "eventTimestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "submissionTimestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "subscriptionId": SUBSCRIPTION,
        "tenantId": "22222222-2222-4222-8222-222222222222",
    }


class _Counted(msgspec.Struct, gc=False):
    eventDataId: str  # noqa: N815  Azure's name


def count_alone(path: Path) -> int:
    """Decode and count, in pieces, and nothing else: the least that any review of the file costs."""
    decoder = msgspec.json.Decoder(list[_Counted])
    found, data = 0, b""
    between = re.compile(rb'\},\{"authorization"')
    with path.open("rb") as stream:
        data = stream.read(PIECE)[len(b'{"value":[') :]
        while True:
            more = stream.read(PIECE)
            data += more
            cuts = [match.start() for match in between.finditer(data, max(0, len(data) - 20_000))] if more else []
            if more and not cuts:
                continue
            cut = cuts[-1] + 1 if more else data.rindex(b"]")
            found += len(decoder.decode(b"[" + data[:cut] + b"]"))
            data = data[cut + 1 :]
            if not more:
                return found


def measure(work: str, path: Path) -> dict[str, Any]:
    """Do one thing in this process: CPU seconds, and megabytes at the peak beyond what the process had before."""
    if work == "review":
        LogReview(strict=False)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.process_time()
    extra: dict[str, Any] = {}
    if work == "floor":
        extra["events"] = count_alone(path)
    else:
        log = LogReview(strict=False)
        with path.open("rb") as stream:
            review_file(stream, path.name, log)
        extra["read_seconds"] = round(time.process_time() - began, 2)
        activity, findings = reviewed(log)
        extra |= {"events": log.events, "findings": len(findings), "suspects": len(suspects(activity, findings))}
    after = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cpu_seconds": round(time.process_time() - began, 2),
        "megabytes": round((after.ru_maxrss - before.ru_maxrss) / 1024, 1),
        **extra,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", choices=["floor", "review"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.file)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.json")
        encoder = msgspec.json.Encoder()
        with path.open("wb") as stream:
            stream.write(b'{"value":[')
            for number, event in enumerate(events(chosen.events)):
                stream.write((b"," if number else b"") + encoder.encode(event))
            stream.write(b"]}")
        size = path.stat().st_size
        figures = {}
        for work in ("floor", "review"):
            command = [sys.executable, "-m", "benchmarks.review", "--measure", work, "--file", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))  # noqa: S603
            figures[work] = json.loads(done.stdout)
    ratio = round(figures["review"]["cpu_seconds"] / max(figures["floor"]["cpu_seconds"], 0.01), 2)
    result = {"events": chosen.events, "megabytes": round(size / 1e6, 1), **figures, "ratio": ratio}
    if chosen.json:
        print(json.dumps(result))
    else:
        for name in ("floor", "review"):
            print(f"{name}: {figures[name]}")
        print(f"{result['megabytes']} MB, {ratio} times the floor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
