"""What the price API refuses; its error envelope has capitals."""

from __future__ import annotations

from azure_simulator.http import ArmError
from azure_simulator.world import Document


class BadPriceQueryError(ArmError):
    """400: the filter or the currency cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)

    def body(self) -> Document:
        return {"Error": {"Code": self.code, "Message": self.message}}
