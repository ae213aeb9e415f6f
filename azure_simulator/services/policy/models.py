"""Which assignment, if any, denies that a resource is created, updated or deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from azure_simulator.arm import covers, scope_of, target
from azure_simulator.services.policy import rules
from azure_simulator.services.policy.exceptions import RequestDisallowedByPolicyError
from azure_simulator.world import Document, Table, World

# What no denyAction protects from deletion, lest nobody could lift it any more.
# https://learn.microsoft.com/azure/governance/policy/concepts/effect-deny-action
_ALWAYS_DELETABLE = frozenset(
    {
        "microsoft.authorization/policyassignments",
        "microsoft.authorization/denyassignments",
        "microsoft.authorization/locks",
        "microsoft.blueprint/blueprintassignments",
        "microsoft.resources/deploymentstacks",
        "microsoft.resources/subscriptions",
    }
)
GROUP = "Microsoft.Resources/subscriptions/resourceGroups"


@dataclass(frozen=True)
class Rule:
    """One definition as an assignment applies it: its parameters by lower-case name, its effect, and its name in an initiative."""

    definition: Document
    parameters: Document
    effect: str
    reference: str


def set_definitions(world: World) -> Table:
    """Initiatives, by id."""
    return world.table("policy.set_definitions")


def exemptions(world: World) -> Table:
    """Exemptions, by id."""
    return world.table("policy.exemptions")


def check(world: World, resource_id: str, document: Document, *, patch: bool = False) -> None:
    """Refuse the write of `document` at `resource_id` when an effective assignment denies it.

    A PATCH is judged as the resource would look afterwards. Services call this too for what they create without a request.

    Raises:
        RequestDisallowedByPolicyError: naming the assignment and definition.
    """
    if not world.policy_assignments:
        return
    aim = target(resource_id)
    if not aim.kind:
        return
    resource = {**document, "type": aim.kind, "name": aim.name, "id": resource_id}
    existing = world.resources.get(resource_id)
    if existing is not None:
        resource.setdefault("location", existing.get("location"))
        if patch:
            resource = {**existing, **resource}
            resource["properties"] = {**existing.get("properties", {}), **(document.get("properties") or {})}
    _refuse(world, resource, "deny")


def check_deletion(world: World, resource_id: str) -> None:
    """Refuse a deletion that an assignment with the effect denyAction forbids, for a group also on behalf of what is in it.

    Raises:
        RequestDisallowedByPolicyError: naming the assignment and definition.
    """
    if not world.policy_assignments:
        return
    aim = target(resource_id)
    kind = aim.kind or (GROUP if aim.group else "")
    if not kind or kind.lower() in _ALWAYS_DELETABLE:
        return
    group = world.groups.get(resource_id) if not aim.kind else None
    found = world.resources.get(resource_id) or group or {}
    _refuse(world, {**found, "type": kind, "name": aim.name, "id": resource_id}, "denyaction")
    if not aim.kind:
        for row in list(world.resources.values()):
            if covers(resource_id, row["id"]) and row.get("location"):
                _refuse(world, row, "denyaction", cascade=True)


def _refuse(world: World, resource: Document, effect: str, *, cascade: bool = False) -> None:
    for assignment in list(world.policy_assignments.values()):
        if not is_effective(world, assignment, resource["id"]):
            continue
        for rule in applied(world, assignment, resource):
            properties = rule.definition["properties"]
            indexed = properties.get("mode", "All") == "Indexed"
            if indexed and not resource.get("location"):
                continue  # such definitions judge only what has a location
            then = properties.get("policyRule", {}).get("then", {})
            details = then.get("details") or {}
            if cascade and not (
                indexed and str((details.get("cascadeBehaviors") or {}).get("resourceGroup", "deny")).lower() == "deny"
            ):
                continue
            if rule.effect == effect and rules.holds(
                properties.get("policyRule", {}).get("if", {}), resource, rule.parameters
            ):
                raise RequestDisallowedByPolicyError(
                    resource["name"], assignment, rule.definition, effect=rule.effect, reference=rule.reference
                )


def is_effective(world: World, assignment: Document, resource_id: str) -> bool:
    """Whether an assignment binds a resource by now: enforced, in its scope, and not fresh."""
    properties = assignment["properties"]
    if properties.get("enforcementMode", "Default") != "Default" or not covers(properties["scope"], resource_id):
        return False
    if any(covers(excluded, resource_id) for excluded in properties.get("notScopes") or ()):
        return False
    since: datetime | None = assignment.get("_assigned_at")
    return since is None or since + timedelta(seconds=world.policy_delay_seconds) <= world.clock.now()


def applied(world: World, assignment: Document, resource: Document) -> Iterator[Rule]:
    """What an assignment applies to a resource: one definition, or those of its initiative, less what is exempt or selected away."""
    properties = assignment["properties"]
    if not _selected(properties.get("resourceSelectors"), resource):
        return
    for definition, parameters, reference in definitions(world, assignment):
        if _is_exempt(world, assignment, reference, resource):
            continue
        then = definition["properties"].get("policyRule", {}).get("then", {})
        effect = _overridden(properties.get("overrides"), reference, resource)
        effect = effect or rules.resolve(then.get("effect"), resource, parameters)
        yield Rule(definition, parameters, str(effect).lower(), reference)


def definitions(world: World, assignment: Document) -> list[tuple[Document, Document, str]]:
    """The definition of an assignment with its parameters by lower-case name; several, each with its reference, for an initiative."""
    properties = assignment["properties"]
    given = {name.lower(): value.get("value") for name, value in (properties.get("parameters") or {}).items()}
    wanted = properties["policyDefinitionId"]
    initiative = set_definitions(world).get(wanted)
    if initiative is None:
        found = world.policy_definitions.get(wanted)
        return [(found, _defaults(found) | given, "")] if found is not None else []
    result = []
    for member in initiative["properties"]["policyDefinitions"]:
        inner = world.policy_definitions.get(member["policyDefinitionId"])
        if inner is not None:
            values = {
                name.lower(): rules.resolve(value.get("value"), {}, _defaults(initiative) | given)
                for name, value in (member.get("parameters") or {}).items()
            }
            result.append((inner, _defaults(inner) | values, str(member.get("policyDefinitionReferenceId", ""))))
    return result


def _is_exempt(world: World, assignment: Document, reference: str, resource: Document) -> bool:
    for row in exemptions(world).values():
        properties = row["properties"]
        only = [str(one).lower() for one in properties.get("policyDefinitionReferenceIds") or ()]
        expires = str(properties.get("expiresOn") or "")
        if (
            str(properties["policyAssignmentId"]).lower() == assignment["id"].lower()
            and covers(scope_of(row["id"]), resource["id"])
            and (not only or reference.lower() in only)
            and (not expires or moment(expires) > world.clock.now())
            and _selected(properties.get("resourceSelectors"), resource)
        ):
            return True
    return False


def moment(written: str) -> datetime:
    """A time as exemptions write it."""
    found = datetime.fromisoformat(written.replace("Z", "+00:00"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _selected(selectors: object, resource: Document, reference: str = "") -> bool:
    """Whether a resource is among those that any of the named selectors picks; all kinds within one must agree."""
    chosen = selectors if isinstance(selectors, list) else []
    return not chosen or any(
        all(_picks(one, resource, reference) for one in named.get("selectors") or ()) for named in chosen
    )


def _picks(selector: Document, resource: Document, reference: str) -> bool:
    kind = str(selector.get("kind", "")).lower()
    value = {
        "resourcelocation": str(resource.get("location") or "").replace(" ", ""),
        "resourcetype": str(resource.get("type") or ""),
        "policydefinitionreferenceid": reference,
        "resourcewithoutlocation": "" if resource.get("location") else "subscriptionLevelResources",
    }.get(kind, "")
    wanted = [str(one).lower() for one in selector.get("in") or ()]
    unwanted = [str(one).lower() for one in selector.get("notIn") or ()]
    return (not wanted or value.lower() in wanted) and value.lower() not in unwanted


def _overridden(overrides: object, reference: str, resource: Document) -> str:
    """The effect that an assignment's override sets in place of the definition's, "" without one."""
    for one in overrides if isinstance(overrides, list) else ():
        if str(one.get("kind", "")).lower() == "policyeffect" and all(
            _picks(selector, resource, reference) for selector in one.get("selectors") or ()
        ):
            return str(one.get("value", ""))
    return ""


def _defaults(definition: Document) -> Document:
    parameters = definition["properties"].get("parameters") or {}
    return {name.lower(): spec["defaultValue"] for name, spec in parameters.items() if "defaultValue" in spec}
