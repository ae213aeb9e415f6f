"""Who did it and what is theirs: every session and every resource scored by reasons that are shown, and the verdict to propose."""

from __future__ import annotations

from typing import Any

from firebreak.analysis.actors import judge_actors, judgements
from firebreak.analysis.documents import shown
from firebreak.analysis.evidence import Clue, Weights, Work
from firebreak.analysis.history import History
from firebreak.analysis.identity.nearness import near_and_far
from firebreak.analysis.identity.review import all_findings
from firebreak.analysis.identity.seeds import IdentityWeights, Seeds, sentences
from firebreak.analysis.known_good import known_good, known_good_clues
from firebreak.analysis.ownership import Ownership
from firebreak.analysis.verdict import propose, with_identities
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    Class,
    DiskFacts,
    Inventory,
    SubscriptionFacts,
)
from firebreak.model.finding import Finding, NotLookedAt, Severity
from firebreak.model.identity import (
    Administrators,
    Applications,
    DirectoryChanges,
    IdentityRisk,
    SignIns,
    TenantProtection,
)
from firebreak.model.platform import PlatformCompute
from firebreak.model.step import Effect, Step
from tasks.detections import rules_of

STEP = Step(
    id="investigate.attribution",
    title="Tell the attacker's from the customer's",
    effect=Effect.READ,
    description=(
        "Judges every session (caller, address, client) and everything found as the attacker's, legitimate or unknown, with the reasons, "
        "and proposes a verdict. What is unknown is never proposed for change."
    ),
    guidance=("S03", "S28", "S48", "S57"),
    produces=Attribution,
    needs=(ActivityFacts, Inventory),
)


def conclude(case: Case) -> Attribution:
    """Score sessions, then resources, then propose; the parameters are the fields of `Weights`, and `known_good`, this installation's list.

    Raises:
        NotCollectedError: without activity log or inventory nothing can be attributed.
        ContentError: an entry of `known_good` cannot be used.
    """
    activity, inventory = case[ActivityFacts], case[Inventory]
    disks, access, subscription = case.get(DiskFacts), case.get(AccessFacts), case.get(SubscriptionFacts)
    alert = case.incident.alert
    points = weights(case)
    history = History(activity, inventory)
    own = subscription.own_principal_ids if subscription else ()
    seeds = identity_seeds(case)
    listed = known_good(case.parameter(STEP.id, "known_good", ()), (alert.customer_tenant_id, alert.subscription_id))

    def further(work: Work) -> list[Clue]:
        return [*seeds.clues(work), *known_good_clues(listed, work)]

    actors = judge_actors(activity, history, alert, own=own, access=access, weights=points, further=further)
    resources = Ownership(activity, history, actors, alert, points).judge(
        inventory, disks, access, case.get(PlatformCompute)
    )
    verdict, reasons = with_identities(
        *propose(alert, activity, actors, len(actors.brought_in), resources, history), *identity_sentences(case)
    )
    attackers = [operation for judged in actors.attackers for operation in judged.work.operations]
    return Attribution(
        actors=judgements(actors, history),
        resources=resources,
        attack_start=min((operation.at for operation in attackers), default=None),
        attack_end=max((operation.at for operation in attackers), default=None),
        verdict=verdict,
        verdict_reasons=reasons,
        not_looked_at=_gaps(case, history),
    )


def assess(facts: Attribution, case: Case) -> list[Finding]:  # noqa: ARG001 - the contract
    """One finding for each attacker's session, with what it made."""
    found = []
    for actor in facts.actors:
        if actor.cls is not Class.ATTACKER:
            continue
        made = tuple(
            judgement.id
            for judgement in facts.resources
            if judgement.cls is Class.ATTACKER
            and judgement.created_by.lower() == actor.id.lower()
            and judgement.address == actor.address
        )
        kind = "a stolen identity" if actor.established else "the attacker's own identity"
        reasons = (
            f"{shown(actor.id)} is {kind} ({actor.score} points).",
            *(r.text for r in actor.reasons if r.points > 0),
        )
        found.append(
            Finding(
                id=":".join(filter(None, ("attacker", actor.id.lower(), actor.address, actor.app_id, actor.token))),
                step=STEP.id,
                title="A session taken for the attacker's"
                if actor.app_id or actor.address
                else "An identity that the attacker brought in",
                severity=Severity.CRITICAL,
                reasons=reasons,
                event_ids=tuple(dict.fromkeys(event for reason in actor.reasons for event in reason.event_ids)),
                resources=made,
                actor=actor.id,
                address=actor.address,
            )
        )
    return found


def weights(case: Case) -> Weights:
    """The playbook's parameters over the defaults."""
    defaults = Weights()
    chosen: dict[str, Any] = {
        name: int(case.parameter(STEP.id, name, getattr(defaults, name))) for name in Weights.__struct_fields__
    }
    return Weights(**chosen)


def identity_seeds(case: Case) -> Seeds:
    """What the identity review says of sessions; the parameters are the fields of `IdentityWeights`."""
    defaults = IdentityWeights()
    chosen = {
        name: int(case.parameter(STEP.id, name, getattr(defaults, name))) for name in IdentityWeights.__struct_fields__
    }
    return Seeds(
        sign_ins=case.get(SignIns),
        changes=case.get(DirectoryChanges),
        risk=case.get(IdentityRisk),
        applications=case.get(Applications),
        weights=IdentityWeights(**chosen),
    )


def identity_sentences(case: Case) -> tuple[list[str], list[str]]:
    """What speaks for a compromise and against it, of what was found about identities that have to do with this subscription."""
    subscription, access = case.get(SubscriptionFacts), case.get(AccessFacts)
    sign_ins, changes, risk = case.get(SignIns), case.get(DirectoryChanges), case.get(IdentityRisk)
    administrators, applications = case.get(Administrators), case.get(Applications)
    found = all_findings(
        rules_of(case),
        own=subscription.own_principal_ids if subscription else (),
        sign_ins=sign_ins,
        changes=changes,
        administrators=administrators,
        applications=applications,
        risk=risk,
        protection=case.get(TenantProtection),
        access=access,
    )
    near, far = near_and_far(
        found,
        case[ActivityFacts],
        access=access,
        sign_ins=sign_ins,
        changes=changes,
        administrators=administrators,
        applications=applications,
        risk=risk,
    )
    return sentences(near, sign_ins, elsewhere=far)


def _gaps(case: Case, history: History) -> tuple[NotLookedAt, ...]:
    gaps = []
    if case.get(DiskFacts) is None:
        gaps.append(NotLookedAt("who made which disk", "disks were not collected"))
    if case.get(AccessFacts) is None:
        gaps.append(NotLookedAt("who made which role assignment and lock", "access was not collected"))
    if case.get(SubscriptionFacts) is None:
        gaps.append(NotLookedAt("which operations are the responder's own", "the subscription was not collected"))
    if not history.has_any:
        gaps.append(NotLookedAt("what is usual here", "the log holds no history before the incident's window"))
    elif not history.is_dense:
        why = f"the past is thin: {history.how_thin()}, so new callers, addresses, regions and sizes count little"
        gaps.append(NotLookedAt("what is usual here", why))
    return tuple(gaps)
