"""What Azure does to every request, in order: route, faults, sign-in, api-version, throttling, registration, subscription state, RBAC,
locks, policy; then the service's handler; then the activity log. `serve` raises `ArmError`; `azure_simulator.app` turns it into an answer.
"""

from __future__ import annotations

import re
from typing import Any

from azure_simulator import activity, arm, throttle
from azure_simulator.http import ArmError, Request, Response, Route
from azure_simulator.services.authorization import models as authorization
from azure_simulator.services.authorization.exceptions import AuthorizationFailedError, DeniedByAssignmentError
from azure_simulator.services.locks import models as locks
from azure_simulator.services.policy import models as policy
from azure_simulator.services.providers import models as providers
from azure_simulator.services.signin import models as signin
from azure_simulator.services.signin.exceptions import TokenRefusedError
from azure_simulator.world import Document, LongRunning, World

ANONYMOUS = ("login", "prices", "blob", "vault")
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-[a-z0-9-]+)?", re.IGNORECASE)
_CATALOGUES = tuple(
    f"/providers/microsoft.authorization/{kind}/"
    for kind in ("policydefinitions", "policysetdefinitions", "roledefinitions")
)
_ROLES = "microsoft.authorization/roleassignments"  # the one type of its namespace that policies commonly deny
_NO_POLICY = ("microsoft.authorization", "microsoft.resources", "microsoft.support", "microsoft.quota")


def serve(
    world: World,
    request: Request,
    route: Route | None,
    path_known: bool,
    *,
    direct: bool = False,
    fail_operation: bool = False,
) -> tuple[Response, dict[str, str]]:
    """Answer a request and say what is left of its rate limit.

    `direct` calls come from simulated people: already signed in, without token, api-version and throttling.
    `fail_operation` makes the long-running operation that is started end as Failed.

    Raises:
        ArmError: the refusal.
    """
    kind = route.kind if route is not None else "arm"
    if route is not None and kind in ANONYMOUS:
        return route.handler(world, request), {}
    if not direct:
        request.principal, request.claims = signin.read_token(world, request.headers.get("authorization", ""))
    if kind != "arm" and route is not None:
        return route.handler(world, request), {}
    try:
        return _arm(world, request, route, path_known, direct=direct, fail_operation=fail_operation)
    finally:
        if request.method not in ("GET", "HEAD"):
            world.note_changes()


def _arm(
    world: World, request: Request, route: Route | None, path_known: bool, *, direct: bool, fail_operation: bool
) -> tuple[Response, dict[str, str]]:
    assert request.principal is not None
    aim = arm.target(request.path)
    left: dict[str, str] = {}
    if not direct:
        check_version(world, request, aim)
        _check_subscription(world, request, aim)
        left = throttle.charge(world, aim.subscription_id, request.principal.object_id, request.method)
    else:
        _check_subscription(world, request, aim)
    if route is None or (route.permission.startswith("{type}") and not aim.kind):
        raise _unknown(request, aim, path_known and route is None)
    permission = _permission(route, aim)
    _check_registration(world, aim)
    recorded = activity.is_recorded(request.method, permission)
    scope = arm.subject(request.path) if aim.collection or not aim.kind else request.path.rstrip("/")
    grant = authorization.grant_for(world, request.principal.object_id, permission, scope) if permission else None
    log = activity.Recorder(world, request, permission, grant.role if grant else "")
    if recorded:
        log.started()
    before = len(world.operations)
    try:
        if permission and grant is None and not _is_open(scope, permission):
            raise AuthorizationFailedError(request.principal, permission, scope)
        denial = authorization.denial_for(world, request.principal.object_id, permission, scope) if permission else None
        if denial is not None:
            raise DeniedByAssignmentError(request.principal, permission, scope, denial)
        _check_body(request)
        _check_state(world, request, aim, permission)
        if not permission.lower().startswith("microsoft.authorization/locks/") and not permission.lower().endswith(
            "/read"
        ):
            locks.check(world, request.method, scope)
        _check_policy(world, request, aim)
        response = route.handler(world, request)
    except ArmError as exc:
        if recorded:
            log.failed(exc)
        raise
    started = _newest(world, before)
    if started is not None and fail_operation and started.status == "InProgress":
        started.finish = lambda: {
            "code": "InternalExecutionError",
            "message": "An internal execution error occurred. Please retry later.",
        }
        started.result = None
    if recorded:
        log.ended(response)
        if started is not None and response.status in (200, 201, 202):
            if response.status != 202 and started.status == "InProgress":
                world.events[-1]["status"] = {"value": "Accepted", "localizedValue": "Accepted"}
            log.follow(started)
    return response, left


def _is_open(scope: str, permission: str) -> bool:
    """Tenant-level catalogues (role and policy definitions, support services) are readable by everybody who is signed in."""
    low = permission.lower()
    catalogue = scope == "/" or scope.lower().startswith(_CATALOGUES)
    return catalogue and low.endswith("/read") and low != "microsoft.authorization/roleassignments/read"


