"""Compute that Azure runs behind a platform service and that no list of machines shows: pools, clusters, container groups, apps.

In the words of Azure's services; produced by `investigate.platform_compute`, stored as JSON like all facts.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from firebreak.model.facts import Facts


class Kind(StrEnum):
    """The kinds that are read and stopped; everything else stays in the inventory's list of what no step stops."""

    BATCH_POOL = "batch_pool"
    ML_CLUSTER = "ml_cluster"
    ML_INSTANCE = "ml_instance"
    CLUSTER = "cluster"
    CONTAINER_GROUP = "container_group"
    SITE = "site"
    PLAN = "plan"


class Power(StrEnum):
    """What it does. `IDLE` runs nothing now and would start by itself when work comes; `UNKNOWN` counts as running."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    IDLE = "idle"
    STOPPED = "stopped"
    UNKNOWN = "unknown"


class Compute(msgspec.Struct, frozen=True, kw_only=True):
    """One of them. `nodes` are what is billed now: nodes, or 1 for a thing that is billed as a whole.

    `parent` is the account, workspace or App Service plan, in Azure's spelling. `size` is a machine size or a plan's. `settings` is what
    stopping changes, as it was read. `version` is the api-version it was read with. `caveats` are sentences an approver must know before
    stopping it: what starts it again, what goes on.
    """

    id: str
    kind: Kind
    name: str
    region: str = ""
    power: Power = Power.UNKNOWN
    created_at: datetime | None = None
    parent: str = ""
    size: str = ""
    priority: str = "Regular"
    nodes: int = 0
    is_resizing: bool = False
    tags: dict[str, str] = {}
    settings: dict[str, Any] = {}
    version: str
    caveats: tuple[str, ...] = ()

    @property
    def is_billed(self) -> bool:
        """Whether it costs compute now, as far as is known."""
        return self.nodes > 0


class NotStopped(msgspec.Struct, frozen=True, kw_only=True):
    """Compute inside a platform service that no step stops, and why."""

    id: str
    type: str
    reason: str


class PlatformCompute(Facts, frozen=True, kw_only=True):
    """All of it that was found, sorted by id, and what was found beside it that no step stops."""

    items: tuple[Compute, ...] = ()
    not_stopped: tuple[NotStopped, ...] = ()

    def of(self, resource_id: str) -> Compute | None:
        """The one with this id, compared without regard to case."""
        wanted = resource_id.lower()
        return next((one for one in self.items if one.id.lower() == wanted), None)
