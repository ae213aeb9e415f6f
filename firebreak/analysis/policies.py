"""Whether an Azure Policy would refuse a request, as far as it can be told from what was read: yes, no, or nobody can tell. Pure.

In go an assignment, the documents that were read of it and what is asked for; out come `Judgement`s, one for each definition that refuses
or may refuse, and one for what could not be judged at all. Nothing comes out of what surely lets the request through. How a rule is read stands
in `firebreak.analysis.policy_rules`. https://learn.microsoft.com/azure/governance/policy/concepts/assignment-structure
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis import policy_rules as rules
from firebreak.analysis.rights import is_at_or_below
from firebreak.model.facts import AccessFacts, PolicyAssignment

# Microsoft lets no denyAction protect these from deletion, lest nobody could lift it any more.
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
# Whether policies judge these is not documented, but for role assignments.
_DOUBTFUL = ("microsoft.authorization/", "microsoft.support/", "microsoft.quota/")
_ROLES = "microsoft.authorization/roleassignments"
_BUILT_IN = "/providers/microsoft.authorization/policydefinitions/"
_REFUSING = frozenset({"deny", "denyaction"})


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request that policies judge: the deletion of `target`, or a write after which it is `resource`.

    `resource` has the lower-case `type` and the fields of the document; what is not known of it is `policy_rules.UNKNOWN`.
    """

    target: str
    deletes: bool
    resource: Mapping[str, Any]

    @property
    def type(self) -> str:
        return str(self.resource.get("type", "")).lower()


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`refuses`: True, or None when nobody can tell. `unread` says why it was not judged at all; "" when only the resource is not known enough."""

    refuses: bool | None
    name: str
    unread: str = ""


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One definition as an assignment applies it, or (with `unread`) what is missing of it."""

    name: str
    reference: str = ""
    definition: Mapping[str, Any] = {}
    given: Mapping[str, Any] = {}
    unread: str = ""


class Judge:
    """Judges many requests by the same assignments: what never refuses a write, or never a deletion, is looked through once.

    `now` decides about exemptions that expire.
    """

    def __init__(self, access: AccessFacts, now: datetime) -> None:
        self._access = access
        self._now = now
        self._rules: dict[bool, list[tuple[PolicyAssignment, list[_Rule]]]] = {
            deletes: [
                (one, found)
                for one in access.policy_assignments
                if one.enforcement.lower() != "donotenforce" and (found := list(_rules(one, access, deletes)))
            ]
            for deletes in (False, True)
        }

    def __call__(self, asked: Asked) -> Iterator[Judgement]:
        """What all assignments together say to a request, in their order; nothing when they let it through."""
        if asked.deletes and asked.type in _ALWAYS_DELETABLE:
            return
        for assignment, found in self._rules[asked.deletes]:
            yield from self._of(assignment, found, asked)

    def _of(self, assignment: PolicyAssignment, found: Iterable[_Rule], asked: Asked) -> Iterator[Judgement]:
        properties = doc.mapping(assignment.document, "properties")
        selected = _selected(properties, asked, "")
        if selected is False or not _binds(assignment, properties, asked):
            return
        plain = assignment.enforcement.lower() in ("default", "")
        missing: dict[tuple[str, str], int] = {}
        for rule in found:
            free = _exempt(assignment, self._access, asked, self._now, rule.reference)
            if free is True:
                continue
            if rule.unread:
                missing[rule.name, rule.unread] = missing.get((rule.name, rule.unread), 0) + 1
                continue
            met = _refuses(rule, properties, asked)
            if met is not False:
                sure = met is True and free is False and selected is True and plain
                why = "" if plain else f"it is enforced in the mode {assignment.enforcement}"
                yield Judgement(refuses=True if sure else None, name=rule.name, unread=why)
        for (name, why), count in sorted(missing.items()):
            several = f"{count} of its definitions: " if count > 1 else ""
            yield Judgement(refuses=None, name=name, unread=several + why)


