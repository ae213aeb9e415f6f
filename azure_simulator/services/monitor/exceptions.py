"""The error codes of Microsoft.Insights."""

from __future__ import annotations

from azure_simulator.http import ArmError


class InvalidSettingError(ArmError):
    """400: an autoscale setting without what it needs."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class SettingNotFoundError(ArmError):
    """404: no such diagnostic setting."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "ResourceNotFound", f"The resource diagnosticSettings/{name} was not found.")
