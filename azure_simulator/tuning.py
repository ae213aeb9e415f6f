"""What can be switched on a world while it runs (`/_simulator/settings`): late lists, and how people's sign-ins go."""

from __future__ import annotations

from typing import Any

from azure_simulator.consistency import LONGEST_LAG
from azure_simulator.http import ArmError, Response
from azure_simulator.services.signin.exceptions import SIGN_IN_REFUSALS
from azure_simulator.world import Document, World

_FLAGS = ("partner_mfa", "mfa_required", "partner_role_missing")
_MAPS = ("refused_sign_ins", "tunnels")


def shown(world: World) -> Document:
    """All settings as they are."""
    seconds = {"list_lag_seconds": world.list_lag_seconds, "refresh_token_seconds": world.refresh_token_seconds}
    return seconds | {name: getattr(world, name) for name in (*_FLAGS, *_MAPS)}


def change(world: World, body: Any) -> Response:
    """Set those that are named, all or none of them.

    Raises:
        ArmError: 400, one is unknown or its value cannot be used.
    """
    if not isinstance(body, dict) or not body or any(not _fits(name, value) for name, value in body.items()):
        raise ArmError(
            400,
            "InvalidSettings",
            f'The settings are {{"list_lag_seconds": number from 0 to {LONGEST_LAG:g}, "refresh_token_seconds": number above 0, '
            f'"partner_mfa", "mfa_required", "partner_role_missing": true or false, "refused_sign_ins": {{tenant or "*": one of '
            f'{", ".join(map(str, SIGN_IN_REFUSALS))}}}, "tunnels": {{origin: origin}}}}; got {body!r}.',
        )
    for name, value in body.items():
        if name == "refused_sign_ins":
            value = {tenant.lower(): number for tenant, number in value.items()}
        setattr(world, name, value)
    if "list_lag_seconds" in body:
        world.note_changes()
    return Response(200, shown(world))


def _fits(name: str, value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match name:
        case "list_lag_seconds":
            return is_number and 0 <= value <= LONGEST_LAG
        case "refresh_token_seconds":
            return is_number and value > 0
        case "refused_sign_ins":
            return isinstance(value, dict) and all(number in SIGN_IN_REFUSALS for number in value.values())
        case "tunnels":
            return isinstance(value, dict) and all(isinstance(one, str) for pair in value.items() for one in pair)
    return name in _FLAGS and isinstance(value, bool)
