"""What the token endpoint leaves in the sign-in log of a tenant with a directory: each token, and each refusal of somebody it knows."""

from __future__ import annotations

from azure_simulator.events import token_id
from azure_simulator.http import Request
from azure_simulator.services.graph import sign_in_rows, sign_ins
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.services.graph.store import table
from azure_simulator.world import Principal, World


def application(
    world: World, request: Request, app: Principal, secret: str, tenant: str, *, token: str = "", error: int = 0
) -> None:
    """An application signed in with a secret, or was refused."""
    used = [key for key, row in table(world, "credentials").items() if secret and row.get("_secret") == secret]
    _write(world, request, app, app.app_id, tenant, token, error, sign_in_rows.APPLICATION, used[0] if used else "")


def person(
    world: World, request: Request, who: Principal, app_id: str, tenant: str, *, token: str = "", error: int = 0
) -> None:
    """A person's refresh token was exchanged, or refused."""
    _write(world, request, who, app_id, tenant, token, error, sign_in_rows.REFRESHED, "")


def _write(
    world: World,
    request: Request,
    who: Principal,
    app_id: str,
    tenant: str,
    token: str,
    error: int,
    kind: str,
    key_id: str,
) -> None:
    if not world.directory_rules or (error and error not in sign_in_rows.FAILURES):
        return
    sign_ins.write(
        world,
        SignIn(
            who,
            world.clock.now(),
            request.address,
            app_id,
            token or token_id(request.request_id),
            kind=kind,
            client=sign_in_rows.DESKTOP,
            error=error,
            tenant=tenant,
            key_id=key_id,
            agent=request.headers.get("user-agent", ""),
            protocol="oAuth2",
        ),
    )
