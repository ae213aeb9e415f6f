"""Have people told when roles on the subscription change and when Microsoft publishes a security notice: a list of people and three rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from firebreak.analysis.hardening.alerting import ROLE_CHANGES, hears, told_by
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.facts import Inventory
from firebreak.model.hardening import Alerting
from firebreak.model.plan import Action, NoOp, action_id
from firebreak.model.step import FREE, Effect, Sent, Step, Target
from tasks.arm import ACTION_GROUPS, ACTIVITY_ALERTS, RESOURCES, Document, text_at
from tasks.settled import Settled, mails
from tasks.words import plain

STEP = Step(
    id="harden.alert_rules",
    title="Have people told of changes of rights and of Microsoft's notices",
    effect=Effect.REVERSIBLE,
    description=(
        "Makes a resource group for alerts, an action group (the list of people) and alert rules on the activity log: a role given, a role taken "
        "away, and Service Health (Microsoft's notices). Where rules hear that already and reach somebody, nothing is made."
    ),
    permissions=(
        "Microsoft.Resources/subscriptions/resourceGroups/read",
        "Microsoft.Resources/subscriptions/resourceGroups/write",
        "Microsoft.Resources/subscriptions/resourceGroups/delete",
        "Microsoft.Insights/actionGroups/read",
        "Microsoft.Insights/actionGroups/write",
        "Microsoft.Insights/actionGroups/delete",
        "Microsoft.Insights/activityLogAlerts/read",
        "Microsoft.Insights/activityLogAlerts/write",
        "Microsoft.Insights/activityLogAlerts/delete",
    ),
    guidance=("S66", "S77", "S83"),
    needs=(Alerting, Inventory),
    parameters={
        "emails": "Addresses that are told. FIREBREAK_HARDENING__EMAILS when not given; without any, Azure mails the subscription's Owners.",
        "group": "Name of the resource group that the rules are kept in. rg-security-alerts when not given.",
        "region": "Where that group is made. The region with most of the subscription's resources when not given.",
    },
)

PLACE, PLACE_GONE = "alert_place.make", "alert_place.remove"
_GROUP, _NAME, _SHORT = "rg-security-alerts", "firebreak-alerts", "firebreak"
_EMPTY: Final = "nothing else is in it"
_OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
_PEOPLE = Settled(
    step=STEP.id,
    aspect="action_group",
    version=ACTION_GROUPS,
    kept=("groupShortName", "enabled", "emailReceivers", "armRoleReceivers", "webhookReceivers"),
)
_RULES = Settled(
    step=STEP.id,
    aspect="alert_rule",
    version=ACTIVITY_ALERTS,
    kept=("scopes", "condition", "actions", "enabled", "description"),
)


def plan(case: Case) -> list[Action | NoOp]:
    scope = f"/subscriptions/{case.incident.subscription_id}"
    if case.incident.alert.is_test:
        return [NoOp(step=STEP.id, target=scope, reason="Test alert: no rule is made.")]
    facts = case[Alerting]
    if facts.rules is None or facts.groups is None:
        return [
            NoOp(
                step=STEP.id,
                target=scope,
                reason="Alert rules or action groups could not be read: what is there already is not known.",
            )
        ]
    place = f"{scope}/resourceGroups/{case.parameter(STEP.id, 'group', _GROUP)}"
    group = f"{place}/providers/Microsoft.Insights/actionGroups/{_NAME}"
    made = any(one.id.lower() == place.lower() for one in case[Inventory].groups)
    waits = (*(() if made else (_id_of_place(place),)), _PEOPLE.id_of(group))
    rules: list[Action | NoOp] = []
    for name, (title, document, heard) in _wanted(case.incident.subscription_id, group).items():
        target = f"{place}/providers/Microsoft.Insights/activityLogAlerts/firebreak-{name}"
        telling = [rule for rule in facts.rules if heard(rule) and told_by(rule, facts.groups)]
        if telling:
            rules.append(NoOp(step=STEP.id, target=text_at(telling[0], "id"), reason=f"{title} is told already."))
        else:
            stands = _at(facts.rules, target)
            rules.append(
                _RULES.set(
                    case,
                    target=target,
                    title=f"Add an alert rule: {title}",
                    reasons=(
                        "Nobody is told of it now.",
                        "It costs nothing and changes nothing else.",
                        f"It tells the people of {_NAME}.",
                    ),
                    document=document,
                    stands=stands,
                    after=waits,
                )
            )
    if not any(isinstance(one, Action) for one in rules):
        return rules
    return [*(() if made else (_place(case, place),)), _people(case, group, facts.groups, waits[:-1]), *rules]


def _wanted(subscription_id: str, group: str) -> dict[str, tuple[str, Document, Any]]:
    """The rules by name: what each hears in words, its document, and whether another rule hears that as well."""
    found: dict[str, tuple[str, Document, Any]] = {}
    for name, operation in ROLE_CHANGES.items():
        what = "a role is given" if name == "role-given" else "a role is taken away"
        asks = {"category": "Administrative", "operationName": operation}
        found[name] = (
            what,
            _rule(subscription_id, group, asks, f"Tells people that {what} on the subscription or in it."),
            lambda rule, operation=operation: hears(
                rule, subscription_id, category="Administrative", operation=operation
            ),
        )
    found["service-health"] = (
        "Microsoft publishes a notice",
        _rule(
            subscription_id,
            group,
            {"category": "ServiceHealth"},
            "Tells people what Microsoft publishes, security first.",
        ),
        lambda rule: hears(rule, subscription_id, category="ServiceHealth", kind="Security"),
    )
    return found


def _rule(subscription_id: str, group: str, asks: dict[str, str], description: str) -> Document:
    return {
        "location": "Global",
        "properties": {
            "scopes": [f"/subscriptions/{subscription_id}"],
            "enabled": True,
            "description": description,
            "condition": {"allOf": [{"field": name, "equals": value} for name, value in asks.items()]},
            "actions": {"actionGroups": [{"actionGroupId": group}]},
        },
    }


def _people(case: Case, target: str, groups: Sequence[Document], after: Sequence[str]) -> Action:
    addresses = mails(case, STEP.id)
    told: Document = {
        "emailReceivers": [
            {"name": f"mail-{number}", "emailAddress": address, "useCommonAlertSchema": True}
            for number, address in enumerate(addresses, 1)
        ]
    }
    if not addresses:
        told = {"armRoleReceivers": [{"name": "owners", "roleId": _OWNER, "useCommonAlertSchema": True}]}
    who = ", ".join(addresses) or "everybody who is Owner of the subscription"
    return _PEOPLE.set(
        case,
        target=target,
        title=f"Make a list of people to tell: {plain(who, 120)}",
        reasons=("Alert rules tell such a list (an action group).", "Each address gets a mail that says it was added."),
        document={"location": "Global", "properties": {"groupShortName": _SHORT, "enabled": True, **told}},
        stands=_at(groups, target),
        after=after,
    )


def _place(case: Case, target: str) -> Action:
    counted = Counter(one.region for one in case[Inventory].resources if one.region and one.region != "global")
    most = min(counted, key=lambda name: (-counted[name], name), default="westeurope")
    region = str(case.parameter(STEP.id, "region", most))
    return Action(
        id=_id_of_place(target),
        step=STEP.id,
        kind=PLACE,
        target=target,
        title=f"Make the resource group {plain(target.rpartition('/')[2])} in {region} for the rules",
        effect=Effect.REVERSIBLE,
        reasons=(
            "Rules are kept apart from the workloads, so that nobody deletes them with one.",
            "An empty group costs nothing.",
        ),
        fingerprint=dict(FREE),
        params={"region": region, "case": case.incident.case},
    )


def _id_of_place(target: str) -> str:
    return action_id(STEP.id, PLACE, target)


def _at(documents: Sequence[Document], target: str) -> Document | None:
    return next((one for one in documents if text_at(one, "id").lower() == target.lower()), None)


async def look(actions: Sequence[Action], eyes: Eyes) -> dict[str, Target]:
    found = await _PEOPLE.look([one for one in actions if _PEOPLE.is_mine(one)], eyes)
    found |= await _RULES.look([one for one in actions if _RULES.is_mine(one)], eyes)
    for action in actions:
        if action.kind in (PLACE, PLACE_GONE):
            found[action.id] = await _look_at_place(action, eyes)
    return found


async def _look_at_place(action: Action, eyes: Eyes) -> Target:
    document = await eyes.arm.get(action.target, RESOURCES)
    if document is None:
        return Target(exists=False, already_so=action.kind == PLACE_GONE, state="absent", fingerprint=dict(FREE))
    inside = await eyes.arm.list(f"{action.target}/resources", RESOURCES) if action.kind == PLACE_GONE else []
    state = f"{len(inside)} resources are in it" if inside else _EMPTY
    return Target(
        exists=True,
        already_so=action.kind == PLACE,
        state=state,
        fingerprint={"contents": state},
        prior={"region": text_at(document, "location")},
    )


async def apply(action: Action, hands: Hands) -> Sent:
    if action.kind == PLACE:
        return await hands.arm.put(action.target, RESOURCES, {"location": action.params["region"]})
    if action.kind == PLACE_GONE:
        return await hands.arm.delete(action.target, RESOURCES)
    return await (_PEOPLE if _PEOPLE.is_mine(action) else _RULES).apply(action, hands)


def undo(action: Action, prior: dict[str, Any]) -> Action | None:
    """Take away what was made, the rules first; the resource group only while nothing else is in it."""
    if action.kind not in (PLACE, PLACE_GONE):
        return (_PEOPLE if _PEOPLE.is_mine(action) else _RULES).undo(action, prior)
    region = str(action.params.get("region") or prior.get("region") or "")
    name = plain(action.target.rpartition("/")[2])
    goes = action.kind == PLACE
    kind = PLACE_GONE if goes else PLACE
    return Action(
        id=action_id(STEP.id, kind, f"{action.target}#undo"),
        step=STEP.id,
        kind=kind,
        target=action.target,
        title=f"Delete the resource group {name}, which is empty again"
        if goes
        else f"Make the resource group {name} again",
        effect=Effect.REVERSIBLE,
        reasons=("It was made for the rules.",),
        fingerprint={"contents": _EMPTY} if goes else dict(FREE),
        params={"region": region, "case": action.params.get("case", "")},
    )
