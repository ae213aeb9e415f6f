"""Platform compute as steps handle it: which types there are, who stops them, and with which api-version they are spoken to.

The versions are assumptions where Azure's documents were not at hand (Machine Learning, App Service); a playbook may set others:

    parameters:
      investigate.platform_compute:
        api_versions: {microsoft.web/sites: "2025-03-01"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from firebreak.analysis import platform as read
from firebreak.model.case import Case
from firebreak.model.platform import Compute, Kind
from tasks.arm import text_at

READING: Final = "investigate.platform_compute"

BATCH = "microsoft.batch/batchaccounts"
MACHINE_LEARNING = "microsoft.machinelearningservices/workspaces"
CLUSTERS = "microsoft.containerservice/managedclusters"
CONTAINER_GROUPS = "microsoft.containerinstance/containergroups"
SITES = "microsoft.web/sites"
SLOTS = "microsoft.web/sites/slots"
PLANS = "microsoft.web/serverfarms"

VERSIONS: Final[Mapping[str, str]] = {
    BATCH: "2025-06-01",
    MACHINE_LEARNING: "2025-06-01",
    CLUSTERS: "2026-08-01",
    CONTAINER_GROUPS: "2023-05-01",
    SITES: "2024-11-01",
    PLANS: "2024-11-01",
}
# Which step stops what stands in the generic list under this type; an App Service plan only ends by being deleted.
STOPPED_BY: Final[Mapping[str, str]] = {
    BATCH: "contain.stop_batch_pools",
    MACHINE_LEARNING: "contain.stop_machine_learning",
    CLUSTERS: "contain.stop_clusters",
    CONTAINER_GROUPS: "contain.stop_container_groups",
    SITES: "contain.stop_apps",
    SLOTS: "contain.stop_apps",
    PLANS: "eradicate.delete_resources",
}
CALLED: Final[Mapping[Kind, str]] = {
    Kind.BATCH_POOL: "Batch pool",
    Kind.ML_CLUSTER: "Machine Learning cluster",
    Kind.ML_INSTANCE: "Machine Learning instance",
    Kind.CLUSTER: "Kubernetes cluster",
    Kind.CONTAINER_GROUP: "container group",
    Kind.SITE: "app",
    Kind.PLAN: "App Service plan",
}


def version_for(case: Case, kind: str) -> str:
    """The api-version for a resource type of the generic list: the playbook's, else the default."""
    service = SITES if kind == SLOTS else kind
    chosen = case.parameter(READING, "api_versions", {})
    wanted = {str(name).lower(): str(version) for name, version in dict(chosen).items()}
    return wanted.get(service, VERSIONS[service])


def is_read(case: Case, kind: str) -> bool:
    """Whether the case's playbook reads platform compute and has the step that stops this type."""
    steps = {name for stage in case.playbook.stages for name in stage.steps}
    return READING in steps and STOPPED_BY.get(kind.lower(), "") in steps


def described(document: Any, like: Compute) -> Compute | None:
    """The document of a thing that was read before, in the same terms; None when it is another kind of thing by now."""
    if like.kind is Kind.BATCH_POOL:
        return read.batch_pool(document, region=like.region, version=like.version)
    if like.kind in (Kind.ML_CLUSTER, Kind.ML_INSTANCE):
        found = read.machine_learning(document, region=like.region, version=like.version)
        return found if found is not None and found.kind is like.kind else None
    one = {
        Kind.CLUSTER: read.managed_cluster,
        Kind.CONTAINER_GROUP: read.container_group,
        Kind.SITE: read.site,
        Kind.PLAN: read.plan,
    }[like.kind]
    return one(document, version=like.version)


def type_of(resource_id: str) -> str:
    """The type of what an id names, in lower case; for a child `account/pools`."""
    parts = resource_id.lower().split("/providers/")[-1].split("/")
    return "/".join([parts[0], *parts[1::2]])


def at(document: Any) -> str:
    """When a document says that its thing was made, "" when it does not."""
    places = (
        ("properties", "creationTime"),
        ("properties", "createdOn"),
        ("systemData", "createdAt"),
        ("createdTime",),
    )
    return next((found for place in places if (found := text_at(document, *place))), "")
