"""What runs behind platform services: Batch pools, Machine Learning computes, Kubernetes clusters, container groups, apps and their plans."""

from __future__ import annotations

from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis import platform as read
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import Inventory, Resource
from firebreak.model.finding import Finding, Severity
from firebreak.model.platform import Compute, NotStopped, PlatformCompute
from firebreak.model.step import Effect, Step
from tasks.platform import (
    BATCH,
    CLUSTERS,
    CONTAINER_GROUPS,
    MACHINE_LEARNING,
    PLANS,
    SITES,
    SLOTS,
    version_for,
)
from tasks.reading import Notes, each

STEP = Step(
    id="investigate.platform_compute",
    title="Read the compute behind platform services",
    effect=Effect.READ,
    description=(
        "Reads what the inventory only names: pools of Batch accounts, computes of Machine Learning workspaces, Kubernetes clusters, container "
        "groups, apps and App Service plans, each with its state and size."
    ),
    permissions=(
        "Microsoft.Batch/batchAccounts/pools/read",
        "Microsoft.ContainerInstance/containerGroups/read",
        "Microsoft.ContainerService/managedClusters/read",
        "Microsoft.MachineLearningServices/workspaces/computes/read",
        "Microsoft.Web/serverfarms/read",
        "Microsoft.Web/sites/read",
        "Microsoft.Web/sites/slots/read",
    ),
    guidance=("S02", "S28"),
    produces=PlatformCompute,
    needs=(Inventory,),
    parameters={"api_versions": "Api-versions to use instead of the built-in ones, by resource type in lower case."},
)


async def collect(eyes: Eyes, case: Case) -> PlatformCompute:
    """Read every account, workspace, cluster, group, app and plan that the inventory names; what cannot be read is noted."""
    notes = Notes()
    not_stopped: list[NotStopped] = []

    async def of(resource: Resource) -> list[Compute]:
        kind = resource.type.lower()
        version = version_for(case, kind)
        if kind in (BATCH, MACHINE_LEARNING):
            return await _children(eyes, resource, version, notes, not_stopped)
        what = f"state of {doc.shown(resource.id, 250)}"
        document = await notes.attempt(what, eyes.arm.get(resource.id, version), {})
        if document is None:
            return []  # deleted since the inventory was read
        # What the answer calls itself must not become a target; where nothing was read, its state is unknown and counts as running.
        found = _alone(kind, {"location": resource.region, **document, "id": resource.id}, version)
        # The generic list tells for all of them when they were made; not every service does.
        return [msgspec.structs.replace(found, created_at=resource.created_at or found.created_at)]

    wanted = (BATCH, MACHINE_LEARNING, CLUSTERS, CONTAINER_GROUPS, SITES, SLOTS, PLANS)
    found = await each(of, [r for r in case[Inventory].resources if r.type.lower() in wanted])
    return PlatformCompute(
        items=tuple(sorted((one for some in found for one in some), key=lambda c: c.id.lower())),
        not_stopped=tuple(sorted(not_stopped, key=lambda n: n.id.lower())),
        not_looked_at=notes.all,
    )


def assess(facts: PlatformCompute, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """Say which computes inside platform services nobody here stops."""
    if not facts.not_stopped:
        return []
    return [
        Finding(
            id="unhandled-platform-compute",
            step=STEP.id,
            title="Compute inside platform services that no step stops",
            severity=Severity.LOW,
            reasons=tuple(
                f"{doc.shown(one.id.rsplit('/', 1)[-1], 80)} ({doc.shown(one.type, 60)}): {one.reason}"
                for one in facts.not_stopped
            ),
            resources=tuple(one.id for one in facts.not_stopped),
        )
    ]


async def _children(
    eyes: Eyes, owner: Resource, version: str, notes: Notes, not_stopped: list[NotStopped]
) -> list[Compute]:
    word = "pools" if owner.type.lower() == BATCH else "computes"
    what = f"{word} of {doc.shown(owner.id, 250)}"
    rows = await notes.attempt(what, eyes.arm.list(f"{owner.id}/{word}", version), [])
    found = []
    for row in rows:
        if not _is_below(row, owner):
            continue
        if word == "pools":
            one: Compute | None = read.batch_pool(row, region=owner.region, version=version)
        else:
            one = read.machine_learning(row, region=owner.region, version=version)
        if one is None:
            kind = doc.text(row, "properties", "computeType") or "unknown"
            reason = "attached to the workspace, it runs somewhere else: look at it by hand."
            not_stopped.append(NotStopped(id=doc.path(row, "id"), type=kind, reason=reason))
        else:
            found.append(msgspec.structs.replace(one, parent=owner.id))
    return found


def _is_below(row: Any, owner: Resource) -> bool:
    """An answer that names something elsewhere must not become a target."""
    return doc.path(row, "id").lower().startswith(owner.id.lower() + "/")


def _alone(kind: str, document: dict[str, Any], version: str) -> Compute:
    if kind == CLUSTERS:
        return read.managed_cluster(document, version=version)
    if kind == CONTAINER_GROUPS:
        return read.container_group(document, version=version)
    return read.plan(document, version=version) if kind == PLANS else read.site(document, version=version)
