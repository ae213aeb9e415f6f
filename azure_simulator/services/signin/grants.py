"""Refresh tokens: what a person's consent is worth, for how long, and whether a second factor was used for it.

Each use gives a new one; the one that was used is not revoked and dies of its own age, as Entra ID documents it:
https://learn.microsoft.com/entra/identity-platform/refresh-tokens
"""

from __future__ import annotations

from azure_simulator.services.signin.exceptions import SignInRefusedError
from azure_simulator.world import Grant, Principal, World


def give(world: World, holder: Principal, client_id: str, *, mfa: bool | None) -> str:
    """Give a person's new refresh token to an application and return it. `mfa` None: nobody knows."""
    chance = world.memory.setdefault("request_chance", world.chance.child("requests"))
    token = f"0.{chance.guid()}{chance.guid()}".replace("-", "")
    holder.refresh_tokens.append(token)
    world.grants[token] = Grant(holder.object_id, client_id, world.clock.now(), mfa)
    return token


def find(world: World, offered: str, client_id: str) -> tuple[Principal, Grant]:
    """Who gave the token that is offered, and its grant.

    Raises:
        SignInRefusedError: 9002313 nobody did, 700007 it was given to another application, 700082 its time is over.
    """
    holder = next((p for p in world.principals.values() if offered and offered in p.refresh_tokens), None)
    if holder is None:
        raise SignInRefusedError(world, 9002313)
    now = world.clock.now()
    # A token that a scenario or a test put there counts from its first use, for any application.
    grant = world.grants.setdefault(offered, Grant(holder.object_id, "", now, None))
    if grant.client_id and grant.client_id.lower() != client_id.lower():
        raise SignInRefusedError(world, 700007)
    age = (now - grant.issued_at).total_seconds()
    if age > world.refresh_token_seconds:
        raise SignInRefusedError(
            world, 700082, f"{grant.issued_at:%Y-%m-%dT%H:%M:%S.0000000Z}", f"{world.refresh_token_seconds:g} seconds"
        )
    return holder, grant
