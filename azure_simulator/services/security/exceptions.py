"""What Defender for Cloud and the subscription API refuse."""

from __future__ import annotations

from azure_simulator.http import ArmError


class SecurityNotFoundError(ArmError):
    """404: no such plan, alert or contact."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(404, "ResourceNotFound", f"{what} '{name}' was not found.")


class BadSecurityRequestError(ArmError):
    """400: a value is missing or unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidInputJson", message)


class BadSubscriptionRequestError(ArmError):
    """400 of Microsoft.Subscription."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "BadRequest", message)


class SubscriptionHasResourcesError(ArmError):
    """409: a subscription with resources is cancelled only with IgnoreResourceCheck=true (how the service answers is assumed)."""

    def __init__(self, count: int) -> None:
        super().__init__(
            409,
            "SubscriptionHasActiveResources",
            f"The subscription cannot be canceled because it has {count} active resources. Delete them, or send "
            "IgnoreResourceCheck=true.",
        )
