"""What to delete of the attacker's platform compute and in which order: the part of `tasks.removal` that knows services.

Children before what holds them: pools before their account, computes before their workspace, apps before their plan. A cluster takes its node
group and every volume in it along, so volumes and some node disks are kept as snapshots beside the cluster first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from firebreak.model.case import Case
from firebreak.model.facts import Class, Disk, DiskFacts, Inventory, Resource
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.platform import Compute, Kind, PlatformCompute
from firebreak.model.step import Effect
from tasks import disks
from tasks.arm import known, moment
from tasks.judged import Judged
from tasks.platform import BATCH, CALLED, MACHINE_LEARNING, STOPPED_BY, version_for
from tasks.words import group_of, name_of, per_hour, plain

DELETES: Final[Mapping[str, Kind]] = {f"{kind}.delete": kind for kind in Kind}
HOLDERS: Final = (BATCH, MACHINE_LEARNING)
# Query parameters of a deletion. Azure deletes an empty plan with its last app unless told not to, whoever the plan belongs to.
# https://learn.microsoft.com/rest/api/appservice/web-apps/delete
QUERY: Final[Mapping[str, Mapping[str, str]]] = {
    "site.delete": {"deleteEmptyServerFarm": "false"},
    "ml_cluster.delete": {"underlyingResourceAction": "Delete"},
    "ml_instance.delete": {"underlyingResourceAction": "Delete"},
}
PERMISSIONS: Final = (
    "Microsoft.Batch/batchAccounts/delete",
    "Microsoft.Batch/batchAccounts/pools/delete",
    "Microsoft.ContainerInstance/containerGroups/delete",
    "Microsoft.ContainerService/managedClusters/delete",
    "Microsoft.MachineLearningServices/workspaces/computes/delete",
    "Microsoft.MachineLearningServices/workspaces/delete",
    "Microsoft.Web/serverfarms/delete",
    "Microsoft.Web/sites/delete",
    "Microsoft.Web/sites/slots/delete",
)
_ORDER = (
    Kind.BATCH_POOL,
    Kind.ML_CLUSTER,
    Kind.ML_INSTANCE,
    Kind.CONTAINER_GROUP,
    Kind.CLUSTER,
    Kind.SITE,
    Kind.PLAN,
)
_LOST = {
    Kind.BATCH_POOL: "Its nodes and what is on them are lost; jobs stay in the account.",
    Kind.CLUSTER: "Its nodes, volumes and node resource group are deleted with it; only the snapshots taken before stay.",
    Kind.SITE: "Its files, settings and keys are lost; the plan under it stays.",
}


def is_handled(case: Case, kind: str) -> bool:
    """Whether a type of the generic list is planned here: its compute was read in this case."""
    return case.get(PlatformCompute) is not None and kind.lower() in STOPPED_BY


def platform_removals(case: Case, step: str) -> Iterator[Action | NoOp]:
    """Deletions of the attacker's platform compute, then of the accounts and workspaces that held it, in their order."""
    facts = case.get(PlatformCompute)
    if facts is None:
        return
    judged = Judged(case)
    going: dict[str, str] = {}
    # A slot before its app: the longer id first.
    ordered = sorted(facts.items, key=lambda one: (_ORDER.index(one.kind), -one.id.count("/"), one.id.lower()))
    for one in ordered:
        keep = _keep(one, facts, case, judged, going)
        if keep:
            judgement = judged.of(one.id)
            if judgement is not None and judgement.cls is not Class.LEGITIMATE:
                yield NoOp(step=step, target=one.id, reason=keep)
            continue
        kept = list(_snapshots(one, case, step))
        yield from kept
        action = _deletion(one, judged, step, [*(a.id for a in kept), *_inside(one, facts, going)])
        going[one.id.lower()] = action.id
        yield action
    for holder in sorted(case[Inventory].resources, key=lambda r: r.id.lower()):
        if holder.type.lower() in HOLDERS and judged.is_attackers(holder.id):
            yield _holder(holder, facts, case, judged, step, going)


def _keep(one: Compute, facts: PlatformCompute, case: Case, judged: Judged, going: Mapping[str, str]) -> str:
    keep = judged.keep_out(one.id, deleting=True)
    if keep:
        return keep
    if one.kind is Kind.PLAN:
        staying = [s for s in facts.items if s.parent.lower() == one.id.lower() and s.id.lower() not in going]
        return f"The app {plain(staying[0].name, 60)} runs on it and stays." if staying else ""
    if one.kind is Kind.CLUSTER:
        theirs = [d for d in _in_node_group(one, case) if _is_others(d, judged)]
        if theirs:
            return f"Disk {plain(theirs[0].name, 80)} in its node group is legitimate and would go with it: move that first."
        return disks.missing_group(case, "eradicate.delete_resources") if _in_node_group(one, case) else ""
    staying = [s for s in facts.items if s.id.lower().startswith(one.id.lower() + "/") and s.id.lower() not in going]
    return f"Its {plain(staying[0].name, 60)} stays." if staying else ""


