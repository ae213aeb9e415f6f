"""What the events API refuses."""

from __future__ import annotations

from azure_simulator.http import ArmError


class InvalidEventQueryError(ArmError):
    """400: a start that is no date, or a filter that is none."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class EventNotFoundError(ArmError):
    """404."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "EventNotFound", f"The event '{name}' was not found.")
