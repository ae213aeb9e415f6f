"""Answers of Graph: the authentication methods of a person, and the report on who registered what."""

from __future__ import annotations

from azure_simulator.http import Handler, Request, Response
from azure_simulator.services.graph import directory, methods
from azure_simulator.services.graph.envelope import Collection, bad_request, context, listed, one, tenant_of
from azure_simulator.services.graph.exceptions import GraphNotFoundError
from azure_simulator.world import World

_TRUTHS = (
    "isAdmin",
    "isMfaCapable",
    "isMfaRegistered",
    "isPasswordlessCapable",
    "isSsprCapable",
    "isSsprEnabled",
    "isSsprRegistered",
    "isSystemPreferredAuthenticationMethodEnabled",
)
REGISTRATION = Collection(
    "reports/authenticationMethods/userRegistrationDetails",
    {
        **dict.fromkeys(_TRUTHS, "eq"),
        "id": "eq",
        "userPrincipalName": "eq startswith",
        "userDisplayName": "eq startswith",
        "userType": "eq",
        "methodsRegistered": "eq",
        "userPreferredMethodForSecondaryAuthentication": "eq",
    },
    page=1000,
    largest=1000,
    cut=True,
    order=("userPrincipalName", "userDisplayName"),
    refusal=bad_request,
)


def list_methods(world: World, request: Request) -> Response:
    """GET /users/{id}/authentication/methods: takes no query options and has no pages."""
    user = directory.find(world, request, "User", request.params["id"])
    path = f"users('{user.object_id}')/authentication/methods"
    found = [methods.shown(row) for row in methods.of(world, user)]
    return Response(200, {"@odata.context": context(world, request, path), "value": found})


def list_kind(collection: str) -> Handler:
    """GET one kind of methods, such as /authentication/phoneMethods; there the type is not told."""

    def answer(world: World, request: Request) -> Response:
        user = directory.find(world, request, "User", request.params["id"])
        found = [
            {key: value for key, value in methods.shown(row).items() if key != "@odata.type"}
            for row in methods.of(world, user)
            if row["@odata.type"] == methods.KINDS[collection]
        ]
        path = f"users('{user.object_id}')/authentication/{collection}"
        return Response(200, {"@odata.context": context(world, request, path), "value": found})

    return answer


def list_registrations(world: World, request: Request) -> Response:
    tenant = tenant_of(world, request)
    found = [methods.registration(world, user, tenant) for user in directory.principals(world, request, "User")]
    return listed(world, request, found, REGISTRATION)


def get_registration(world: World, request: Request) -> Response:
    user = directory.find(world, request, "User", request.params["id"])
    if user.object_id.lower() != request.params["id"].lower():
        raise GraphNotFoundError(request.params["id"])
    return one(world, request, methods.registration(world, user, tenant_of(world, request)), REGISTRATION.path)
