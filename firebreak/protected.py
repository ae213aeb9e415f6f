"""What playbook and operator protect by name or tag, and ids that are too alike to tell apart; indexed once for each case. Pure.

In goes a `ResourceId` and a `Case`, out comes a sentence, "" when nothing protects it. Names are compared by `folded`: what a person could
take for the protected name counts as it.
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from firebreak.model.case import Case
from firebreak.model.facts import DiskFacts, Inventory, Machine, Resource, ScaleSet
from firebreak.model.ids import ResourceId, folded
from firebreak.model.plan import Protection
from firebreak.model.platform import PlatformCompute


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The index of one case: who names what, tagged ids (folded) with the sentence, what stands above those, and ids that collide."""

    named_by: tuple[tuple[str, Protection], ...]
    tagged: dict[str, str]
    holds_tagged: dict[str, str]
    alike: dict[str, str]


_LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


def named(target: ResourceId, case: Case) -> str:
    """Say why the playbook, the operator or a tag protects this, or why it cannot be told from something else."""
    index, key = seen(case), folded(target.text)
    group, parts = folded(target.resource_group), key.split("/")
    for who, protection in index.named_by:
        for name in protection.groups:
            if group and group == folded(name.strip().rstrip("/").rsplit("/", 1)[-1]):
                return f"The {who} protects resource group {name}."
        for entry in protection.resources:
            wanted = folded(entry.strip()).rstrip("/")
            if wanted.startswith("/"):
                inside = key == wanted or key.startswith(wanted + "/") or wanted.startswith(key + "/")
            else:
                inside = wanted in parts
            if inside:
                return f"The {who} protects {entry}."
    above = ("/".join(parts[:length]) for length in range(len(parts), 1, -1))
    reasons = [index.tagged[one] for one in above if one in index.tagged]
    reasons += [index.holds_tagged[key]] if key in index.holds_tagged else []
    reasons += [index.alike[one] for one in _scopes(target.key) if one in index.alike]
    return reasons[0] if reasons else ""


@lru_cache(maxsize=4)
def seen(case: Case) -> Seen:
    """The index of a case; made once for each, since cases never change."""
    sources = (("playbook", case.playbook.guard_rails.protection), ("operator", case.operator))
    wanted = [(who, tag, folded(tag.strip())) for who, protection in sources for tag in protection.tags]
    tagged: dict[str, str] = {}
    spelled: dict[str, set[str]] = {}
    for resource_id, tags in sorted(
        _known(case), key=lambda one: one[0]
    ):  # the order of facts must not show in a reason
        for scope in _scopes(resource_id):
            spelled.setdefault(scope.lower(), set()).add(_ascii_lower(scope))
        if not tags:
            continue
        carried = {folded(key.strip()): folded(value.strip()) for key, value in tags.items()}
        for who, tag, spelling in wanted:
            key, equals, value = spelling.partition("=")
            if key in carried and (not equals or carried[key] == value):
                tagged[folded(resource_id)] = (
                    f"It carries or holds the protected tag {tag} (on {resource_id}), named by the {who}."
                )
    holds: dict[str, str] = {}
    for key, reason in sorted(tagged.items()):
        parts = key.split("/")
        for length in range(len(parts) - 1, 1, -1):
            holds.setdefault("/".join(parts[:length]), reason)
    alike = {
        key: f"Two resources have ids that differ only in look-alike letters ({key}): nobody can tell them apart here."
        for key, spellings in spelled.items()
        if len(spellings) > 1
    }
    return Seen(named_by=sources, tagged=tagged, holds_tagged=holds, alike=alike)


def population(inventory: Inventory | None) -> tuple[Machine | ScaleSet | Resource, ...]:
    """Everything of an inventory that may be acted on, groups apart."""
    return (*inventory.machines, *inventory.scale_sets, *inventory.resources) if inventory else ()


def _known(case: Case) -> Iterator[tuple[str, dict[str, str]]]:
    inventory, disks, platform = case.get(Inventory), case.get(DiskFacts), case.get(PlatformCompute)
    for one in (*population(inventory), *(disks.disks if disks else ()), *(inventory.groups if inventory else ())):
        yield one.id, one.tags
    for compute in platform.items if platform else ():
        yield compute.id, compute.tags


def _scopes(resource_id: str) -> tuple[str, ...]:
    """The id itself and its resource group."""
    parts = resource_id.split("/")
    return (resource_id, "/".join(parts[:5])) if len(parts) > 5 else (resource_id,)


def _ascii_lower(text: str) -> str:
    """Lower case of A to Z alone: other letters that lower to them stay apart."""
    return text.lower() if text.isascii() else text.translate(_LOWER)
