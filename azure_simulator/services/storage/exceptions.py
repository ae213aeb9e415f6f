"""The error codes of the storage provider and, in XML, of the blob service."""

from __future__ import annotations

from azure_simulator.http import ArmError


class AccountNameTakenError(ArmError):
    """409: the name is in use elsewhere in the cloud."""

    def __init__(self, name: str) -> None:
        super().__init__(409, "StorageAccountAlreadyTaken", f"The storage account named {name} is already taken.")


class AccountNameInvalidError(ArmError):
    """400: not 3 to 24 lower-case letters and digits."""

    def __init__(self, name: str) -> None:
        super().__init__(
            400,
            "AccountNameInvalid",
            f"{name} is not a valid storage account name. Storage account name must be between 3 and 24 characters in length and "
            "use numbers and lower-case letters only.",
        )


class AccountHasLeasedBlobsError(ArmError):
    """409: machines use disks in the account."""

    def __init__(self, name: str) -> None:
        super().__init__(
            409,
            "StorageAccountOperationInProgress",
            f"The storage account {name} has some active image(s) and/or disk(s), and cannot be deleted.",
        )


class KeyNameInvalidError(ArmError):
    """400: a key that an account does not have, or a body without what it needs."""

    def __init__(self) -> None:
        super().__init__(
            400, "InvalidValuesForRequestParameters", "Values for request parameters are invalid: keyName."
        )


class BlobError(Exception):
    """A refusal of the blob service; `data_plane` answers it in XML."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message = status, code, message
