"""What the token endpoint refuses with, in Entra's shape and numbers."""

from __future__ import annotations

from azure_simulator.clock import stamp
from azure_simulator.http import ArmError
from azure_simulator.world import Document, World

_TEXTS = {
    7000215: (
        401,
        "invalid_client",
        (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            "not the client secret ID, for a secret added to app '{0}'."
        ),
    ),
    7000216: (
        401,
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    700027: (401, "invalid_client", "Client assertion failed signature validation."),
    700016: (
        400,
        "unauthorized_client",
        (
            "Application with identifier '{0}' was not found in the directory '{1}'. This can happen if the application has not "
            "been installed by the administrator of the tenant or consented to by any user in the tenant."
        ),
    ),
    90002: (400, "invalid_request", "Tenant '{0}' not found. Check to make sure you have the correct tenant ID."),
    7000112: (400, "unauthorized_client", "Application '{0}' is disabled."),
    50057: (400, "invalid_grant", "The user account is disabled."),
    50173: (
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    ),
    9002313: (
        400,
        "invalid_grant",
        "Invalid request. Request is malformed or invalid: the refresh token is not known.",
    ),
    50076: (
        400,
        "invalid_grant",
        "Due to a configuration change made by your administrator, you must use multi-factor authentication to access '{0}'.",
    ),
    50020: (
        400,
        "invalid_grant",
        (
            "User account '{1}' from identity provider '{2}' does not exist in tenant '{0}' and cannot access the application in that "
            "tenant. The account needs to be added as an external user in the tenant first."
        ),
    ),
    50079: (
        400,
        "invalid_grant",
        (
            "Due to a configuration change made by your administrator, or because you moved to a new location, you must enroll in "
            "multi-factor authentication to access '{0}'."
        ),
    ),
    50158: (
        400,
        "invalid_grant",
        "External security challenge not satisfied. User will be redirected to another page.",
    ),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies."),
    65001: (
        400,
        "invalid_grant",
        (
            "The user or administrator has not consented to use the application with ID '{3}'. Send an interactive authorization "
            "request for this user and resource."
        ),
    ),
    700007: (400, "invalid_grant", "The grant was issued for a different client id."),
    700082: (
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued on {0} and was inactive for {1}.",
    ),
    70008: (400, "invalid_grant", "The provided authorization code or refresh token has expired due to inactivity."),
    70016: (
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    54005: (
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code.",
    ),
    501481: (
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{0}'."),
}

SIGN_IN_REFUSALS = (50020, 50076, 50079, 50158, 53003, 65001)  # what `World.refused_sign_ins` may name


class SignInRefusedError(ArmError):
    """An `AADSTS...` refusal; `number` is Entra's own."""

    def __init__(self, world: World, number: int, *values: str) -> None:
        status, error, text = _TEXTS[number]
        chance = world.memory.setdefault("request_chance", world.chance.child("requests"))
        now = world.clock.now()
        self.number = number
        trace, correlation = chance.guid(), chance.guid()
        moment = now.strftime("%Y-%m-%d %H:%M:%SZ")
        message = f"AADSTS{number}: {text.format(*values)} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {moment}"
        super().__init__(status, error, message)
        self._document: Document = {
            "error": error,
            "error_description": message,
            "error_codes": [number],
            "timestamp": moment,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"{world.base_url}/error?code={number}",
        }

    def body(self) -> Document:
        return self._document


class TokenRefusedError(ArmError):
    """401 on a bearer token. `challenge` adds the claims challenge by which clients ask for a fresh token at once."""

    def __init__(self, world: World, code: str, message: str, *, challenge: bool = False) -> None:
        import base64
        import json

        value = f'Bearer authorization_uri="{world.base_url}/{world.tenant_id}", error="invalid_token", error_description="{message}"'
        if challenge:
            claims = {"access_token": {"nbf": {"essential": True, "value": stamp(world.clock.now())}}}
            encoded = base64.b64encode(json.dumps(claims).encode()).decode()
            value = (
                f'Bearer realm="", authorization_uri="{world.base_url}/common/oauth2/authorize", '
                f'error="insufficient_claims", claims="{encoded}"'
            )
        super().__init__(401, code, message, headers={"WWW-Authenticate": value})