def _is_others(disk: Disk, judged: Judged) -> bool:
    judgement = judged.of(disk.id)
    return judgement is not None and judgement.cls is Class.LEGITIMATE


def _in_node_group(cluster: Compute, case: Case) -> list[Disk]:
    group, found = str(cluster.settings.get("nodeResourceGroup", "")).lower(), case.get(DiskFacts)
    return [d for d in (found.disks if found else ()) if group and group_of(d.id).lower() == group]


def _snapshots(one: Compute, case: Case, step: str) -> Iterator[Action]:
    """Every volume of a cluster, and as many disks of its nodes as of a scale set's instances: those are alike."""
    if one.kind is not Kind.CLUSTER:
        return
    most = int(case.parameter(step, "scale_set_snapshots", 2))
    there = sorted(_in_node_group(one, case), key=lambda d: d.id.lower())
    volumes = [disk for disk in there if disks.excluded(disk)]
    nodes = [disk for disk in there if disk not in volumes][:most]
    for disk in (*volumes, *nodes):
        reason = f"It is deleted with cluster {plain(one.name, 60)}; the snapshot lies beside the cluster."
        yield disks.snapshot_of(disk, step, case, (reason,), group=group_of(one.id))


def _inside(one: Compute, facts: PlatformCompute, going: Mapping[str, str]) -> list[str]:
    """The actions that delete what is below a thing or runs on it."""
    on_it = {other.id.lower() for other in facts.items if other.parent.lower() == one.id.lower()}
    return [action for name, action in sorted(going.items()) if name in on_it or name.startswith(one.id.lower() + "/")]


def _deletion(one: Compute, judged: Judged, step: str, after: Sequence[str]) -> Action:
    cost = judged.per_hour(one.id)
    return Action(
        id=action_id(step, f"{one.kind}.delete", one.id),
        step=step,
        kind=f"{one.kind}.delete",
        target=one.id,
        title=f"Delete {CALLED[one.kind]} {plain(one.name, 64)}"
        + (f" ({plain(one.size, 60)}, {one.region})" if one.size else "")
        + per_hour(cost, judged.currency),
        effect=Effect.IRREVERSIBLE,
        reasons=judged.reasons(one.id),
        fingerprint=known({"created": moment(one.created_at)}),
        params={"kind": str(one.kind), "version": one.version},
        after=tuple(after),
        per_hour=cost,
        region=one.region,
        irreversible_because=_LOST.get(one.kind, "It must be made anew; its description is kept as evidence."),
    )


def _holder(
    holder: Resource, facts: PlatformCompute, case: Case, judged: Judged, step: str, going: dict[str, str]
) -> Action | NoOp:
    below = holder.id.lower() + "/"
    staying = [one.id for one in facts.items if one.id.lower().startswith(below) and one.id.lower() not in going]
    staying += [one.id for one in facts.not_stopped if one.id.lower().startswith(below)]
    unread = [n for n in facts.not_looked_at if holder.id.lower() in n.what.lower()]
    keep = judged.keep_out(holder.id, deleting=True)
    if not keep and staying:
        keep = f"It holds {name_of(staying[0])} that stays."
    if not keep and unread:
        keep = "What it holds was not read: nobody knows whose that is."
    if keep:
        return NoOp(step=step, target=holder.id, reason=keep)
    kind = holder.type.lower()
    word = "Batch account" if kind == BATCH else "Machine Learning workspace"
    return Action(
        id=action_id(step, "resource.delete", holder.id),
        step=step,
        kind="resource.delete",
        target=holder.id,
        title=f"Delete {word} {plain(holder.name, 80)}",
        effect=Effect.IRREVERSIBLE,
        reasons=judged.reasons(holder.id),
        fingerprint=known({"createdTime": moment(holder.created_at)}),
        params={"type": kind, "version": version_for(case, kind)},
        after=tuple(action for name, action in sorted(going.items()) if name.startswith(below)),
        region=holder.region,
        irreversible_because="Its jobs, keys and settings go with it; its description is kept as evidence.",
    )
