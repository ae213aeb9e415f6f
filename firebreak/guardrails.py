"""Guard rails: what no action may touch and no plan may exceed (P4, P5). Pure; asked when planning and again before a write.

Protection is by fact, never by name of a step: the same questions are put to every action, whoever planned it. What is asked of many
actions at once is indexed once per case (`firebreak.protected`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from firebreak.errors import GuardRailError, ScopeError
from firebreak.model.alert import Incident
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    Attribution,
    Class,
    DiskFacts,
    Inventory,
    Lock,
    RoleAssignment,
    SubscriptionFacts,
)
from firebreak.model.identity import Administrator, Administrators
from firebreak.model.ids import ResourceId, is_assignment_above, is_plain_segment
from firebreak.model.intrusion import GLOBAL_ADMINISTRATOR, Intrusion
from firebreak.model.partner import PartnerCustomers
from firebreak.model.plan import ENDS_RELATIONSHIP, GIVES_BACK_TO, UNDOES, Action, Plan
from firebreak.model.platform import PlatformCompute
from firebreak.protected import named, population, seen

OTHER_SYSTEMS: Final = ("/v1/", "/v1.0/", "/beta/")  # how Partner Center and Graph paths begin

_TAKING_AWAY: Final = frozenset({"delete", "remove", "purge", "revoke"})
_ADDING: Final = frozenset({"create", "add", "assign", "restore", "put"})
_CLOCKS_DIFFER: Final = timedelta(minutes=2)
_OWNER: Final = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_PRINCIPAL_PARAMS: Final = ("principal_id", "principalId", "object_id", "user_id", "service_principal_id")
_SHUTTING_OUT: Final = frozenset({"user.disable", "user.reset_password"})
_ASSIGNMENTS: Final = "microsoft.authorization/roleassignments"


def is_arm(target: str) -> bool:
    """Whether a target is an Azure resource, and neither a path of Partner Center or Graph nor a role assignment above the subscription."""
    return not target.startswith(OTHER_SYSTEMS) and not is_assignment_above(target)


def check_action(action: Action, incident: Incident) -> None:
    """Refuse an action that reaches outside the incident: by its target, or by an id or address in its parameters that it follows.

    Raises:
        ScopeError: it does, or one of them is not a plain id, path or address.
    """
    check_scope(action.target, incident)
    for followed in _followed(action):
        check_scope(followed, incident)
    if url := action.params.get("url"):
        _check_address(str(url), action.target)


def check_scope(target: str, incident: Incident) -> None:
    """Refuse a target outside the incident's subscription (ARM) or customer (Partner Center).

    Raises:
        ScopeError: it is outside, or not a plain id or path.
    """
    if is_arm(target):
        found = ResourceId.parse(target).subscription
        if found != incident.subscription_id.lower():
            raise ScopeError(
                f"{target!r} is in subscription {found}, the incident is about {incident.subscription_id}.",
                hint="Open an incident for that subscription.",
            )
        return
    segments = target.split("/")[1:]
    if not all(is_plain_segment(s) and " " not in s for s in segments):
        raise ScopeError(f"{target!r} is not a plain path.", hint="Encoded, dotted or empty segments are refused.")
    customer = incident.alert.customer_tenant_id.lower()
    if len(segments) > 2 and segments[1].lower() == "customers" and segments[2].lower() != customer:
        raise ScopeError(
            f"{target!r} belongs to customer {segments[2]}, the incident is about {customer}.",
            hint="Open an incident for that customer.",
        )


def why_protected(action: Action, case: Case) -> str:
    """Say in a sentence why the action's target must not be touched, or return "" when nothing protects it."""
    if is_assignment_above(action.target):
        return _by_role_above(action, case)
    if not is_arm(action.target):
        if "delegatedadmin" in action.target.lower():
            return _by_relationship(action, case)
        return _by_principal(action, case)
    target = ResourceId.parse(action.target)
    with_it = [ResourceId.parse(one) for one in _goes_with_it(action)]
    for one in (target, *with_it):
        reason = named(one, case) or _by_owner(one, case) or _by_lock(action, one, case)
        if reason:
            return reason if one is target else f"{one.name} goes with it, and: {reason}"
    return _by_role(action, target, case)


def _by_relationship(action: Action, case: Case) -> str:
    """Delegated access is the partner's: only a check of the partner's own tenant may end it, and never that to the customer we respond for."""
    facts = case.get(PartnerCustomers)
    if action.kind != ENDS_RELATIONSHIP or not case.incident.alert.is_about_partner or facts is None:
        return "It is the partner's own delegated access."
    identifier = action.target.rsplit("/", 1)[-1].lower()
    found = next((one for one in facts.relationships or () if one.id.lower() == identifier), None)
    if found is None:
        return "It is not among the relationships that were read, so nobody knows whose access it is."
    own = case.parameter(action.step, "own_customers", None)
    if own is None or found.customer_id in own:
        return "It is the access of this installation to a customer that it responds for."
    return ""


