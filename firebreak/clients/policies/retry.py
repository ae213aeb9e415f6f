"""When a request is sent again. The rules, written down:

| what happened                                    | a read        | a write                                              |
|--------------------------------------------------|---------------|------------------------------------------------------|
| never connected                                  | again         | again: the server has not seen it                    |
| connection lost or timed out after sending       | again         | never: it may have had effect, `UncertainError`      |
| 429                                              | again         | again: throttling refuses before it executes         |
| 401 with a token that has run out                | once more     | once more: refused before it executes                |
| 408, 500, 502, 503, 504                          | again         | never: gateways answer these after the effect too    |
| 200 with a body that is cut off                  | again         | never: it had effect                                 |
| any other status                                 | never         | never                                                |

A wait is what the service asks for, else 0.5 s doubled per attempt with jitter. A wait longer than `longest_wait_seconds`, or one that would
pass the deadline of `total_seconds`, is not waited: the caller gets the answer at once. 429 does not count as an attempt, only
against the deadline. `sleep` and `monotonic` are handed in, so tests neither sleep nor wait.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from firebreak.clients.policies.exchange import Call, NoAnswerError, NotSentError, Reply, Send
from firebreak.clients.policies.waits import asked_wait

_READ_STATUSES = frozenset({408, 500, 502, 503, 504})


class Retry:
    """Sends again by the rules of this module, and otherwise returns the last answer or raises the last failure."""

    def __init__(
        self,
        *,
        attempts: int,
        total_seconds: float,
        longest_wait_seconds: float,
        sleep: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
        chance: random.Random | None = None,
    ) -> None:
        self._attempts = attempts
        self._total = total_seconds
        self._longest = longest_wait_seconds
        self._sleep = sleep
        self._monotonic = monotonic
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing

    async def __call__(self, call: Call, send: Send) -> Reply:
        deadline = self._monotonic() + min(self._total, call.patience or self._total)
        failures = throttled = 0
        renewed = False
        while True:
            wait = 0.0
            try:
                reply = await send(call)
            except (NotSentError, NoAnswerError) as exc:
                failures += 1
                may_repeat = call.is_read or isinstance(exc, NotSentError)
                wait = self._backoff(failures)
                if not may_repeat or failures >= self._attempts or self._passes(wait, deadline):
                    raise
            else:
                if reply.status == 429:
                    throttled += 1
                    wait = asked_wait(reply.headers) or self._backoff(throttled)
                elif reply.status == 401 and not renewed:
                    renewed = True
                elif call.is_read and (reply.status in _READ_STATUSES or _is_cut_off(reply)):
                    failures += 1
                    if failures >= self._attempts:
                        return _whole(reply)
                    wait = asked_wait(reply.headers) or self._backoff(failures)
                else:
                    return reply
                if wait > self._longest or self._passes(wait, deadline):
                    return _whole(reply)
            if wait:
                await self._sleep(wait)

    def _backoff(self, attempt: int) -> float:
        ceiling: float = min(0.5 * 2 ** (attempt - 1), 30.0)
        return ceiling * self._chance.uniform(0.5, 1.0)

    def _passes(self, wait: float, deadline: float) -> bool:
        return self._monotonic() + wait > deadline


def _is_cut_off(reply: Reply) -> bool:
    if reply.status != 200 or "json" not in (reply.headers.get("Content-Type") or "").lower():
        return False
    try:
        reply.json()
    except ValueError:
        return True
    return False


def _whole(reply: Reply) -> Reply:
    """Let a cut-off page never pass as an answer: an inventory that failed must not look like a short one."""
    if _is_cut_off(reply):
        raise NoAnswerError(f"the answer of {len(reply.content)} bytes was cut off")
    return reply
