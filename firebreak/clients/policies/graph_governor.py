"""Keeps under Microsoft Graph's published limits for the two services that are slow: the reports, and Identity Protection with conditional access.

Identity Protection grants one request a second to all applications of a tenant together, and its 429 names no wait: then the class rests
for a fixed time. Everything else in Graph has room for hundreds of requests a second and is left to `retry.py`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from firebreak.clients.policies.exchange import Call, Reply, Send
from firebreak.clients.policies.governor import Buckets
from firebreak.clients.policies.waits import asked_wait

_REPORTS = re.compile(r"/(v1\.0|beta)/(auditlogs|reports)(/|$)", re.IGNORECASE)
_PROTECTION = re.compile(r"/(v1\.0|beta)/(identityprotection|identity/conditionalaccess)(/|$)", re.IGNORECASE)
# The reports count over ten seconds; what Identity Protection counts over is one.
_REST_SECONDS = {"reports": 10.0, "protection": 3.0}


class GraphGovernor:
    """Waits for a token before each request to a slow service, and lets the class rest after a 429. `tenant_of` names the token's tenant."""

    def __init__(
        self,
        buckets: Buckets,
        base: str,
        *,
        tenant_of: Callable[[Call], str],
        sleep: Callable[[float], Awaitable[None]],
        longest_wait_seconds: float,
    ) -> None:
        self._buckets = buckets
        self._base = urlsplit(base).path
        self._tenant_of = tenant_of
        self._sleep = sleep
        self._longest = longest_wait_seconds

    async def __call__(self, call: Call, send: Send) -> Reply:
        kind = self.kind_of(call.url)
        if not kind:
            return await send(call)
        tenant = self._tenant_of(call)
        while wait := self._buckets.take(tenant, kind, ""):
            await self._sleep(wait)
        started = self._buckets.now()
        try:
            reply = await send(call)
        finally:
            self._buckets.give_back(tenant, kind, started=started, remaining=None)
        if reply.status == 429:
            self._buckets.pause(tenant, kind, "", min(asked_wait(reply.headers) or _REST_SECONDS[kind], self._longest))
        return reply

    def kind_of(self, url: str) -> str:
        """Return the class that counts the request: reports, protection, or "" for all else."""
        path = urlsplit(url).path.removeprefix(self._base)
        return "reports" if _REPORTS.match(path) else "protection" if _PROTECTION.match(path) else ""
