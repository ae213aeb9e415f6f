"""Deliveries on their way: kept in the inbox, then processed in the same process, and again after a crash or a failure.

    async with Deliveries(room, read) as deliveries:
        taken = await deliveries.take("alerts", body)      # on the disk
        result = await deliveries.process(taken.id)        # or leave it to the background

Processing may happen twice, here or on another host: the incident's key and Prefect's idempotency key make the second time find the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType

from firebreak.approval import notices
from firebreak.engine import EngineRoom
from firebreak.errors import AlertError, NothingToDoError, ResponseError, ScopeError
from firebreak.intake.inbox import DONE, KEPT, WAITING, Delivery, Inbox, Taken
from firebreak.model.alert import Alert
from firebreak.model.mode import Mode
from flows.start import start_run

LOG = logging.getLogger("firebreak.intake")
_AT_ONCE = 8
_LOOK_SECONDS = 1.0
_PURGE_SECONDS = 3600.0
_QUIET_SECONDS, _MOST_PAUSES = 0.1, 50


@dataclass(frozen=True)
class Reading:
    """One alert of a delivery, and the bytes that it was read from."""

    alert: Alert
    raw: bytes


# Reads the alerts out of a delivery. AlertError: it opens no incident, and its message says why; any other error: try again later.
Read = Callable[[EngineRoom, Delivery], Awaitable[Sequence[Reading]]]


@dataclass(frozen=True)
class Result:
    """What became of a delivery. `state` is one of the inbox; `is_new` when an incident was opened for it just now."""

    state: str
    incident: str = ""
    is_new: bool = False
    flow_run: str = ""
    reason: str = ""
    hint: str = ""


def plain(text: str) -> str:
    """Text of strangers on one line of a log, without what a terminal could act on."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)[:500]


