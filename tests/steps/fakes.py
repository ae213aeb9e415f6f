"""Small eyes for data-driven cases: answers by path, everything else is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.errors import MissingPermissionError, RejectedError, ThrottledError, UnreachableError

_ERRORS = {
    "forbidden": MissingPermissionError("403 AuthorizationFailed"),
    "unreachable": UnreachableError("no connection"),
    "rejected": RejectedError("400 BadRequest", status=400),
    "throttled": ThrottledError("429", status=429),
    "not offered": RejectedError("400", status=400, remote_code="NoRegisteredProviderFound"),
    "unlicensed": MissingPermissionError(
        "GET /x was refused with 403 Forbidden: Your tenant is not licensed for this feature.", remote_code="Forbidden"
    ),
    "unregistered": RejectedError("409", status=409, remote_code="MissingSubscriptionRegistration"),
}


class Answers:
    """Answers by path suffix, the longest that fits; `{error: forbidden}` raises. `asked` lists what was read."""

    def __init__(self, answers: Mapping[str, Any], subscription_id: str = "") -> None:
        self._answers = {suffix.lower(): answer for suffix, answer in answers.items()}
        self.subscription_id = subscription_id
        self.asked: list[str] = []

    def _find(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        full = path + "".join(f"?{key}={value}" for key, value in sorted((params or {}).items()))
        self.asked.append(full)
        fitting = [s for s in self._answers if full.lower().endswith(s)]
        fitting = fitting or [s for s in self._answers if path.lower().endswith(s)]
        if not fitting:
            return None
        answer = self._answers[max(fitting, key=len)]
        if isinstance(answer, Mapping) and set(answer) == {"error"}:
            raise _ERRORS[answer["error"]]
        return answer

    async def get(self, path: str, *rest: Any) -> Any:
        return self._find(path, rest[-1] if rest and isinstance(rest[-1], Mapping) else None)

    async def list(self, path: str, *rest: Any) -> list[Any]:
        return list(await self.get(path, *rest) or [])

    async def pages(self, path: str, *rest: Any, **_: Any) -> AsyncIterator[list[Any]]:
        rows = await self.list(path, *rest)
        for start in range(0, len(rows), 3):
            yield rows[start : start + 3]

    async def raw_pages(self, path: str, *rest: Any) -> AsyncIterator[bytes]:
        async for rows in self.pages(path, *rest):
            yield msgspec.json.encode(rows)

    async def query(self, path: str, api_version: str, body: Mapping[str, Any]) -> Any:
        names = "+".join(group["name"] for group in body["dataset"]["grouping"])
        return self._find(f"{path}#{names}")


class Blobs:
    """Page blobs by endpoint."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = Answers(answers)

    async def page_blobs(self, endpoint: str) -> list[Any]:
        return await self._answers.list(endpoint)

    async def blob(self, url: str) -> Any:
        return await self._answers.get(url)


class PriceList:
    """Prices by `region/size` (with `/spot` or `/windows` behind it) and `region/sku/size_gb`."""

    currency = "USD"

    def __init__(self, prices: Mapping[str, Any]) -> None:
        self._prices = prices

    async def machine_per_hour(self, region: str, size: str, *, spot: bool, windows: bool) -> Decimal | None:
        return self._price(f"{region}/{size}" + ("/spot" if spot else "") + ("/windows" if windows else ""))

    async def disk_per_month(self, region: str, sku: str, size_gb: int) -> Decimal | None:
        return self._price(f"{region}/{sku}/{size_gb}")

    async def defender_per_month(self, product: str, meter: str, regions: Collection[str]) -> Decimal | None:
        return self._price(f"{product}/{meter}")

    def _price(self, key: str) -> Decimal | None:
        if key not in self._prices:
            return None
        value = self._prices[key]
        if isinstance(value, Mapping):
            raise _ERRORS[value["error"]]
        return Decimal(str(value))


class FakeEyes:
    """`Eyes` over answers from a case file: arm, graph, partner_center, blobs, prices, vaults, own."""

    def __init__(self, answers: Mapping[str, Any], *, now: datetime, subscription_id: str) -> None:
        self.arm: Any = Answers(answers.get("arm", {}), subscription_id)
        self.graph: Any = Answers(answers.get("graph", {}))
        self.partner_center: Any = Answers(answers.get("partner_center", {}))
        self.blobs: Any = Blobs(answers.get("blobs", {}))
        self.prices: Any = PriceList(answers.get("prices", {}))
        self.vaults: Any = Answers(answers.get("vaults", {}))
        self._own = tuple(answers.get("own", ()))
        self._now = now

    def now(self) -> datetime:
        return self._now

    async def own_principal_ids(self) -> tuple[str, ...]:
        return self._own
