"""Graph's errors: `{"error": {"code", "message", "innerError": {"date", "request-id", "client-request-id"}}}`; the envelope adds the ids.

Which service behind Graph refuses decides the code: the directory, the reporting API, Identity Protection, the policies, the authentication
methods and Privileged Identity Management each have their own for the same reason.
"""

from __future__ import annotations

import json

from azure_simulator.http import ArmError


class GraphBadRequestError(ArmError):
    """400: a filter, option or body that Graph does not take."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class UnsupportedQueryError(ArmError):
    """400: a query that the directory does not answer, among them advanced ones without `ConsistencyLevel: eventual`."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "Request_UnsupportedQuery", message)


class GraphNotFoundError(ArmError):
    """404: no such object in this tenant, or no such path."""

    def __init__(self, what: str) -> None:
        super().__init__(
            404,
            "Request_ResourceNotFound",
            f"Resource '{what}' does not exist or one of its queried reference-property objects are not present.",
        )


class GraphConflictError(ArmError):
    """409: there is one like it already."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "Request_MultipleObjectsWithSameKeyValue", message)


class DeniedError(ArmError):
    """403: the caller's tenant or role does not allow it."""

    def __init__(self) -> None:
        super().__init__(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


class ReportDeniedError(ArmError):
    """403 of the reporting API: the app was not granted the permission."""

    def __init__(self, permissions: str) -> None:
        super().__init__(
            403,
            "Authentication_MSGraphPermissionMissing",
            f"Calling principal does not have required MSGraph permissions {permissions}",
        )


class ReportRoleError(ArmError):
    """403 of the reporting API: the signed-in person has no role that may read reports."""

    def __init__(self) -> None:
        super().__init__(403, "Authentication_RequestFromUnsupportedUserRole", "User is not in the allowed roles")


class ReportLicenceError(ArmError):
    """403 of the reporting API: the tenant has neither P1 nor P2."""

    def __init__(self) -> None:
        super().__init__(
            403,
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
            "Neither tenant is B2C or tenant doesn't have premium license",
        )


class ScopeMissingError(ArmError):
    """403 of Identity Protection (`Forbidden`) and of the policies (`AccessDenied`)."""

    def __init__(self, code: str) -> None:
        super().__init__(
            403, code, "You cannot perform the requested operation, required scopes are missing in the token."
        )


class UnlicensedError(ArmError):
    """403 of Identity Protection: the tenant has not bought it."""

    def __init__(self) -> None:
        super().__init__(403, "Forbidden", "Your tenant is not licensed for this feature.")


class MethodsDeniedError(ArmError):
    """403 of the authentication methods."""

    def __init__(self) -> None:
        super().__init__(403, "accessDenied", "Request Authorization failed")


class ScheduleDeniedError(ArmError):
    """403 of Privileged Identity Management, which puts its own error as JSON into the message."""

    def __init__(self, permissions: str) -> None:
        inner = {
            "errorCode": "PermissionScopeNotGranted",
            "message": f"Authorization failed due to missing permission scope {permissions}.",
            "instanceAnnotations": [],
        }
        super().__init__(403, "UnknownError", json.dumps(inner, separators=(",", ":")))


class ScheduleLicenceError(ArmError):
    """400 of Privileged Identity Management: the tenant has neither P2 nor Governance."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "AadPremiumLicenseRequired",
            "The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.",
        )


class TooManyRequestsError(ArmError):
    """429; `retry_after` in seconds is left out where the service does not tell."""

    def __init__(self, retry_after: int = 0) -> None:
        headers = {"Retry-After": str(retry_after)} if retry_after else {}
        super().__init__(429, "TooManyRequests", "Too many requests.", headers=headers)


class StaleAlertError(ArmError):
    """412: If-Match is not the alert's current ETag."""

    def __init__(self) -> None:
        super().__init__(412, "PreconditionFailed", "The If-Match header does not match the current ETag of the alert.")
