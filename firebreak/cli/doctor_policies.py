"""What `firebreak doctor` says of Azure Policy: which policies refuse what a playbook's steps write or delete, and which could not be judged.

There is no plan yet, so a request is judged by its type alone: a policy that refuses only some things of that type is named as one that may.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from firebreak.analysis.policies import Asked, Judge
from firebreak.analysis.policy_rules import UNKNOWN
from firebreak.clients import Check
from firebreak.model.facts import AccessFacts
from firebreak.model.step import Effect, Step

_SHOWN = 6


def policy_check(name: str, subscription: str, access: AccessFacts, steps: Sequence[Step]) -> Check:
    """Judge what the changing steps may send by the policies that were read."""
    if not access.policies_were_read:
        return Check(
            name=name,
            ok=False,
            detail="Not judged: the policy assignments could not be read.",
            hint="Give the identity a role that holds Microsoft.Authorization/policyAssignments/read, such as Reader.",
        )
    judge, refused, perhaps, unread = (
        Judge(access, datetime.now(UTC)),
        dict[str, None](),
        dict[str, None](),
        dict[str, None](),
    )
    for asked in _requests(subscription, access, steps):
        does = f"{'deleting' if asked.deletes else 'writing'} {asked.type.rsplit('/', 1)[-1]}"
        for one in judge(asked):
            if one.unread:
                unread[f"{one.name} ({one.unread})"] = None
            else:
                (refused if one.refuses else perhaps)[f"{one.name} ({does})"] = None
    said = [
        f"{head}: {', '.join(list(named)[:_SHOWN])}"
        + (f" and {len(named) - _SHOWN} more." if len(named) > _SHOWN else ".")
        for head, named in (
            ("Refused by policy", refused),
            ("Perhaps refused by policy", perhaps),
            ("Not judged", unread),
        )
        if named
    ]
    hint = "Exempt what the response needs, or know whom to ask for an exemption at night." if refused else ""
    return Check(name=name, ok=not refused, detail=" ".join(said) or "None stands in the way of its steps.", hint=hint)


def _requests(subscription: str, access: AccessFacts, steps: Sequence[Step]) -> Iterator[Asked]:
    """One request for each type that a step writes or deletes, in the subscription and below each narrower scope of an assignment."""
    whole = f"/subscriptions/{subscription}"
    scopes = {whole: None} | {
        one.scope: None
        for one in access.policy_assignments
        if one.scope.lower().startswith(f"{whole}/resourcegroups/".lower()) and len(one.scope.split("/")) == 5
    }
    wanted = {p: None for step in steps if step.effect is not Effect.READ for p in step.permissions}
    for permission in wanted:
        kind, _, verb = permission.lower().rpartition("/")
        if verb not in ("write", "delete") or not kind.startswith("microsoft."):
            continue
        for scope in scopes:
            inside = scope if scope != whole else f"{whole}/resourceGroups/any"
            resource = dict.fromkeys(("location", "tags", "kind", "name"), UNKNOWN) | {"type": kind}
            yield Asked(target=f"{inside}/providers/{kind}/any", deletes=verb == "delete", resource=resource)
