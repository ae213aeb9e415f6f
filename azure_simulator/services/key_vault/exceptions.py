"""The error codes of the vault provider, and of a vault itself."""

from __future__ import annotations

from azure_simulator.http import ArmError


class VaultNameTakenError(ArmError):
    """409: the name belongs to a vault elsewhere, or to one that was deleted and not purged."""

    def __init__(self, name: str, *, deleted: bool) -> None:
        text = (
            f"A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. "
            f"Vault name: {name}."
            if deleted
            else f"The vault name '{name}' is already in use. Vault names are globally unique so it is possible that the name is already taken."
        )
        super().__init__(409, "ConflictError" if deleted else "VaultAlreadyExists", text)


class VaultNameInvalidError(ArmError):
    """400: not 3 to 24 letters, digits and dashes that begin with a letter."""

    def __init__(self, name: str) -> None:
        super().__init__(
            400,
            "VaultNameNotValid",
            f"The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, "
            "end with a letter or digit, and not contain consecutive hyphens.",
        )


class BadVaultRequestError(ArmError):
    """400: a body without what it needs."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class DeletedVaultNotFoundError(ArmError):
    """404: no deleted vault of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "DeletedVaultNotFound", f"The specified deleted vault '{name}' does not exist.")


class SecretError(Exception):
    """A refusal of the vault itself: `{"error": {"code", "message", "innererror"?}}`."""

    def __init__(self, status: int, code: str, message: str, inner: str = "") -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message, self.inner = status, code, message, inner
