"""Which assignment, if any, denies that a resource is created or updated."""

from __future__ import annotations

from datetime import datetime, timedelta

from azure_simulator.arm import covers, target
from azure_simulator.services.policy import rules
from azure_simulator.services.policy.exceptions import RequestDisallowedByPolicyError
from azure_simulator.world import Document, World


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
    for assignment in list(world.policy_assignments.values()):
        if not is_effective(world, assignment, resource_id):
            continue
        for definition, parameters in definitions(world, assignment):
            if definition["properties"].get("mode", "All") == "Indexed" and not resource.get("location"):
                continue  # such definitions judge only what has a location
            rule = definition["properties"].get("policyRule", {})
            effect = rules.resolve(rule.get("then", {}).get("effect"), resource, parameters)
            if str(effect).lower() == "deny" and rules.holds(rule.get("if", {}), resource, parameters):
                raise RequestDisallowedByPolicyError(aim.name, assignment, definition)


def is_effective(world: World, assignment: Document, resource_id: str) -> bool:
    """True when the assignment enforces, has taken effect, and its scope (less its notScopes) covers the resource."""
    properties = assignment["properties"]
    if properties.get("enforcementMode", "Default") != "Default" or not covers(properties["scope"], resource_id):
        return False
    if any(covers(excluded, resource_id) for excluded in properties.get("notScopes") or ()):
        return False
    since: datetime | None = assignment.get("_assigned_at")
    return since is None or since + timedelta(seconds=world.policy_delay_seconds) <= world.clock.now()


def definitions(world: World, assignment: Document) -> list[tuple[Document, Document]]:
    """The definition of an assignment with its parameters by lower-case name; several for an initiative."""
    properties = assignment["properties"]
    given = {name.lower(): value.get("value") for name, value in (properties.get("parameters") or {}).items()}
    found = world.policy_definitions.get(properties["policyDefinitionId"])
    if found is None:
        return []
    members = found["properties"].get("policyDefinitions")
    if members is None:
        return [(found, _defaults(found) | given)]
    result = []
    for member in members:
        inner = world.policy_definitions.get(member["policyDefinitionId"])
        if inner is not None:
            values = {
                name.lower(): rules.resolve(value.get("value"), {}, _defaults(found) | given)
                for name, value in (member.get("parameters") or {}).items()
            }
            result.append((inner, _defaults(inner) | values))
    return result


def _defaults(definition: Document) -> Document:
    parameters = definition["properties"].get("parameters") or {}
    return {name.lower(): spec["defaultValue"] for name, spec in parameters.items() if "defaultValue" in spec}