def check_version(world: World, request: Request, aim: arm.Target) -> None:
    """Require an api-version that is well-formed and not newer than the world's ceiling.

    Raises:
        ArmError: 400 MissingApiVersionParameter, InvalidApiVersionParameter or NoRegisteredProviderFound.
    """
    version = request.q("api-version")
    if not version:
        raise ArmError(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    if not _VERSION.fullmatch(version):
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions have the form YYYY-MM-DD or YYYY-MM-DD-preview, "
            f"up to '{world.api_version_ceiling}'.",
        )
    if version[:10] > world.api_version_ceiling:
        if aim.kind:
            raise ArmError(
                400,
                "NoRegisteredProviderFound",
                f"No registered resource provider found for location '' and API version '{version}' for type "
                f"'{aim.kind.split('/', 1)[1]}'. The supported api-versions are up to '{world.api_version_ceiling}'.",
            )
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are up to '{world.api_version_ceiling}'.",
        )


def _check_subscription(world: World, request: Request, aim: arm.Target) -> None:
    if not aim.subscription_id:
        return
    subscription = world.subscriptions.get(f"/subscriptions/{aim.subscription_id}")
    if subscription is None:
        raise ArmError(404, "SubscriptionNotFound", f"The subscription '{aim.subscription_id}' could not be found.")
    tenant, used = str(subscription.get("tenantId") or world.tenant_id), str(request.claims.get("tid") or "")
    managing = [str(row.get("tenantId")).lower() for row in subscription.get("managedByTenants") or ()]
    if used and used.lower() != tenant.lower() and used.lower() not in managing:
        raise TokenRefusedError(
            world,
            "InvalidAuthenticationTokenTenant",
            f"The access token is from the wrong issuer 'https://sts.windows.net/{used}/'. It must match the tenant "
            f"'https://sts.windows.net/{tenant}/' associated with this subscription.",
        )


def _check_registration(world: World, aim: arm.Target) -> None:
    if not aim.subscription_id or not aim.kind:
        return
    if aim.collection and aim.kind.lower().endswith(("/register", "/unregister")):
        return
    if not providers.is_registered(world, aim.subscription_id, aim.namespace):
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{aim.namespace}'. See https://aka.ms/rps-not-found for how to "
            "register subscriptions.",
            details=[
                {
                    "code": "MissingSubscriptionRegistration",
                    "target": aim.namespace,
                    "message": f"The subscription is not registered to use namespace '{aim.namespace}'.",
                }
            ],
        )


def _check_body(request: Request) -> None:
    """A body is a JSON object, and so are its `properties`."""
    if not request.body or request.method in ("GET", "HEAD", "DELETE"):
        return
    body = request.json()
    if not isinstance(body, dict) or not isinstance(body.get("properties") or {}, dict):
        raise ArmError(
            400,
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized: the body, and 'properties' in it, must be objects.",
        )


def _check_state(world: World, request: Request, aim: arm.Target, permission: str) -> None:
    if request.method in ("GET", "HEAD", "DELETE") or not aim.subscription_id or permission.lower().endswith("/read"):
        return
    if aim.namespace.lower() in ("microsoft.subscription", "microsoft.support", "microsoft.costmanagement"):
        return
    state = str(world.subscriptions[f"/subscriptions/{aim.subscription_id}"].get("state", "Enabled"))
    if state in ("Disabled", "Deleted"):
        raise ArmError(
            409,
            "ReadOnlyDisabledSubscription",
            f"The subscription '{aim.subscription_id}' is disabled and therefore marked as read only. You cannot perform any write "
            "actions on this subscription until it is re-enabled.",
        )


def _check_policy(world: World, request: Request, aim: arm.Target) -> None:
    if not world.policy_assignments or not aim.subscription_id:
        return
    if request.method == "DELETE" and not aim.collection:
        policy.check_deletion(world, request.path.rstrip("/"))
        return
    judged = aim.namespace.lower() not in _NO_POLICY or aim.kind.lower() == _ROLES
    if request.method in ("PUT", "PATCH") and aim.kind and judged:
        body: Any = request.json()
        document: Document = body if isinstance(body, dict) else {}
        policy.check(world, request.path.rstrip("/"), document, patch=request.method == "PATCH")


def _permission(route: Route, aim: arm.Target) -> str:
    """Routes for any type declare `{type}/read`, for any provider `{namespace}/register/action`: the path's."""
    return route.permission.replace("{type}", aim.kind).replace("{namespace}", aim.namespace)


def _unknown(request: Request, aim: arm.Target, path_known: bool) -> ArmError:
    if path_known:
        return ArmError(405, "MethodNotAllowed", f"The method '{request.method}' is not allowed on '{request.path}'.")
    if aim.kind:
        return ArmError(
            404,
            "InvalidResourceType",
            f"The resource type '{aim.kind.split('/', 1)[1]}' could not be found in the namespace '{aim.namespace}' for api version "
            f"'{request.q('api-version')}'.",
        )
    return ArmError(404, "NotFound", f"No HTTP resource was found that matches the request path '{request.path}'.")


def _newest(world: World, before: int) -> LongRunning | None:
    """The long-running operation that was just started, if any."""
    if len(world.operations) <= before:
        return None
    return world.operations[next(reversed(world.operations))]
