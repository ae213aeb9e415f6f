"""Errors of the activity log, which have a shape of their own."""

from __future__ import annotations

from azure_simulator.http import ArmError
from azure_simulator.world import Document


class BadLogQueryError(ArmError):
    """400 in the log's shape, `Code` and `Message` with capitals."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)

    def body(self) -> Document:
        return {"Code": self.code, "Message": self.message}
