"""Routes of Graph, below /graph. Everything else there is answered 404 in Graph's shape."""

from __future__ import annotations

from azure_simulator.http import Handler, Route, route
from azure_simulator.services.graph import responses
from azure_simulator.services.graph.envelope import answered, not_found
from azure_simulator.services.graph.exceptions import GraphNotFoundError

ALERTS = "/graph/beta/security/partner/securityAlerts"


def _route(method: str, path: str, handler: Handler) -> Route:
    return route(method, path, answered(handler), kind="graph")


def _directory(version: str) -> list[Route]:
    base = f"/graph/{version}"
    app = f"{base}/servicePrincipals/{{id}}"
    return [
        _route("POST", f"{base}/directoryObjects/getByIds", responses.get_by_ids),
        _route("GET", f"{base}/directoryObjects/{{id}}", responses.get_directory_object),
        _route("GET", f"{base}/users", responses.list_users),
        _route("GET", f"{base}/users/{{id}}", responses.get_user),
        _route("PATCH", f"{base}/users/{{id}}", responses.patch_user),
        _route("POST", f"{base}/users/{{id}}/revokeSignInSessions", responses.revoke_sessions),
        _route("GET", f"{base}/servicePrincipals", responses.list_service_principals),
        _route("GET", app, responses.get_service_principal),
        _route("PATCH", app, responses.patch_service_principal),
        _route("POST", f"{app}/removePassword", responses.remove_password),
        _route("GET", f"{base}/me", responses.me),
        _route("GET", f"{base}/groups/{{id}}/members", responses.list_members),
        _route("GET", f"{base}/organization", responses.organization),
    ]


ROUTES: list[Route] = [
    _route("GET", ALERTS, responses.list_alerts),
    _route("GET", f"{ALERTS}/{{id}}", responses.get_alert),
    _route("PATCH", f"{ALERTS}/{{id}}", responses.patch_alert),
    *_directory("v1.0"),
    *_directory("beta"),
    *(
        _route(method, "/graph/{path...}", not_found(GraphNotFoundError))
        for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
    ),
]