def _rules(assignment: PolicyAssignment, access: AccessFacts, deletes: bool) -> Iterator[_Rule]:
    """The definitions that an assignment applies, one or those of its initiative, less those whose effect refuses no such request."""
    properties = doc.mapping(assignment.document, "properties")
    name = assignment.name or assignment.id.rsplit("/", 1)[-1]
    document = access.policy_definitions.get(assignment.definition_id.lower())
    if document is None:
        why = access.policies_not_read.get(assignment.definition_id.lower(), "its definition was not read")
        yield _Rule(name=name, unread=why)
        return
    defined = doc.mapping(document, "properties")
    wanted, found = doc.text(properties, "definitionVersion"), doc.text(defined, "version")
    if not _same_major(wanted, found):
        yield _Rule(name=name, unread=f"version {wanted} is assigned, {found} was read")
        return
    given = parameters(defined, properties)
    if not is_initiative(document):
        if _may_refuse(defined, given, properties, deletes):
            yield _Rule(name=name, definition=defined, given=given)
        return
    for member in members(document):
        identity, reference = doc.path(member, "policyDefinitionId"), doc.text(member, "policyDefinitionReferenceId")
        values = {k: rules.resolved(v, given) for k, v in _values(member).items()}
        inner = access.policy_definitions.get(identity.lower())
        if inner is None:
            if can_refuse(identity, values, properties):
                why = access.policies_not_read.get(identity.lower(), "its definition was not read")
                yield _Rule(name=name, reference=reference, unread=why)
            continue
        body = doc.mapping(inner, "properties")
        pinned, read = doc.text(member, "definitionVersion"), doc.text(body, "version")
        title = f"{name}: {doc.text(body, 'displayName') or reference}"
        if not _same_major(pinned, read):
            yield _Rule(name=title, reference=reference, unread=f"version {pinned} is referred to, {read} was read")
        elif _may_refuse(body, applied := defaults(body) | values, properties, deletes):
            yield _Rule(name=title, reference=reference, definition=body, given=applied)


def _may_refuse(
    definition: Mapping[str, Any], given: Mapping[str, Any], assignment: Mapping[str, Any], deletes: bool
) -> bool:
    """Whether a definition refuses some write, or some deletion, whatever the resource is."""
    if doc.text(definition, "mode").lower().endswith(".data"):
        return False  # such definitions judge what is inside a vault or a cluster
    then = doc.mapping(definition, "policyRule", "then")
    names = [str(one).lower() for one in doc.items(then, "details", "actionNames")]
    if deletes and names and "delete" not in names and not any(one.startswith("[") for one in names):
        return False
    if doc.items(assignment, "overrides"):
        return True
    effect = rules.resolved(doc.field(then, "effect"), given)
    return not isinstance(effect, str) or effect.lower() == ("denyaction" if deletes else "deny")


def _refuses(rule: _Rule, properties: Mapping[str, Any], asked: Asked) -> bool | None:
    """Whether one definition refuses the request; exemptions apart."""
    then = doc.mapping(rule.definition, "policyRule", "then")
    effect = _effect(then, rule.given, properties, rule.reference, asked)
    if isinstance(effect, str) and effect.lower() != ("denyaction" if asked.deletes else "deny"):
        return False
    location = asked.resource.get("location")
    indexed = doc.text(rule.definition, "mode").lower() == "indexed"
    if indexed and location is not rules.UNKNOWN and not location:
        return False
    met = rules.holds(
        doc.field(rule.definition, "policyRule", "if"), {"id": asked.target, **asked.resource}, rule.given
    )
    doubtful = (
        not isinstance(effect, str)
        or (indexed and location is rules.UNKNOWN)
        or (asked.type.startswith(_DOUBTFUL) and asked.type != _ROLES)
    )
    return None if met is True and doubtful else met


def _effect(
    then: Mapping[str, Any], given: Mapping[str, Any], properties: Mapping[str, Any], reference: str, asked: Asked
) -> Any:
    """The effect in force: an override's, else the definition's; `UNKNOWN` when it cannot be told."""
    doubt = False
    for override in doc.items(properties, "overrides"):
        if doc.text(override, "kind").lower() != "policyeffect":
            continue
        picked = _every(_picks(one, asked, reference) for one in doc.items(override, "selectors"))
        if picked is True and not doubt:
            return doc.text(override, "value")
        doubt = doubt or picked is not False
    effect = rules.resolved(doc.field(then, "effect"), given)
    return rules.UNKNOWN if doubt or not isinstance(effect, str) else effect


# Which resources ----------------------------------------------------------------------------------------------------------------


def _binds(assignment: PolicyAssignment, properties: Mapping[str, Any], asked: Asked) -> bool:
    excluded = [str(scope) for scope in doc.items(properties, "notScopes")]
    return is_at_or_below(asked.target, assignment.scope) and not any(is_at_or_below(asked.target, e) for e in excluded)


def _exempt(
    assignment: PolicyAssignment, access: AccessFacts, asked: Asked, now: datetime, reference: str
) -> bool | None:
    """Whether an exemption in force frees the target; None when exemptions were not read, or one of them cannot be judged."""
    if access.policy_exemptions is None:
        return None
    doubt = False
    for exemption in access.policy_exemptions:
        properties = doc.mapping(exemption, "properties")
        only = [str(one).lower() for one in doc.items(properties, "policyDefinitionReferenceIds")]
        expires = doc.text(properties, "expiresOn")
        until = doc.moment(expires) if expires else None
        if (
            doc.path(properties, "policyAssignmentId").lower() != assignment.id.lower()
            or not is_at_or_below(asked.target, doc.path(exemption, "id").lower().rpartition("/providers/")[0])
            or (only and reference.lower() not in only)
            or (until is not None and until <= now)
        ):
            continue
        selected = _selected(properties, asked, reference)
        if selected is True and (until is not None or not expires):
            return True
        doubt = doubt or selected is not False
    return None if doubt else False


