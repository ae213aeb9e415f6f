"""What Microsoft.Quota refuses at once; what it refuses later stands in the request's final state."""

from __future__ import annotations

from azure_simulator.http import ArmError


class InvalidQuotaRequestError(ArmError):
    """400: the body is not a limit, or does not fit the path."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidQuotaRequest", message)


class InvalidQuotaNameError(ArmError):
    """400: no such family in that region."""

    def __init__(self, name: str) -> None:
        super().__init__(400, "InvalidResourceName", f"The resource name '{name}' is not a quota of this location.")


class QuotaRequestNotFoundError(ArmError):
    """404."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "QuotaRequestNotFound", f"The quota request '{name}' was not found.")
