"""Compares one investigation with the simulator's truth: what is taken for whose, and what the plans would do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from azure_simulator.world import World
from firebreak.model.case import Case
from firebreak.model.facts import ActivityFacts, Attribution, Class, DiskFacts, Judgement
from firebreak.model.plan import Plan

# What stops, removes or deletes something; the rest of a plan looks, keeps, blocks or tells.
DESTROYS = frozenset(
    {
        "access.remove",
        "autoscale.disable",
        "blob.delete",
        "disk.delete",
        "group.delete",
        "lock.remove",
        "machine.deallocate",
        "machine.delete",
        "resource.delete",
        "scale_set.deallocate",
        "scale_set.delete",
    }
)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was told wrong or not told: `what` is the mistake, `why` the reasons that were shown."""

    what: str
    thing: str
    why: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by name, to be added up over trials, and every mistake."""

    counts: dict[str, int]
    failures: tuple[Failure, ...] = ()


def score(world: World, case: Case, plans: Iterable[Plan]) -> Score:
    """Compare what was found and planned with the truth."""
    theirs = attackers_things(world)
    attribution = case[Attribution]
    names = _names_of_blobs(case)
    judged = {names.get(one.id.lower(), one.id.lower()): one for one in attribution.resources}
    counts, failures = Counter[str](), []
    targets = {
        names.get(action.target.lower(), action.target.lower()): action.title
        for plan in plans
        for action in plan.actions
        if action.kind in DESTROYS
    }
    for target, title in sorted(targets.items()):
        if target not in theirs:
            failures.append(Failure(what="proposed, and not the attacker's", thing=target, why=title))
            counts["wrong"] += 1
    for thing in sorted(theirs):
        judgement = judged.get(thing)
        if judgement is not None and judgement.cls is Class.ATTACKER:
            counts["found"] += 1
        else:
            said = "not looked at" if judgement is None else str(judgement.cls)
            failures.append(Failure(what=f"the attacker's, said to be {said}", thing=thing, why=_why(judgement)))
    for thing, judgement in sorted(judged.items()):
        counts[f"things {judgement.cls}"] += 1
        if judgement.cls is Class.ATTACKER and thing not in theirs:
            counts["accused"] += 1
            failures.append(Failure(what="taken for the attacker's", thing=thing, why=_why(judgement)))
    counts |= {
        "proposed": len(targets),
        "attackers": len(theirs),
        "reached": len(theirs & targets.keys()),
        "judged": len(judged),
        "unknown": counts["things unknown"],
    }
    sessions = _sessions(world, attribution.actors, case[ActivityFacts])
    counts.update(sessions[0])
    if attribution.verdict != world.truth["verdict"] and not _may_stay_open(world, attribution.verdict):
        why = " ".join(attribution.verdict_reasons)
        failures.append(Failure(what=f"the verdict is {attribution.verdict}", thing=world.truth["verdict"], why=why))
    return Score(counts=dict(counts), failures=(*failures, *sessions[1]))


def attackers_things(world: World) -> set[str]:
    """Everything that is the attacker's, in lower case: ARM ids, and page blobs as `account/container/name`."""
    kinds = ("rogue", "rogue_groups", "rogue_grants", "rogue_locks", "rogue_roles", "rogue_blobs")
    return {identity.lower() for kind in kinds for identity in world.truth[kind]}


def _may_stay_open(world: World, verdict: str) -> bool:
    """A false alarm may end undecided: people look then."""
    return bool(world.truth["verdict"] == "legitimate" and verdict == "not_enough_evidence")


def _sessions(world: World, actors: Iterable[Judgement], activity: ActivityFacts) -> tuple[Counter[str], list[Failure]]:
    counts, failures = Counter[str](), []
    actors = list(actors)
    tokens: dict[tuple[str, str, str], set[str]] = {}
    for operation in activity.operations:
        tokens.setdefault((operation.caller.lower(), operation.address, operation.app_id), set()).add(operation.token)
    for actor in actors:
        if actor.token:
            tokens[actor.id.lower(), actor.address, actor.app_id].discard(actor.token)
    accomplices = {
        str(world.role_assignments[key]["properties"]["principalId"]).lower() for key in world.truth["rogue_grants"]
    }
    for actor in actors:
        used = {actor.token} if actor.token else tokens.get((actor.id.lower(), actor.address, actor.app_id), set())
        guilty = _is_attackers(world, actor, used) or actor.principal_id.lower() in accomplices
        whose = "attacker's" if guilty else "customer's"
        counts[f"{whose} {actor.cls}"] += 1
        name = f"{actor.id} at {actor.address or 'no address'}{' ' + actor.token if actor.token else ''}"
        if guilty and actor.cls is not Class.ATTACKER:
            failures.append(Failure(what=f"the attacker, said to be {actor.cls}", thing=name, why=_why(actor)))
        if not guilty and actor.cls is Class.ATTACKER:
            counts["accused"] += 1
            failures.append(Failure(what="taken for the attacker", thing=name, why=_why(actor)))
    return counts, failures


def _is_attackers(world: World, actor: Judgement, tokens: set[str]) -> bool:
    for row in world.truth["attackers"]:
        if actor.id.lower() not in (row["caller"].lower(), row["principal_id"].lower()):
            continue
        if row["kind"] == "created" or (row["kind"] == "hijacked" and tokens & set(row["tokens"])):
            return True
        if row["kind"] != "hijacked" and actor.address in row["addresses"]:
            return True
    return False


def _names_of_blobs(case: Case) -> dict[str, str]:
    """Page blobs by the engine's id: as the truth names them."""
    blobs = case.get(DiskFacts)
    return {
        blob.id.lower(): f"{blob.account_id.rsplit('/', 1)[-1]}/{blob.container}/{blob.name}".lower()
        for blob in (blobs.blobs if blobs else ())
    }


def _why(judgement: Judgement | None) -> str:
    if judgement is None:
        return "Nothing lists it."
    reasons = " ".join(f"[{reason.points:+}] {reason.text}" for reason in judgement.reasons)
    return f"{judgement.score} points: {reasons}"
