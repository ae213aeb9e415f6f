"""What the budget API refuses."""

from __future__ import annotations

from azure_simulator.http import ArmError


class BadBudgetError(ArmError):
    """400: a field is missing or out of range."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class BudgetNotFoundError(ArmError):
    """404."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "NotFound", f"The budget '{name}' was not found.")


class StaleBudgetError(ArmError):
    """412: the eTag sent is not the budget's current one."""

    def __init__(self, name: str) -> None:
        super().__init__(
            412, "PreconditionFailed", f"The eTag of budget '{name}' is not current. Read the budget and send its eTag."
        )
