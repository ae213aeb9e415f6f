"""Conditional access policies that hardening makes: only reporting at first, emergency accounts kept out, known by their name.

Graph gives a new policy an id of its own, so a policy is found again by its name: `target` ends with it, as a plain word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from firebreak.analysis.hardening.sign_in_rules import REPORTS, emergency_of
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.hardening import SignInRules
from firebreak.model.identity import AccessPolicy, TenantProtection
from firebreak.model.plan import Action, action_id
from firebreak.model.step import FREE, Effect, Sent, Target
from tasks.arm import Document, text_at, value_at
from tasks.requests import request_id
from tasks.settled import covers
from tasks.words import plain

PATH: Final = "/v1.0/identity/conditionalAccess/policies"
PERMISSIONS: Final = ("Policy.Read.All", "Policy.ReadWrite.ConditionalAccess", "Application.Read.All")
_AS_MADE, _CHANGED = "as it was made", "changed by somebody since"
_KEPT = ("displayName", "state", "conditions", "grantControls", "sessionControls")


def document(case: Case, name: str, conditions: Document, controls: Document) -> Document:
    """A policy for all people and applications that only reports; emergency accounts are excepted."""
    rules = case.get(SignInRules)
    people = (
        rules.emergency_people if rules else emergency_of(case.get(TenantProtection), case.protection.principals)[0]
    )
    groups = rules.emergency_groups if rules else ()
    return {
        "displayName": name,
        "state": REPORTS,
        "conditions": {
            "users": {"includeUsers": ["All"], "excludeUsers": list(people), "excludeGroups": list(groups)},
            "applications": {"includeApplications": ["All"]},
            "clientAppTypes": ["all"],
            **conditions,
        },
        "grantControls": controls,
    }


def make(step: str, case: Case, *, aspect: str, word: str, body: Document, reasons: Sequence[str]) -> Action:
    """The action that makes a policy. `aspect` begins its kind, `word` ends its target."""
    users = body["conditions"]["users"]
    kept_out = [*users["excludeUsers"], *users["excludeGroups"]]
    target = f"{PATH}/{word}"
    return Action(
        id=action_id(step, f"{aspect}.make", target),
        step=step,
        kind=f"{aspect}.make",
        target=target,
        title=f"Make the policy {plain(str(body['displayName']))}, which only reports",
        effect=Effect.REVERSIBLE,
        reasons=(
            *reasons,
            "It stops nobody: for each sign-in it notes whether it would have. Read its report for a week or two before you switch it on.",
            f"Kept out of it: {plain(', '.join(kept_out), 400)}."
            if kept_out
            else "NOBODY is kept out of it: name emergency accounts (FIREBREAK_PROTECTION__PRINCIPALS) before you switch it on.",
        ),
        fingerprint=dict(FREE),
        params={"document": body, "case": case.incident.case},
    )


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    """Each policy by its name, as it stands now."""
    found = await eyes.graph.list(PATH) if actions else []
    return {action.id: _target(action, found) for action in actions}


def _target(action: Action, policies: Sequence[Document]) -> Target:
    wanted = action.params["document"]
    named = [one for one in policies if text_at(one, "displayName") == wanted["displayName"]]
    goes = action.kind.endswith(".delete_again")
    if not named:
        return Target(exists=False, already_so=goes, state="absent", fingerprint=dict(FREE), prior={"document": {}})
    same = all(covers(value_at(wanted, name), value_at(named[0], name)) for name in wanted)
    state = _AS_MADE if same and len(named) == 1 else _CHANGED
    return Target(
        exists=True,
        already_so=not goes and state == _AS_MADE,
        state=state,
        fingerprint={"place": "taken", "policy": state},
        prior={"document": {name: value_at(named[0], name) for name in _KEPT if value_at(named[0], name)}},
        etag=text_at(named[0], "id") if goes else "",  # the one policy of this name in this look: what is deleted
        conflict=f"{len(named)} policies have this name." if len(named) > 1 else "",
    )


async def apply(action: Action, hands: Hands) -> Sent:
    again = request_id(action)
    if action.kind.endswith(".delete_again"):
        return await hands.graph.delete(f"{PATH}/{action.params['etag']}", request_id=again)
    return await hands.graph.post(PATH, action.params["document"], request_id=again)


def undo(action: Action, prior: Mapping[str, Any]) -> Action | None:
    """Delete the policy again while it is as it was made; make it again."""
    aspect = action.kind.partition(".")[0]
    goes = action.kind.endswith(".make")
    body = action.params["document"] if goes else dict(prior.get("document") or {})
    if not body:
        return None
    kind = f"{aspect}.delete_again" if goes else f"{aspect}.make"
    name = plain(str(body["displayName"]))
    return Action(
        id=action_id(action.step, kind, f"{action.target}#undo"),
        step=action.step,
        kind=kind,
        target=action.target,
        title=f"Delete the policy {name} again" if goes else f"Make the policy {name} again",
        effect=Effect.REVERSIBLE,
        reasons=("It was not there before.",) if goes else ("It was there before.",),
        fingerprint={"policy": _AS_MADE} if goes else dict(FREE),
        params={"document": body, "case": action.params.get("case", "")},
    )


def standing(protection: TenantProtection, fits: Any) -> AccessPolicy | None:
    """A policy that does it already, enforced before one that reports; None when there is none."""
    fitting = [one for one in protection.policies or () if fits(one) and one.state != "disabled"]
    return min(fitting, key=lambda one: (one.state == REPORTS, one.id), default=None)
