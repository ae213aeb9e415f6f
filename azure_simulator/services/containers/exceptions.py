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


class InvalidScaleError(ArmError):
    """400: scale settings that cannot be read."""

    def __init__(self, target: str) -> None:
        super().__init__(400, "InvalidRequestBody", f"The value of '{target}' is invalid.", target=target)
