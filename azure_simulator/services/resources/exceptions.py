"""Errors of resource groups and generic resources."""

from __future__ import annotations

from azure_simulator import arm
from azure_simulator.http import ArmError


class ResourceGroupNotFoundError(ArmError):
    """404: no such group."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


class ResourceNotFoundError(ArmError):
    """404: no such resource."""

    def __init__(self, resource_id: str) -> None:
        aim = arm.target(resource_id)
        super().__init__(
            404,
            "ResourceNotFound",
            f"The Resource '{aim.kind}/{aim.name}' under resource group '{aim.group}' was not found. For more details please go to "
            "https://aka.ms/ARMResourceNotFoundFix",
        )


class InvalidFilterError(ArmError):
    """400: a `$filter` outside the documented grammar."""

    def __init__(self, text: str) -> None:
        super().__init__(400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string.")


class LocationRequiredError(ArmError):
    """400: a new tracked resource or group without a location."""

    def __init__(self) -> None:
        super().__init__(400, "LocationRequired", "The location property is required for this definition.")
