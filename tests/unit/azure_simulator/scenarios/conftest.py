"""Worlds are built once; tests that change one get a copy that shares the history."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

import pytest

from azure_simulator.scenarios import build_world
from azure_simulator.world import World

NOW = datetime(2026, 3, 3, 4, 30, tzinfo=UTC)


@cache
def built(name: str, seed: int = 5) -> World:
    """A world that must not be changed."""
    return build_world(name, seed=seed, now=NOW)


@pytest.fixture
def read_only() -> Callable[..., World]:
    return built


@pytest.fixture
def fresh() -> Callable[[str], World]:
    """Worlds of one's own: rows of events, costs and prices are shared, as nothing changes them."""

    def make(name: str) -> World:
        world = built(name)
        shared: dict[int, object] = {id(rows): list(rows) for rows in (world.events, world.costs, world.prices)}
        copied: World = copy.deepcopy(world, shared)
        return copied

    return make