def last_owner(actions: Sequence[Action], case: Case) -> dict[str, str]:
    """Return action ids with reasons for removals that together would leave the subscription without an Owner.

    The oldest Owner among those to be removed is the one that is kept; the others may go.
    """
    access = case.get(AccessFacts)
    if access is None:
        return {}
    owners = [r for r in access.role_assignments if _is_owner_of_all(r, case.incident.subscription_id)]
    removals = {a.target.lower(): a.id for a in actions if _verb(a) in _TAKING_AWAY}
    going = sorted(
        (r for r in owners if r.id.lower() in removals),
        key=lambda r: (r.created_at is not None, r.created_at.isoformat() if r.created_at else "", r.id.lower()),
    )
    if not going or len(going) < len(owners):
        return {}
    kept = going[0]
    return {removals[kept.id.lower()]: "Without it the subscription would have no Owner left."}


def last_administrator(actions: Sequence[Action], case: Case) -> dict[str, str]:
    """Return action ids with reasons for what together would leave the tenant without a Global Administrator who can sign in.

    Those count as left who hold the role now, are not disabled and are nobody's intruder. Accounts of the attacker's own go first, so that
    what has to stay is somebody's, stolen or not. When it was not read who holds the role, nothing of the kind is done.
    """
    by_holder: dict[str, list[Action]] = {}
    for action in actions:
        if holder := _whose_rule(action):
            by_holder.setdefault(holder, []).append(action)
    if not by_holder:
        return {}
    facts, intrusion = case.get(Administrators), case.get(Intrusion)
    holders = {one.id.lower() for one in facts.administrators if _rules(one)} if facts else set[str]()
    if not holders:
        why = "It was not read who is Global Administrator here, so the last one could be shut out."
        return {action.id: why for group in by_holder.values() for action in group}
    own = {one.id for one in intrusion.intruders if one.own} if intrusion else set[str]()
    going: set[str] = set()
    refused: dict[str, str] = {}
    for holder in sorted(by_holder.keys() & holders, key=lambda one: (one not in own, one)):
        if holders - own - going - {holder}:
            going.add(holder)
            continue
        why = "No other Global Administrator who can sign in would be left: give the role to somebody trusted first."
        refused |= {action.id: why for action in by_holder[holder]}
    return refused


def shuts_out(action: Action) -> bool:
    """Whether an action could keep somebody from administering the tenant, so that it has to be known who does."""
    return bool(_whose_rule(action))


def _whose_rule(action: Action) -> str:
    """The principal whom an action keeps from being Global Administrator, "" for any other action."""
    if action.kind in _SHUTTING_OUT and action.target.startswith("/v1.0/users/"):
        return action.target.rsplit("/", 1)[-1].lower()
    takes = action.kind == "directory_role.remove" and action.params.get("role_id") == GLOBAL_ADMINISTRATOR
    return str(action.params.get("principal_id", "")).lower() if takes else ""


def _rules(one: Administrator) -> bool:
    held = any(role.role_id == GLOBAL_ADMINISTRATOR and not role.eligible for role in one.roles)
    return held and one.kind == "user" and one.enabled is True


def over_limits(plan_actions: Sequence[Action], case: Case) -> tuple[str, ...]:
    """Sentences on every limit of the playbook that the actions exceed together; empty when they are within all."""
    limits = case.playbook.guard_rails.limits
    found: list[str] = []
    if len(plan_actions) > limits.max_actions:
        found.append(f"{len(plan_actions)} actions, the limit is {limits.max_actions}.")
    money = sum((a.per_hour for a in plan_actions if a.per_hour is not None), start=Decimal(0))
    if money > limits.max_per_hour:
        found.append(f"It touches resources of {money:f} an hour, the limit is {limits.max_per_hour:f}.")
    regions = {a.region.lower() for a in plan_actions if a.region}
    if len(regions) > limits.max_regions:
        found.append(f"{len(regions)} regions, the limit is {limits.max_regions}.")
    touched, population = _share(plan_actions, case)
    if population and touched > limits.max_share * population:
        found.append(
            f"{touched} of the subscription's {population} resources of these kinds, "
            f"the limit is a share of {limits.max_share.normalize():f}."
        )
    return tuple(found)


