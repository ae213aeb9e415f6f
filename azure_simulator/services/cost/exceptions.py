"""What Cost Management refuses, in its own words."""

from __future__ import annotations

from azure_simulator.http import ArmError


class BadQueryError(ArmError):
    """400: the query definition is wrong; the message names the part and, where it can, the valid values."""

    def __init__(self, what: str) -> None:
        super().__init__(400, "BadRequest", f"Invalid query definition: {what}")


class TooManyQueriesError(ArmError):
    """429 without the standard Retry-After: the wait stands in Cost Management's own header, in seconds."""

    def __init__(self, wait_seconds: int, remaining: str) -> None:
        prefix = "x-ms-ratelimit-microsoft.costmanagement-qpu"
        super().__init__(
            429,
            "429",
            "Too many requests. Please retry.",
            headers={f"{prefix}-retry-after": str(wait_seconds), f"{prefix}-remaining": remaining},
        )


class CostHiddenError(ArmError):
    """403: the partner has not opened the cost view to this customer's subscription."""

    def __init__(self) -> None:
        super().__init__(
            403,
            "IndirectCostDisabled",
            "Access to cost data has been disabled. Please contact your partner to enable the cost visibility policy.",
        )


class NotFoundError(ArmError):
    """404: no such alert or scheduled action."""

    def __init__(self, what: str) -> None:
        super().__init__(404, "NotFound", f"{what} was not found.")
