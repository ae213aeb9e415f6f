"""End delegated relationships with customers that are abused, or that nobody at the partner uses: for good, and only these."""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.analysis.partner.customers import ENDABLE, is_idle, told
from firebreak.model.alert import END_RELATIONSHIPS
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.ids import is_plain_segment
from firebreak.model.partner import PartnerCustomers, PartnerRelationship
from firebreak.model.plan import ENDS_RELATIONSHIP, Action, NoOp, action_id
from firebreak.model.step import Effect, Sent, Step, Target
from tasks.arm import text_at
from tasks.directory import RELATIONSHIPS
from tasks.reading import each
from tasks.requests import request_id
from tasks.words import plain

_ENDING, _ENDED = frozenset({"terminationrequested", "terminating"}), frozenset({"terminated", "expired"})

STEP = Step(
    id="contain.end_relationships",
    title="End delegated relationships",
    effect=Effect.IRREVERSIBLE,
    description=(
        "Ends granular delegated relationships that are given to nobody at the partner, and those that a person named when the check was started. "
        "Never one with a customer that this installation responds for."
    ),
    graph_permissions=("DelegatedAdminRelationship.ReadWrite.All",),
    guidance=("S100",),
    needs=(PartnerCustomers,),
    parameters={
        "own_customers": "The tenants of the customers that this installation responds for; made by the engine.",
        "credential_kind": "How the settings say that it signs in; made by the engine.",
    },
)


def plan(case: Case) -> list[Action | NoOp]:
    """Idle relationships, and those that were named; everything else that was named is a no-op with its reason."""
    facts = case[PartnerCustomers]
    known = {one.id.lower(): one for one in facts.relationships or ()}
    named = [one.strip() for one in case.incident.alert.details.get(END_RELATIONSHIPS, "").split(",") if one.strip()]
    planned: list[Action | NoOp] = []
    for identifier in dict.fromkeys(one.lower() for one in named):
        found = known.get(identifier)
        missing = _left(_path(identifier), _missing(facts))
        planned.append(missing if found is None else _end(case, found, by=case.incident.requested_by))
    for identifier, found in sorted(known.items()):
        if is_idle(found) and identifier not in {one.lower() for one in named}:
            planned.append(_end(case, found, by=""))
    return planned


def _missing(facts: PartnerCustomers) -> str:
    if facts.relationships is not None:
        return "It was named, but the partner has no such relationship."
    why = next((note.why for note in facts.not_looked_at if note.what == RELATIONSHIPS.what), "it was not read")
    return f"It was named, but which relationships the partner has is not known: {plain(why, 300)}"


def _end(case: Case, one: PartnerRelationship, *, by: str) -> Action | NoOp:
    target = _path(one.id)
    if not is_plain_segment(one.id) or "," in one.id:
        return _left(target, "Its id is no plain id.")
    if one.status.lower() not in ENDABLE:
        return _left(target, f"It is {plain(one.status, 40)}: only an active relationship can be ended.")
    if one.customer_id in case.parameter(STEP.id, "own_customers", ()):
        return _left(target, "It is the access of this installation to a customer that it responds for.")
    if case.parameter(STEP.id, "credential_kind", "") != "secure_application_model":
        return _left(
            target,
            "Microsoft lets only a person end it: sign in by the secure application model, or end it in Partner Center.",
        )
    unread = "Which groups of the partner use it could not be read: who loses their access is not known."
    groups = f"It is given to {one.groups} groups of the partner, who lose their access at once." if one.groups else ""
    groups = unread if one.groups is None else groups
    why = (
        f"{plain(by, 80)} named it when this check was started."
        if by
        else "It is given to no group of the partner: nobody uses it, and it waits for whoever gets into the partner's tenant."
    )
    roles = ", ".join(one.wide or one.roles)
    ends = f" until {one.ends_at:%Y-%m-%d}{', and renews itself' if one.renews else ''}" if one.ends_at else ""
    return Action(
        id=action_id(STEP.id, ENDS_RELATIONSHIP, target),
        step=STEP.id,
        kind=ENDS_RELATIONSHIP,
        target=target,
        title=f"End {plain(told(one), 160)}",
        effect=Effect.IRREVERSIBLE,
        reasons=tuple(line for line in (why, f"It holds {plain(roles, 200)}{ends}.", groups) if line),
        fingerprint={"customer": one.customer_id, "status": one.status.lower()},
        params={"case": case.incident.case, "round": case.round},
        irreversible_because="It cannot be brought back: the customer has to approve a new relationship.",
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Read each relationship again."""

    async def one(action: Action) -> tuple[str, Target]:
        found = await eyes.graph.get(action.target)
        status = text_at(found, "status").lower()
        customer = text_at(found, "customer", "tenantId").lower()
        return action.id, Target(
            exists=found is not None,
            already_so=found is None or status in _ENDED,
            in_progress=status in _ENDING,
            state=status or "absent",
            fingerprint=dict(action.fingerprint)
            if found is None or status in _ENDED | _ENDING
            else {"customer": customer, "status": status},
            prior={} if found is None else {"relationship": found},
        )

    return dict(await each(one, actions))


async def apply(action: Action, hands: Hands) -> Sent:
    """One request; Microsoft ends the relationship within minutes."""
    return await hands.graph.post(f"{action.target}/requests", {"action": "terminate"}, request_id=request_id(action))


def _path(identifier: str) -> str:
    return f"{RELATIONSHIPS.path}/{identifier}"


def _left(target: str, reason: str) -> NoOp:
    return NoOp(step=STEP.id, target=target, reason=reason)
