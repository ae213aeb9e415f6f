"""A small world, its people, and a way to send requests as a signed-in client would."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from azure_simulator.app import assign, dispatch, empty_world
from azure_simulator.http import Request, Response
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Principal, World

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)

Send = Callable[..., Response]


@pytest.fixture
def world() -> World:
    return empty_world(NOW)


@pytest.fixture
def subscription(world: World) -> str:
    return str(next(iter(world.subscriptions.values()))["id"])


@pytest.fixture
def owner(world: World) -> Principal:
    return next(p for p in world.principals.values() if p.kind == "User")


@pytest.fixture
def responder(world: World) -> Principal:
    return next(p for p in world.principals.values() if p.name == "responder")


@pytest.fixture
def make_user(world: World) -> Callable[..., Principal]:
    """A user, with a role at a scope when both are given."""

    def make(name: str, role: str = "", scope: str = "", kind: str = "User") -> Principal:
        principal = Principal(world.chance.guid(), kind, name, upn=f"{name}@contoso.example" if kind == "User" else "")
        world.principals[principal.object_id] = principal
        if role:
            assign(world, principal, role, scope)
        return principal

    return make


@pytest.fixture
def send(world: World, responder: Principal) -> Send:
    """Send a request as a principal (the responder unless told), with api-version unless the path has one."""

    def send_one(
        method: str,
        path: str,
        body: Any = None,
        *,
        who: Principal | None = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        version: str = "2025-04-01",
    ) -> Response:
        where, _, query = path.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True))
        if version:
            values.setdefault("api-version", version)
        bearer = token if token is not None else issue(world, who or responder)
        return dispatch(
            world,
            Request(
                method=method,
                path=where,
                query=values,
                headers={"authorization": f"Bearer {bearer}", **(headers or {})} if bearer else dict(headers or {}),
                body=b"" if body is None else json.dumps(body).encode(),
            ),
        )

    return send_one


@pytest.fixture
def make_resource(world: World) -> Callable[..., dict[str, Any]]:
    """A resource of any type in a group that is made when missing."""

    def make(kind: str, name: str, group: str = "rg1", **fields: Any) -> dict[str, Any]:
        scope = next(iter(world.subscriptions.values()))["id"]
        group_id = f"{scope}/resourceGroups/{group}"
        if group_id not in world.groups:
            world.groups[group_id] = {
                "id": group_id,
                "name": group,
                "type": "Microsoft.Resources/resourceGroups",
                "location": "westeurope",
                "properties": {"provisioningState": "Succeeded"},
            }
        document: dict[str, Any] = {
            "id": f"{group_id}/providers/{kind}/{name}",
            "name": name,
            "type": kind,
            "location": "westeurope",
            "properties": {"provisioningState": "Succeeded"},
            **fields,
        }
        world.resources[document["id"]] = document
        return document

    return make
