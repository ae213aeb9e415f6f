"""Graph's errors: `{"error": {"code", "message", "innerError": {"date", "request-id", "client-request-id"}}}`; the envelope adds the ids."""

from __future__ import annotations

from azure_simulator.http import ArmError


class GraphBadRequestError(ArmError):
    """400: a filter, option or body that Graph does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class GraphNotFoundError(ArmError):
    """404: no such object in this tenant, or no such path."""

    def __init__(self, what: str) -> None:
        super().__init__(
            404,
            "Request_ResourceNotFound",
            f"Resource '{what}' does not exist or one of its queried reference-property objects are not present.",
        )


class DeniedError(ArmError):
    """403: the caller's tenant or role does not allow it."""

    def __init__(self) -> None:
        super().__init__(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


class StaleAlertError(ArmError):
    """412: If-Match is not the alert's current ETag."""

    def __init__(self) -> None:
        super().__init__(412, "PreconditionFailed", "The If-Match header does not match the current ETag of the alert.")