def _selected(properties: Mapping[str, Any], asked: Asked, reference: str) -> bool | None:
    """Whether the target is among those that any of the named resource selectors picks; without any, it is."""
    named = doc.items(properties, "resourceSelectors")
    if not named:
        return True
    picked = [_every(_picks(one, asked, reference) for one in doc.items(group, "selectors")) for group in named]
    if True in picked:
        return True
    return None if None in picked else False


def _picks(selector: Any, asked: Asked, reference: str) -> bool | None:
    kind = doc.text(selector, "kind").lower()
    location = asked.resource.get("location")
    if kind == "resourcetype":
        value = asked.type
    elif kind == "policydefinitionreferenceid":
        value = reference.lower()
    elif kind == "resourcelocation" and location is not rules.UNKNOWN:
        value = str(location or "").replace(" ", "").lower()
    else:
        return None  # by user or group, or by what is not known of the resource
    wanted = [str(one).lower() for one in doc.items(selector, "in")]
    unwanted = [str(one).lower() for one in doc.items(selector, "notIn")]
    return (not wanted or value in wanted) and value not in unwanted


def _every(values: Iterable[bool | None]) -> bool | None:
    known = list(values)
    if False in known:
        return False
    return None if None in known else True


# Definitions and parameters -----------------------------------------------------------------------------------------------------


def is_initiative(definition: Mapping[str, Any]) -> bool:
    """Whether a document is a policy set definition."""
    return bool(doc.items(definition, "properties", "policyDefinitions"))


def members(initiative: Mapping[str, Any]) -> list[Any]:
    """The references of an initiative to its definitions."""
    return [one for one in doc.items(initiative, "properties", "policyDefinitions") if isinstance(one, Mapping)]


def member_values(initiative: Mapping[str, Any], assignment: PolicyAssignment) -> Iterator[tuple[str, dict[str, Any]]]:
    """The id of each member's definition, with the parameters that assignment and initiative give it."""
    given = parameters(doc.mapping(initiative, "properties"), doc.mapping(assignment.document, "properties"))
    for member in members(initiative):
        yield (
            doc.path(member, "policyDefinitionId"),
            {k: rules.resolved(v, given) for k, v in _values(member).items()},
        )


def parameters(definition: Mapping[str, Any], assignment: Mapping[str, Any]) -> dict[str, Any]:
    """Parameter values by lower-case name: the definition's defaults, and what the assignment gives."""
    return defaults(definition) | _values(assignment)


def defaults(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The default values that a definition declares, by lower-case name."""
    declared = doc.mapping(definition, "parameters")
    return {k.lower(): v["defaultValue"] for k, v in declared.items() if isinstance(v, Mapping) and "defaultValue" in v}


def _values(holder: Any) -> dict[str, Any]:
    given = doc.mapping(holder, "parameters")
    return {k.lower(): v["value"] for k, v in given.items() if isinstance(v, Mapping) and "value" in v}


def can_refuse(identity: str, values: Mapping[str, Any], assignment: Mapping[str, Any]) -> bool:
    """Whether a member that was not read may refuse anything.

    Microsoft's own definitions take their effect from the parameter `effect`; where an initiative sets it to audit, say, nobody needs to read
    them. Not so when the assignment overrides effects.
    """
    effect = values.get("effect")
    known = identity.lower().startswith(_BUILT_IN) and isinstance(effect, str) and not effect.startswith("[")
    return not known or str(effect).lower() in _REFUSING or bool(doc.items(assignment, "overrides"))


def essence(document: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a definition or initiative that `judge` needs; of one that never refuses anything, not its conditions."""
    properties = doc.mapping(document, "properties")
    kept = ("displayName", "mode", "policyType", "version", "policyRule", "policyDefinitions")
    found: dict[str, Any] = {name: value for name in kept if (value := doc.field(properties, name)) is not None}
    found["parameters"] = {
        name: {"defaultValue": value["defaultValue"]} if "defaultValue" in value else {}
        for name, value in doc.mapping(properties, "parameters").items()
        if isinstance(value, Mapping)
    }
    effect = doc.text(properties, "policyRule", "then", "effect")
    if effect and not effect.startswith("[") and effect.lower() not in _REFUSING and "policyRule" in found:
        found["policyRule"] = {"then": {"effect": effect}}
    return {"id": doc.path(document, "id"), "properties": found}


def _same_major(wanted: str, found: str) -> bool:
    """Whether an assigned version like "1.*.*" is of the major version that was read; not stated is taken as the same."""
    first, other = wanted.split(".")[0].strip(), found.split(".")[0].strip()
    return not first or not other or first == "*" or first == other
