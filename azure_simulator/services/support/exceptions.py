"""Support refuses in an envelope of its own: `{"Error": {"Code", "Message", "Target", "InnerError", "Details"}}`."""

from __future__ import annotations

from azure_simulator.http import ArmError
from azure_simulator.world import Document


class SupportError(ArmError):
    """The base: capitalised keys. `details` are (code, message, target) of each wrong field."""

    def __init__(
        self, status: int, code: str, message: str, target: str = "", details: list[tuple[str, str, str]] | None = None
    ) -> None:
        super().__init__(status, code, message)
        self.target = target
        self.details = details or []

    def body(self) -> Document:
        return {
            "Error": {
                "Code": self.code,
                "Message": self.message,
                "Target": self.target or None,
                "InnerError": None,
                "Details": [{"Code": c, "Message": m, "Target": t} for c, m, t in self.details],
            }
        }


class InvalidTicketError(SupportError):
    """400: required fields are missing or values unknown; every one of them is listed."""

    def __init__(self, details: list[tuple[str, str, str]]) -> None:
        super().__init__(400, "InvalidParameters", details[0][1], details[0][2], details)


class SupportNotFoundError(SupportError):
    """404: no such service, classification, ticket or communication."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(404, "ResourceNotFound", f"{what} '{name}' was not found.", what)


class NameTakenError(SupportError):
    """409: a ticket or communication of that name exists; names are never used twice."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(409, "ResourceAlreadyExists", f"{what} with name '{name}' already exists.", "name")
