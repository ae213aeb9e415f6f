"""Scenarios: a believable tenant at work and an attack laid into it. `build_world` is the way in."""

from __future__ import annotations

from azure_simulator.scenarios.world_builder import SCENARIOS, build_world

__all__ = ["SCENARIOS", "build_world"]