def check_before_writing(plan: Plan, actions: Iterable[Action], case: Case, *, limits_lifted: bool) -> dict[str, str]:
    """Put every guard rail to an approved plan once more, right before it is carried out.

    Returns action ids with the reason for those that are protected by now: they are refused, the others go on. (Were the whole plan
    refused, an attacker could stop a containment by setting one tag.)

    Raises:
        ScopeError: an action reaches outside the incident.
        GuardRailError: what is left of the plan is over a limit that was not lifted in the gate.
    """
    chosen = tuple(actions)
    for action in chosen:
        check_action(action, case.incident)
    refused = {action.id: reason for action in chosen if (reason := why_protected(action, case))}
    refused |= _last_of_all([action for action in chosen if action.id not in refused], case)
    # Leaving actions out makes a plan smaller, so what counts is what is left; the plan's own sentences are not taken on trust.
    left = tuple(action for action in chosen if action.id not in refused)
    if not limits_lifted and (problems := over_limits(left, case)):
        raise GuardRailError(
            f"Plan {plan.digest[:12]} is over its limits: {' '.join(problems)}",
            rail="limits",
            limit=case.playbook.guard_rails.limits,
            found=problems,
            hint="Leave actions out, or type the override in the gate.",
        )
    return refused


def protected_since(actions: Iterable[Action], now: Case) -> dict[str, str]:
    """Return action ids with the reason for those that facts read right now protect. `now` is the case with those facts."""
    chosen, access = tuple(actions), now.get(AccessFacts)
    there = {one.id.lower() for one in access.role_assignments} if access else set()
    refused = {}
    for action in chosen:
        gone = is_assignment_above(action.target) or (
            is_arm(action.target) and ResourceId.parse(action.target).type == _ASSIGNMENTS
        )
        if gone and action.target.lower() not in there:
            continue  # somebody else took it away: the look says so
        if reason := why_protected(action, now):
            refused[action.id] = reason
    return refused | _last_of_all([action for action in chosen if action.id not in refused], now)


def _last_of_all(actions: Sequence[Action], case: Case) -> dict[str, str]:
    return last_owner(actions, case) | last_administrator(actions, case)


def _goes_with_it(action: Action) -> tuple[str, ...]:
    """Ids of what Azure may delete together with the target."""
    return tuple(map(str, action.params.get("disks", ())))


def _followed(action: Action) -> Iterator[str]:
    """Ids in the parameters that `apply` or `look` builds a request from, or that Azure copies from."""
    yield from _goes_with_it(action)
    if "snapshot" in action.params:
        yield str(action.params["snapshot"])
    yield from _sources(action.params.get("document"))


