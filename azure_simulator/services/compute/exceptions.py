"""The error codes of the compute side, with Azure's messages."""

from __future__ import annotations

from azure_simulator.http import ArmError


class ResourceNotFoundError(ArmError):
    """404: the group exists, the resource does not."""

    def __init__(self, kind: str, name: str, group: str) -> None:
        super().__init__(
            404,
            "ResourceNotFound",
            f"The Resource '{kind}/{name}' under resource group '{group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )


class ParentResourceNotFoundError(ArmError):
    """404: a child of something that does not exist."""

    def __init__(self, parent: str) -> None:
        super().__init__(
            404,
            "ParentResourceNotFound",
            f"Failed to perform operation because the parent resource '{parent}' could not be found.",
        )


class ResourceGroupNotFoundError(ArmError):
    """404: the group does not exist."""

    def __init__(self, group: str) -> None:
        super().__init__(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")


class LocationRequiredError(ArmError):
    """400: a tracked resource without a location."""

    def __init__(self) -> None:
        super().__init__(400, "LocationRequired", "The location property is required for this definition.")


class InvalidLocationChangeError(ArmError):
    """409: the name is taken in another region."""

    def __init__(self, name: str, location: str, kind: str, group: str) -> None:
        super().__init__(
            409,
            "InvalidResourceLocation",
            f"The resource '{name}' already exists in location '{location}' in resource group '{group}'. A resource with the same "
            f"name cannot be created in another location. Please select a new resource name. (type '{kind}')",
        )


class InvalidRequestContentError(ArmError):
    """400: a part of the body has the wrong type."""

    def __init__(self, place: str, wanted: str) -> None:
        super().__init__(
            400,
            "InvalidRequestContent",
            f"The request content was invalid and could not be deserialized: '{place}' must be {wanted}.",
        )


class InvalidParameterError(ArmError):
    """400: a value that the service does not take; `target` names the field."""

    def __init__(self, message: str, target: str) -> None:
        super().__init__(400, "InvalidParameter", message, target=target)


class OperationNotAllowedError(ArmError):
    """409: the state does not allow it (quota, attached disk, stopped machine)."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "OperationNotAllowed", message)


class ConflictError(ArmError):
    """409: another operation runs on the same resource. Without Retry-After: SDKs would repeat it by themselves."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "Conflict",
            "The request failed due to conflict with a concurrent request. To resolve it, please refer to "
            "https://aka.ms/activitylog to get more details on the conflicting requests.",
        )


class ThrottledError(ArmError):
    """429 of the compute provider, with Retry-After."""

    def __init__(self, policy: str, retry_after: int) -> None:
        super().__init__(
            429,
            "OperationNotAllowed",
            "The server rejected the request because too many requests have been received for this subscription.",
            headers={"Retry-After": str(retry_after)},
            details=[
                {
                    "code": "TooManyRequests",
                    "target": policy,
                    "message": f'{{"operationGroup":"{policy}","measuredRequestCount":null,"retryAfter":{retry_after}}}',
                }
            ],
        )


def preempted() -> dict[str, str]:
    """The error document of an operation that a later one overtook."""
    return {
        "code": "OperationPreempted",
        "message": "Operation execution has been preempted by a more recent operation.",
    }


class NoComputeInRegionError(ArmError):
    """400: the place is a group of regions, or none at all."""

    def __init__(self, region: str, kind: str, version: str) -> None:
        super().__init__(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{region}' and API version '{version}' for type '{kind}'.",
        )
