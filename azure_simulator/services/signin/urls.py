"""Routes of sign-in."""

from __future__ import annotations

from azure_simulator.http import Route, route
from azure_simulator.services.signin import consents, responses

ROUTES: list[Route] = [
    route("GET", "/metadata/endpoints", responses.metadata, kind="login"),
    route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", responses.openid_configuration, kind="login"),
    route("GET", "/{tenant}/.well-known/openid-configuration", responses.openid_configuration, kind="login"),
    route("GET", "/{tenant}/discovery/v2.0/keys", responses.keys, kind="login"),
    route("GET", "/{tenant}/discovery/keys", responses.keys, kind="login"),
    route("GET", "/{tenant}/oauth2/v2.0/authorize", consents.authorize, kind="login"),
    route("POST", "/{tenant}/oauth2/v2.0/authorize", consents.authorize, kind="login"),
    route("POST", "/{tenant}/oauth2/v2.0/devicecode", consents.device_code, kind="login"),
    route("GET", "/devicelogin", consents.device_login, kind="login"),
    route("POST", "/devicelogin", consents.device_login, kind="login"),
    route("POST", "/{tenant}/oauth2/v2.0/token", responses.token, kind="login"),
    route("POST", "/{tenant}/oauth2/token", responses.token, kind="login"),
]