class Deliveries:
    """The inbox with the one who empties it. An async context manager: the background task lives within it."""

    def __init__(self, room: EngineRoom, read: Read) -> None:
        self.inbox = Inbox(room.store)
        self._room, self._read = room, read
        self._arrived: list[tuple[str, bytes, asyncio.Future[Taken]]] = []
        self._keeping: asyncio.Task[None] | None = None
        self._last_came = float("-inf")
        self._purge_at = float("-inf")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Result]] = {}
        self._wake = asyncio.Event()
        self._background: asyncio.Task[None] | None = None

    async def take(self, channel: str, body: bytes) -> Taken:
        """Keep a delivery; it is on the disk when this returns. What comes while a transaction is under way shares the next."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Taken] = loop.create_future()
        self._arrived.append((channel, body, future))
        self._last_came = loop.time()
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())
        return await future

    async def process(self, delivery: str) -> Result:
        """Process a delivery now and return what became of it; one that is being processed already is waited for."""
        task = self._under_way.get(delivery)
        if task is None:
            task = self._under_way[delivery] = asyncio.create_task(self._process(delivery))
            task.add_done_callback(lambda _: self._under_way.pop(delivery, None))
        # A client that goes away must not end what it began.
        return await asyncio.shield(task)

    def wake(self) -> None:
        """Let the background look now."""
        self._wake.set()

    async def __aenter__(self) -> Deliveries:
        self._background = asyncio.create_task(self._empty())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [task for task in (self._background, self._keeping, *self._under_way.values()) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self) -> None:
        while self._arrived:
            batch, self._arrived = self._arrived, []
            await self._commit(batch)

    async def _commit(self, batch: list[tuple[str, bytes, asyncio.Future[Taken]]]) -> None:
        waiting = [future for _, _, future in batch]
        try:
            taken = await asyncio.to_thread(self.inbox.take, [(channel, body) for channel, body, _ in batch])
        except Exception as error:
            LOG.exception("What was delivered cannot be kept.")
            for future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for future, one in zip(waiting, taken, strict=True):
            if not future.done():
                future.set_result(one)

    async def _purge_now_and_then(self) -> None:
        """Once an hour: remove the raw bytes whose time is over."""
        days, now = self._room.settings.intake.keep_days, asyncio.get_running_loop().time()
        if not days or now < self._purge_at:
            return
        self._purge_at = now + _PURGE_SECONDS
        removed = await asyncio.to_thread(self.inbox.purge, timedelta(days=days))
        if removed:
            LOG.warning("The raw bytes of %d deliveries were removed: settled more than %d days ago.", removed, days)

    async def _empty(self) -> None:
        """Look for what is due: now and then, and at once when something came."""
        while True:
            try:
                await self._purge_now_and_then()
                due = await asyncio.to_thread(self.inbox.due, self._room.store.clock())
                self._wake.clear()
                for start in range(0, len(due), _AT_ONCE):
                    await self._calm()
                    # Nothing here raises: each ends with a result.
                    await asyncio.gather(*(self.process(one) for one in due[start : start + _AT_ONCE]))
                if due:
                    continue
            except Exception:  # the database may be away for a while; what waits is still there afterwards
                LOG.exception("The inbox cannot be read; it is tried again.")
            try:
                await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue

    async def _calm(self) -> None:
        """Let a burst be kept and answered before the processor is spent on what is kept already; not for ever."""
        for _ in range(_MOST_PAUSES):
            if asyncio.get_running_loop().time() - self._last_came >= _QUIET_SECONDS:
                return
            await asyncio.sleep(_QUIET_SECONDS)

    async def _process(self, identity: str) -> Result:
        async with self._slots:
            delivery = await asyncio.to_thread(self.inbox.get, identity)
            if delivery is None:
                return Result(KEPT, reason="There is no such delivery.")
            if delivery.state == DONE:
                return await self._found(delivery.incident)
            try:
                return await self._open(delivery)
            except (AlertError, ScopeError) as error:
                reason = plain(error.message)
                LOG.warning("%s delivery %s opens no incident: %s", delivery.channel, identity[:12], reason)
                await asyncio.to_thread(self._refuse, delivery, error)
                return Result(KEPT, reason=error.message, hint=error.hint)
            except ResponseError as error:
                return await self._put_off(delivery, error.message, error.hint)
            except Exception as error:  # whatever it was, the delivery is kept and tried again
                LOG.exception("%s delivery %s failed; it is tried again.", delivery.channel, identity[:12])
                reason = f"Processing failed ({type(error).__name__})."
                return await self._put_off(delivery, reason, "See the intake's log; it is tried again by itself.")

    def _refuse(self, delivery: Delivery, error: ResponseError) -> None:
        """Keep it without an incident, and have people told unless there was nothing to respond to."""
        self.inbox.settle(delivery.id, KEPT, reason=error.message)
        if not isinstance(error, NothingToDoError):
            with self._room.store.write() as tx:
                notices.add_refused(tx, delivery.channel, error.message, self._room.clock())

    async def _open(self, delivery: Delivery) -> Result:
        results = [await self._open_one(one) for one in await self._read(self._room, delivery)]
        if not results:
            raise AlertError("There is no alert in the delivery.", hint="Nothing is to be done.")
        result = next((one for one in results if one.is_new), results[0])
        await asyncio.to_thread(self.inbox.settle, delivery.id, DONE, incident=result.incident)
        return result

    async def _open_one(self, reading: Reading) -> Result:
        opened = await asyncio.to_thread(
            self._room.open,
            reading.raw,
            place="intake",
            mode=Mode.LIVE,
            requested_by="intake",
            alert=reading.alert,
            joins=True,
        )
        incident = opened.incident.id
        run = await asyncio.to_thread(self._room.store.values.get, incident, "flow_run", "")
        if not run:
            run = await start_run(self._room, incident, key=incident)
        return Result(DONE, incident=incident, is_new=opened.is_new, flow_run=str(run))

    async def _found(self, incident: str) -> Result:
        run = await asyncio.to_thread(self._room.store.values.get, incident, "flow_run", "")
        return Result(DONE, incident=incident, flow_run=str(run))

    async def _put_off(self, delivery: Delivery, reason: str, hint: str) -> Result:
        await asyncio.to_thread(self.inbox.put_off, delivery, reason)
        LOG.warning("%s delivery %s waits: %s", delivery.channel, delivery.id[:12], plain(reason))
        return Result(WAITING, reason=reason, hint=hint)
