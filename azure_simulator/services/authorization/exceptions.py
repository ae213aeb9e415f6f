"""Errors of access control."""

from __future__ import annotations

from azure_simulator.http import ArmError
from azure_simulator.world import Document, Principal


class AuthorizationFailedError(ArmError):
    """403: the caller's roles do not allow the action at the scope."""

    def __init__(self, principal: Principal, action: str, scope: str) -> None:
        client = principal.upn or principal.app_id or principal.object_id
        super().__init__(
            403,
            "AuthorizationFailed",
            f"The client '{client}' with object id '{principal.object_id}' does not have authorization to perform action "
            f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        )


class DeniedByAssignmentError(ArmError):
    """403: a deny assignment forbids what the caller's roles allow."""

    def __init__(self, principal: Principal, action: str, scope: str, denial: Document) -> None:
        client = principal.upn or principal.app_id or principal.object_id
        properties = denial["properties"]
        super().__init__(
            403,
            "DenyAssignmentAuthorizationFailed",
            f"The client '{client}' with object id '{principal.object_id}' has permission to perform action '{action}' on scope '{scope}'; "
            f"however, the access is denied because of the deny assignment with name '{properties['denyAssignmentName']}' and Id "
            f"'{denial['id'].rsplit('/', 1)[-1].replace('-', '')}' at scope '{properties['scope']}'.",
        )


class RoleAssignmentExistsError(ArmError):
    """409: the same role, principal and scope."""

    def __init__(self, existing: str) -> None:
        super().__init__(
            409,
            "RoleAssignmentExists",
            f"The role assignment already exists. The ID of the existing role assignment is {existing.replace('-', '')}.",
        )


class RoleAssignmentNotFoundError(ArmError):
    """404 on reading an assignment."""

    def __init__(self, name: str) -> None:
        super().__init__(404, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found.")


class RoleDefinitionMissingError(ArmError):
    """404 on reading a definition, 400 on assigning one."""

    def __init__(self, name: str, *, status: int = 404) -> None:
        super().__init__(
            status, "RoleDefinitionDoesNotExist", f"The specified role definition with ID '{name}' does not exist."
        )


class PrincipalNotFoundError(ArmError):
    """400: no such principal in the directory."""

    def __init__(self, object_id: str, tenant_id: str) -> None:
        super().__init__(
            400,
            "PrincipalNotFound",
            f"Principal {object_id} does not exist in the directory {tenant_id}. Check that you have the correct principal ID.",
        )