def _sources(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if key.lower() in ("sourceresourceid", "sourceuri") and isinstance(value, str):
                yield value
            else:
                yield from _sources(value)
    elif isinstance(document, (list, tuple)):
        for value in document:
            yield from _sources(value)


def _check_address(url: str, target: str) -> None:
    """A blob's address must be of the storage account that its id names: `https://{account}.blob...`, or where a cloud serves all accounts
    under one host (the embedded one does) `https://host/blob/{account}/...`.
    """
    parts, place = urlsplit(url), target.lower().split("/")
    account = place[place.index("storageaccounts") + 1] if "storageaccounts" in place[:-1] else ""
    host = (parts.hostname or "").lower()
    by_path = ".blob." not in host and parts.path.lower().startswith(f"/blob/{account}/")
    if not account or parts.scheme != "https" or parts.username or not (host.split(".")[0] == account or by_path):
        raise ScopeError(
            f"{url!r} is not an address of {account or 'a storage account of the incident'}.",
            hint="A blob is reached at its own account alone.",
        )


def _by_owner(target: ResourceId, case: Case) -> str:
    inventory = case.get(Inventory)
    for scale_set in inventory.scale_sets if inventory else ():
        if scale_set.managed_by and target.is_within(scale_set.id):
            return f"It belongs to {scale_set.managed_by}, which would put it back; act on that instead."
    return ""


def _by_lock(action: Action, target: ResourceId, case: Case) -> str:
    access = case.get(AccessFacts)
    if not case.protection.respect_locks:
        return ""
    locks = access.locks if access else ()
    if target.type == "microsoft.authorization/locks":
        lock = next((one for one in locks if one.id.lower() == target.key), None)
        if _verb(action) not in _TAKING_AWAY or (lock is not None and _may_go(lock, case)):
            return ""
        return "It is a lock that neither the attacker nor an undo of this incident made."
    for lock in locks:
        blocks = lock.level.lower() == "readonly" or _verb(action) in _TAKING_AWAY
        covers = target.is_within(lock.scope) or lock.scope.lower().startswith(target.key + "/")
        if blocks and covers and not (_is_attackers(lock, case) or (_responds_again(action) and _is_ours(lock, case))):
            return f"The lock {lock.id} ({lock.level}) covers it, and the attacker did not make that lock."
    return ""


def _by_role(action: Action, target: ResourceId, case: Case) -> str:
    if target.type != _ASSIGNMENTS:
        return _by_principal(action, case)
    access = case.get(AccessFacts)
    known = access.role_assignments if access else ()
    assignment = next((one for one in known if one.id.lower() == target.key), None)
    if assignment is None:
        if _verb(action) in _ADDING:
            return _by_principal(action, case)
        return "It is not among the role assignments that were read, so nobody knows whose access it is."
    if assignment.principal_type.lower() == "foreigngroup":
        return "It is the partner's own delegated access (ForeignGroup)."
    return _principal(assignment.principal_id, case)


def _by_role_above(action: Action, case: Case) -> str:
    """A role assignment at a management group: only what was read as holding here may go, and only as a role assignment comes and goes."""
    if action.kind not in ("access.remove", "access.restore"):
        return "It is above the subscription, where nothing but role assignments is taken away."
    access = case.get(AccessFacts)
    known = access.role_assignments if access else ()
    assignment = next((one for one in known if one.id.lower() == action.target.lower()), None)
    if assignment is None:
        if action.kind == "access.restore":
            return _by_principal(action, case)
        return "It is not among the role assignments that were read, so nobody knows whose access it is."
    if assignment.principal_type.lower() == "foreigngroup":
        return "It is the partner's own delegated access (ForeignGroup)."
    return _principal(assignment.principal_id, case)


def _by_principal(action: Action, case: Case) -> str:
    named = [str(action.params[name]) for name in _PRINCIPAL_PARAMS if name in action.params]
    for principal in [*named, *action.target.split("/")]:
        if reason := _principal(principal, case):
            return reason
    return ""


def _principal(principal_id: str, case: Case) -> str:
    lowered = principal_id.lower()
    subscription = case.get(SubscriptionFacts)
    if lowered and subscription and lowered in {own.lower() for own in subscription.own_principal_ids}:
        return "It is the identity that this response runs as."
    if lowered and subscription and lowered in {group.lower() for group in subscription.member_of}:
        return "It is a group through which the identity that this response runs as has its access."
    for who, protection in seen(case).named_by:
        if lowered and lowered in {entry.strip().lower() for entry in protection.principals}:
            return f"The {who} protects principal {principal_id}."
    return ""


def _may_go(lock: Lock, case: Case) -> bool:
    return _is_attackers(lock, case) or _is_ours(lock, case)


def _responds_again(action: Action) -> bool:
    """Whether an action takes back an earlier undo: it meets the locks which that undo placed."""
    return bool(action.params.get(UNDOES)) and not action.params.get(GIVES_BACK_TO)


def _is_ours(lock: Lock, case: Case) -> bool:
    """Whether an undo of this incident placed the lock, and nobody has placed it anew since."""
    placed = case.placed.get(lock.id.lower())
    if placed is None:
        return False
    activity = case.get(ActivityFacts)
    creation = activity.creators.get(lock.id.lower()) if activity else None
    return creation is None or creation.at <= placed + _CLOCKS_DIFFER


def _is_attackers(lock: Lock, case: Case) -> bool:
    attribution, activity = case.get(Attribution), case.get(ActivityFacts)
    if attribution is None:
        return False
    judged = attribution.of(lock.id)
    if judged is not None:
        return judged.cls is Class.ATTACKER
    creation = activity.creators.get(lock.id.lower()) if activity else None
    return creation is not None and attribution.did(creation)


def _is_owner_of_all(assignment: RoleAssignment, subscription_id: str) -> bool:
    scope = assignment.scope.lower().rstrip("/")
    whole = scope in ("", f"/subscriptions/{subscription_id.lower()}") or "/managementgroups/" in scope
    return whole and (assignment.role_name.lower() == "owner" or assignment.role_definition_id.lower().endswith(_OWNER))


def _verb(action: Action) -> str:
    return action.kind.rsplit(".", 1)[-1]


def _share(actions: Sequence[Action], case: Case) -> tuple[int, int]:
    """How many distinct targets of counted kinds are acted on, and how many resources of these kinds there are."""
    disks, access = case.get(DiskFacts), case.get(AccessFacts)
    ids = {one.id.lower() for one in population(case.get(Inventory))}
    platform = case.get(PlatformCompute)
    ids |= {one.id.lower() for one in platform.items} if platform else set()
    if disks is not None:
        ids |= {d.id.lower() for d in disks.disks} | {b.id.lower() for b in disks.blobs}
    if access is not None:
        ids |= {r.id.lower() for r in access.role_assignments}
    targets = {a.target.lower() for a in actions if is_arm(a.target)} & ids
    kinds = {ResourceId.parse(target).type for target in targets}
    return len(targets), sum(1 for one in ids if _type(one) in kinds)


@lru_cache(maxsize=50_000)  # each plan of an incident asks it of the same ids
def _type(resource_id: str) -> str:
    try:
        return ResourceId.parse(resource_id).type
    except ScopeError:
        return ""
