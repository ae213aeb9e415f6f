"""The yardstick: a bare aiohttp client that does the same work with no journal, no plan, no checks and no look before it writes."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp

from benchmarks.cloud import GROUP

_AT_ONCE = 32
_MACHINES, _DISKS = "api-version=2026-04-01", "api-version=2026-03-02"
_PAUSE_SECONDS = 0.25
_LONGEST_SECONDS = 300


async def contain(cloud: dict[str, Any], resources: int) -> float:
    """POST deallocate to each machine and read them back, then DELETE each disk and read back; return the seconds.

    Signing in is not counted, as it is not for the engine.
    """
    trusted = ssl.create_default_context(cafile=cloud["ca_bundle"])
    connector = aiohttp.TCPConnector(ssl=trusted, limit=_AT_ONCE)
    base, subscription = cloud["resource_manager"], f"/subscriptions/{cloud['subscription_id']}"
    compute = f"{base}{subscription}/resourceGroups/{GROUP}/providers/Microsoft.Compute"
    everywhere = f"{base}{subscription}/providers/Microsoft.Compute"
    async with aiohttp.ClientSession(connector=connector) as session:
        session.headers["Authorization"] = f"Bearer {await _token(session, cloud)}"
        names = [f"{number:04}" for number in range(resources)]
        began = time.perf_counter()
        machines = [f"{compute}/virtualMachines/vm-{name}/deallocate?{_MACHINES}" for name in names]
        await _send_all(session, "POST", machines)
        await _until(lambda: _all_deallocated(session, f"{everywhere}/virtualMachines?statusOnly=true&{_MACHINES}"))
        await _send_all(session, "DELETE", [f"{compute}/disks/disk-{name}?{_DISKS}" for name in names])
        await _until(lambda: _disks_are_gone(session, f"{everywhere}/disks?{_DISKS}"))
        return time.perf_counter() - began


async def _token(session: aiohttp.ClientSession, cloud: dict[str, Any]) -> str:
    form = {
        "grant_type": "client_credentials",
        "client_id": cloud["client_id"],
        "client_secret": cloud["client_secret"],
        "scope": "https://management.core.windows.net//.default",
    }
    async with session.post(f"{cloud['login']}/{cloud['tenant_id']}/oauth2/v2.0/token", data=form) as answer:
        answer.raise_for_status()
        return str((await answer.json())["access_token"])


async def _send_all(session: aiohttp.ClientSession, method: str, urls: Sequence[str]) -> None:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def send(url: str) -> None:
        async with turns, session.request(method, url) as answer:
            answer.raise_for_status()
            await answer.read()

    await asyncio.gather(*(send(url) for url in urls))


async def _rows(session: aiohttp.ClientSession, url: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while url:
        async with session.get(url) as answer:
            answer.raise_for_status()
            document = await answer.json()
        rows += document["value"]
        url = document.get("nextLink") or ""
    return rows


async def _all_deallocated(session: aiohttp.ClientSession, url: str) -> bool:
    states = [
        {status["code"] for status in row["properties"]["instanceView"]["statuses"]}
        for row in await _rows(session, url)
    ]
    return all("PowerState/deallocated" in codes for codes in states)


async def _disks_are_gone(session: aiohttp.ClientSession, url: str) -> bool:
    return all(row.get("managedBy") for row in await _rows(session, url))  # the machines keep their own


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_LONGEST_SECONDS):
        while not await holds():  # noqa: ASYNC110 - there is no event: the cloud has to be asked
            await asyncio.sleep(_PAUSE_SECONDS)
