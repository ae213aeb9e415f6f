"""One wave of actions: look, send the dearest first, then look until each has ended. No action of it waits for another of it.

An action whose request got no answer is looked at until it is clear; it is sent again only when a look proves that nothing happened.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

import msgspec

from firebreak.errors import (
    AccessError,
    LeaseLostError,
    RejectedError,
    RemoteError,
    SafetyError,
    ThrottledError,
    UnreachableError,
)
from firebreak.execution.flight import Flight, must_wait
from firebreak.execution.group_commit import JournalWriter
from firebreak.execution.journal import Change
from firebreak.execution.looking import Looker, Sleep, Unreadable, why_stale
from firebreak.execution.patience import Patience
from firebreak.logs import working_on
from firebreak.model.clouds import Hands, MaySend
from firebreak.model.outcome import ActionState
from firebreak.model.plan import Action
from firebreak.model.step import LoadedStep, Target
from firebreak.store import Clock


class LookAgain(Exception):  # noqa: N818 - no failure: the request stays here until its target was looked at again
    """A request waited so long that the look before it is too old, and its target changed meanwhile. Nothing was sent."""


class Wave:
    """Carries out flights. `ended` is told every end, after it is in the journal."""

    def __init__(
        self,
        *,
        steps: Mapping[str, LoadedStep],
        looker: Looker,
        hands: Hands,
        writer: JournalWriter,
        clock: Clock,
        sleep: Sleep,
        patience: Patience,
        concurrency: int,
        ended: Callable[[Action, ActionState], None],
    ) -> None:
        self._steps, self._looker, self._hands, self._writer = steps, looker, hands, writer
        self._clock, self._sleep, self._patience, self._concurrency = clock, sleep, patience, concurrency
        self._ended = ended

    async def carry_out(self, fresh: Sequence[Flight], started: Sequence[Flight]) -> None:
        """Bring every flight to its end: those `started` by an earlier run are settled by a look before anything is sent.

        Raises:
            SafetyError: a guard, the scope or the lease refused; nothing more was sent.
        """
        watched = await self._settle(list(started))
        todo = list(fresh)
        while todo or watched:
            watched += await self._send_all(todo)
            todo = await self._watch(watched)
            watched = []

    async def _settle(self, started: list[Flight]) -> list[Flight]:
        looked = await self._looker.look([flight.action for flight in started])
        return await self._unclear(started, looked)

    async def _send_all(self, flights: Sequence[Flight]) -> list[Flight]:
        """Send what a fresh look allows; return what was sent, in one way or another."""
        todo, sent = list(flights), list[Flight]()
        pause, began = self._patience.first_pause, self._clock()
        while todo:
            looked = await self._looker.look([flight.action for flight in todo])
            looked_at = self._clock()
            busy = [flight for flight in todo if must_wait(looked[flight.action.id])]
            judged = [flight for flight in todo if not must_wait(looked[flight.action.id])]
            allowed = await asyncio.gather(*(self._allowed(flight, looked[flight.action.id]) for flight in judged))
            ready = deque(
                (flight, target) for flight, target in zip(judged, allowed, strict=True) if target is not None
            )
            progressed = bool(ready)
            sent += await self._send_ready(ready, looked_at + timedelta(seconds=self._patience.fresh))
            todo = [flight for flight, _ in ready] + busy
            if todo and not progressed:
                if self._age(began) > self._patience.confirm:
                    await asyncio.gather(*(self._waited_in_vain(flight, looked[flight.action.id]) for flight in todo))
                    break
                await self._writer.heartbeat()
                await self._sleep(pause)
                pause = min(pause * self._patience.growth, self._patience.longest_pause)
        return sent

    async def _allowed(self, flight: Flight, target: Target | Unreadable) -> Target | None:
        """Return the target when the action may be sent; else end the flight and return None."""
        if isinstance(target, Unreadable):
            await self._unread(flight, target)
        elif target.already_so:
            state = ActionState.DONE if flight.attempt else ActionState.ALREADY_SO
            await self._end(flight, state, "" if flight.attempt else "It was so before.", target.state)
        elif stale := why_stale(flight.action, target):
            await self._end(flight, ActionState.REFUSED, stale, target.state)
        else:
            return target
        return None

    async def _waited_in_vain(self, flight: Flight, target: Target | Unreadable) -> None:
        if isinstance(target, Unreadable):
            await self._unread(flight, target)
        else:
            await self._end(flight, ActionState.REFUSED, "Another operation on it did not end.", target.state)

    async def _unread(self, flight: Flight, target: Unreadable) -> None:
        if flight.attempt and not flight.unsent:
            await self._end(flight, ActionState.UNKNOWN, f"{flight.problem} {target.why}".strip())
        else:
            await self._end(flight, ActionState.FAILED, f"Nothing was sent. {target.why}")

    async def _send_ready(self, ready: deque[tuple[Flight, Target]], until: datetime) -> list[Flight]:
        sent: list[Flight] = []
        stopped = False

        async def work() -> None:
            nonlocal stopped
            while ready and not stopped and self._clock() <= until:
                flight, target = ready.popleft()
                try:
                    if await self._send(flight, target, until):
                        sent.append(flight)
                except SafetyError:
                    stopped = True
                    raise

        workers = min(self._concurrency, len(ready))
        # Those in the air finish and are journalled before an error of one of them goes up.
        results = await asyncio.gather(*(work() for _ in range(workers)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sent

    def _fence(self, flight: Flight, look_until: datetime) -> MaySend:
        """Return what a request of this flight awaits each time it is about to leave.

        It may have waited long for its turn. Then the look it rests on is old, and another run may have taken over, seen nothing at the target
        and be about to send the same. So the lease is asked again, in one commit with the time from which a later run has to let the request
        settle. Only the first try right after its own commit needs no other.
        """
        first = True

        async def may_send() -> None:
            nonlocal first
            prompt = flight.started_at is not None and self._age(flight.started_at) <= self._patience.prompt
            if first and prompt:
                first = False
                return
            first = False
            if self._clock() > look_until:
                await self._look_once_more(flight)
            renewal = Change(action_id=flight.action.id, state=ActionState.STARTED, attempt=flight.attempt, renews=True)
            await self._writer.write(renewal)
            flight.started_at = self._clock()

        return may_send

    async def _look_once_more(self, flight: Flight) -> None:
        """Raise LookAgain unless the target is still as it was approved and not yet as it shall be."""
        action = flight.action
        target = (await self._looker.look_each([action]))[action.id]
        if isinstance(target, Unreadable):
            raise LookAgain(f"Nothing was sent. {target.why}")
        if target.already_so or must_wait(target) or why_stale(action, target):
            raise LookAgain("Nothing was sent: while the request waited, its target changed.")

    async def _send(self, flight: Flight, target: Target, look_until: datetime) -> bool:
        """Send one request; return whether its effect has to be watched for."""
        action, apply = flight.action, self._steps[flight.action.step].apply
        if apply is None:
            await self._end(flight, ActionState.FAILED, f"Step {action.step} cannot act.")
            return False
        prior = target.prior if flight.attempt == 0 else None
        flight.attempt += 1
        flight.sent_here += 1
        flight.sure = flight.unsent = False
        flight.operation_url, flight.not_so_looks, flight.failed_looks = "", 0, 0
        await self._writer.write(
            Change(action_id=action.id, state=ActionState.STARTED, prior=prior, attempt=flight.attempt)
        )
        flight.started_at = self._clock()
        try:
            with working_on(action=action.id):
                answer = await apply(_as_seen(action, target), self._hands.fenced(self._fence(flight, look_until)))
        except LookAgain as late:
            flight.unsent, flight.problem = True, str(late)
            return True
        except LeaseLostError:
            raise
        except SafetyError as error:
            await self._end(flight, ActionState.REFUSED, str(error))
            raise
        except (ThrottledError, UnreachableError) as error:
            flight.unsent, flight.problem = True, str(error)
            return True
        except (AccessError, RejectedError) as error:
            if target.etag and isinstance(error, RejectedError) and error.status == HTTPStatus.PRECONDITION_FAILED:
                # It changed since the look, so nothing was done to it: the next look says whether it is still what was approved.
                flight.unsent, flight.problem = True, str(error)
                return True
            request_id = error.request_id if isinstance(error, RemoteError) else ""
            await self._end(flight, ActionState.FAILED, str(error), request_id=request_id)
            return False
        except (RemoteError, TimeoutError, OSError) as error:
            flight.problem = f"It was sent and got no answer ({error})."
            return True
        flight.sure, flight.operation_url = True, answer.operation_url
        await self._writer.write(
            Change(
                action_id=action.id,
                state=ActionState.STARTED,
                request_id=answer.request_id,
                operation_url=answer.operation_url,
            )
        )
        return True

    async def _watch(self, flights: Sequence[Flight]) -> list[Flight]:
        """Look until every flight has ended; return those that a look proves never happened, to be sent again."""
        watched, again = list(flights), list[Flight]()
        began, pause = self._clock(), self._patience.first_pause
        turn = asyncio.Semaphore(self._concurrency)
        while watched:
            looked = await self._looker.look([flight.action for flight in watched])
            still = await self._unclear(watched, looked)
            never, still = await self._sort_out(still)
            again += never
            if self._age(began) > self._patience.ask_operation:
                failed = await asyncio.gather(*(self._operation_failed(flight, turn) for flight in still))
                still = [flight for flight, over in zip(still, failed, strict=True) if not over]
            late = [flight for flight in still if self._age(began) > self._limit(flight)]
            await asyncio.gather(*(self._never_seen(flight) for flight in late))
            watched = [flight for flight in still if flight not in late]
            if watched:
                await self._writer.heartbeat()
                await self._sleep(pause)
                pause = min(pause * self._patience.growth, self._patience.longest_pause)
        return [flight for flight in again if not await self._given_up(flight)]

    async def _sort_out(self, flights: Sequence[Flight]) -> tuple[list[Flight], list[Flight]]:
        """Split into those whose request never had effect and the rest. A list may lag behind: what may be sent again is read alone first."""
        doubtful = [flight for flight in flights if self._never_happened(flight)]
        still = [flight for flight in flights if flight not in doubtful]
        unsent = [flight for flight in doubtful if flight.unsent]
        sent = [flight for flight in doubtful if not flight.unsent]
        alone = await self._unclear(sent, await self._looker.look_each([flight.action for flight in sent]))
        never = [flight for flight in alone if self._never_happened(flight)]
        return unsent + never, still + [flight for flight in alone if flight not in never]

    async def _unclear(self, flights: Sequence[Flight], looked: Mapping[str, Target | Unreadable]) -> list[Flight]:
        # Together, so that their ends share a commit.
        clear = await asyncio.gather(*(self._is_clear(flight, looked[flight.action.id]) for flight in flights))
        return [flight for flight, done in zip(flights, clear, strict=True) if not done]

    async def _is_clear(self, flight: Flight, target: Target | Unreadable) -> bool:
        """End the flight when the look says how it ended; else remember what was seen."""
        if isinstance(target, Unreadable):
            flight.not_so_looks = 0
            return False
        if target.already_so:
            await self._end(flight, ActionState.DONE, "", target.state)
            return True
        flight.not_so_looks = 0 if target.in_progress else flight.not_so_looks + 1
        # Twice, because a list may still show the failure of an operation before ours.
        flight.failed_looks = flight.failed_looks + 1 if target.failed and not target.in_progress else 0
        if flight.failed_looks < 2 or not flight.sure:
            return False
        await self._end(flight, ActionState.FAILED, target.failed, target.state)
        return True

    def _never_happened(self, flight: Flight) -> bool:
        if flight.unsent:
            return flight.not_so_looks >= 1
        settled = flight.started_at is None or self._age(flight.started_at) > self._patience.settle
        return not flight.sure and settled and flight.not_so_looks >= 2

    async def _given_up(self, flight: Flight) -> bool:
        # A run that was killed before it could send is no try: only this run's count.
        if flight.may_be_sent and flight.sent_here < self._patience.attempts:
            return False
        why = f"Tried {flight.attempt} times; looking shows that it did not happen. {flight.problem}"
        if not flight.may_be_sent:
            why = "Looking shows that it did not happen, and no approved plan asks for it any more."
        await self._end(flight, ActionState.FAILED, why)
        return True

    def _limit(self, flight: Flight) -> float:
        answered_as_finished = flight.sure and not flight.operation_url
        return self._patience.confirm_at_once if answered_as_finished else self._patience.confirm

    async def _never_seen(self, flight: Flight) -> None:
        if flight.unsent:
            await self._end(flight, ActionState.FAILED, flight.problem)
        else:
            waited = f"Its effect was not seen within {self._limit(flight):.0f} s."
            await self._end(flight, ActionState.UNKNOWN, f"{flight.problem} {waited}".strip())

    async def _operation_failed(self, flight: Flight, turn: asyncio.Semaphore) -> bool:
        if not flight.operation_url:
            return False
        try:
            async with turn:
                answer = await self._hands.arm.operation(flight.operation_url)
        except (RemoteError, AccessError):
            return False
        status = str(answer.get("status", ""))
        if status.lower() not in ("failed", "canceled", "cancelled"):
            return False
        error = answer.get("error")
        said = f" {error.get('code', '')}: {error.get('message', '')}" if isinstance(error, Mapping) else ""
        await self._end(flight, ActionState.FAILED, f"Azure says the operation is {status}.{said}")
        return True

    async def _end(
        self, flight: Flight, state: ActionState, reason: str, read_back: str = "", request_id: str = ""
    ) -> None:
        await self._writer.write(
            Change(
                action_id=flight.action.id,
                state=state,
                reason=reason[:2000],
                state_read_back=read_back[:200],
                request_id=request_id,
            )
        )
        self._ended(flight.action, state)

    def _age(self, since: datetime) -> float:
        return (self._clock() - since).total_seconds()


def _as_seen(action: Action, target: Target) -> Action:
    """The action with the version of its target that the look right before it saw."""
    return msgspec.structs.replace(action, params={**action.params, "etag": target.etag}) if target.etag else action
