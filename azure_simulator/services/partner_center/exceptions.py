"""Partner Center's own errors: string codes of digits, and another body for throttling."""

from __future__ import annotations

from azure_simulator.http import ArmError
from azure_simulator.world import Document


class PartnerError(ArmError):
    """`{"code", "description", "data", "source"}`."""

    def body(self) -> Document:
        return {"code": self.code, "description": self.message, "data": [], "source": "PartnerFD"}


class InvalidReasonError(PartnerError):
    """400 900307."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, "900307", f"Cancellation reason '{reason}' is invalid.")


class BadRequestError(PartnerError):
    """400 800002: an id is no GUID, or the body is missing."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "800002", message)


class NoRelationshipError(PartnerError):
    """403 900159: the customer is not this partner's."""

    def __init__(self, customer: str) -> None:
        super().__init__(
            403, "900159", f"There is no commerce relationship between the partner and customer '{customer}'."
        )


class SubscriptionMissingError(PartnerError):
    """404 800005."""

    def __init__(self, subscription: str) -> None:
        super().__init__(404, "800005", f"Subscription '{subscription}' was not found.")


class EntitlementMissingError(PartnerError):
    """404 800111."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(404, "800111", f"Azure entitlement '{entitlement}' was not found.")


class PendingError(PartnerError):
    """409 900278: the last change of this entitlement is not through yet."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(409, "900278", f"Azure entitlement '{entitlement}' has a pending operation. Try again later.")


class StaleEtagError(PartnerError):
    """400 2055."""

    def __init__(self) -> None:
        super().__init__(400, "2055", "The ETag of the resource does not match. Read the resource and send its ETag.")


class PlanInUseError(PartnerError):
    """403 900115: an Azure plan is not suspended while an Azure subscription below it is active."""

    def __init__(self) -> None:
        super().__init__(403, "900115", "The Azure plan cannot be suspended while it has active Azure subscriptions.")


class SuspendedError(PartnerError):
    """400 800091."""

    def __init__(self) -> None:
        super().__init__(400, "800091", "A suspended subscription cannot be updated.")


class AppOnlyError(PartnerError):
    """403 900329: the call needs an App+User token."""

    def __init__(self) -> None:
        super().__init__(403, "900329", "The operation does not accept app-only tokens.")


class WrongTenantError(PartnerError):
    """403 900308: the caller signed in to another tenant than the partner's, or lacks the role."""

    def __init__(self) -> None:
        super().__init__(403, "900308", "The caller does not have the partner role that the operation requires.")


class MissingMfaError(PartnerError):
    """401 900421: no second factor stands behind the user's token."""

    def __init__(self) -> None:
        super().__init__(401, "900421", "MFA is required for the App+User token.")


class RetiredAudienceError(PartnerError):
    """401 900420."""

    def __init__(self) -> None:
        super().__init__(401, "900420", "Tokens of the audience https://graph.windows.net are no longer accepted.")


class MissingRegistrationError(PartnerError):
    """404: no webhook is registered."""

    def __init__(self) -> None:
        super().__init__(404, "600030", "No webhook registration was found for this partner.")


class RegistrationExistsError(PartnerError):
    """409: a partner has one registration; PUT replaces it."""

    def __init__(self) -> None:
        super().__init__(409, "600031", "A webhook registration exists already for this partner.")
