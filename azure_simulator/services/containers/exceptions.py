"""The error codes of the other compute services."""

from __future__ import annotations

from azure_simulator.http import ArmError


class ClusterStateError(ArmError):
    """409: the cluster's state does not allow the operation."""

    def __init__(self, name: str, state: str, verb: str) -> None:
        super().__init__(
            409,
            "OperationNotAllowed",
            f"Operation is not allowed: managed cluster '{name}' is {state}; {verb} needs the other state.",
        )


class ComputeStateError(ArmError):
    """400: a Machine Learning compute that cannot be stopped or started."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(
            400,
            "UserError",
            f"Compute '{name}' of type {kind} does not support this operation; only ComputeInstance does.",
        )


class PoolBeingResizedError(ArmError):
    """409: a pool's size cannot be changed while a change of it is under way."""

    def __init__(self, name: str) -> None:
        super().__init__(409, "PoolBeingResized", f"The specified pool '{name}' is being resized.")


class PlanInUseError(ArmError):
    """409: an App Service plan with apps on it cannot be deleted."""

    def __init__(self, name: str) -> None:
        super().__init__(
            409, "Conflict", f"Server farm '{name}' cannot be deleted because it has web app(s) assigned to it."
        )


class PlanNotFoundError(ArmError):
    """404: an app is to run on a plan that is not there."""

    def __init__(self, plan: str) -> None:
        super().__init__(404, "NotFound", f"Cannot find serverfarm with id {plan}.")


class InvalidScaleError(ArmError):
    """400: scale settings that cannot be read."""

    def __init__(self, target: str) -> None:
        super().__init__(400, "InvalidRequestBody", f"The value of '{target}' is invalid.", target=target)
