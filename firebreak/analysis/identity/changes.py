"""One record of the directory's audit log as Graph gives it: who changed what of whom. Documents in, `Change`s out.

Detections are Sigma rules (`playbooks/detections/directory.yml`), the same that read exported logs; what they ask of a record is in
`normal.py`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.events import address_of
from firebreak.analysis.normal import read_json
from firebreak.analysis.ruleset import RuleSet
from firebreak.model.finding import NotLookedAt
from firebreak.model.identity import Change, ChangeTarget, DirectoryChanges

MOST_CHANGES = 3000
_LONGEST = 400
_USUAL_DAYS = 2
# Bookkeeping that stands in nearly every record and says nothing about the deed.
_NOISE = frozenset(
    {"included updated properties", "targetid.serviceprincipalnames", "actorid.serviceprincipalnames", "spn"}
)


class ChangeReview:
    """Collects the records of one tenant, page by page in any order. `records` counts different ones."""

    def __init__(self, rules: RuleSet, window_start: datetime) -> None:
        self._rules = rules
        self._start = window_start
        self._changes: dict[str, Change] = {}
        self._before: dict[tuple[str, str], set[date]] = defaultdict(set)
        self._places: dict[tuple[str, str], set[date]] = defaultdict(set)
        self._seen: set[str] = set()
        self._oldest: datetime | None = None
        self.unreadable = 0

    @property
    def records(self) -> int:
        return len(self._seen)

    def oldest(self) -> datetime | None:
        """The time of the oldest record that was read."""
        return self._oldest

    def add(self, page: Iterable[Any]) -> None:
        """Take in a page; a record that was seen before changes nothing."""
        for document in page:
            change = read_change(document)
            if change is None:
                self.unreadable += 1
                continue
            if change.id in self._seen:
                continue
            self._seen.add(change.id)
            self._oldest = min(self._oldest or change.at, change.at)
            if change.at < self._start:
                self._before[_actor(change), change.name.lower()].add(change.at.date())
                if change.address:
                    self._places[_actor(change), change.address].add(change.at.date())
                continue
            known = {"caller": change.actor, "address": change.address, "status": change.result}
            matched = self._rules.matches(change.name, self._rules.document(document, change.name, known))
            if matched:
                self._changes[change.id] = msgspec.structs.replace(change, matched=matched)

    def facts(self, *, now: datetime, not_looked_at: tuple[NotLookedAt, ...] = ()) -> DirectoryChanges:
        """Return the changes of the window that detections fell on, oldest first."""
        made = sorted(self._changes.values(), key=lambda change: (change.at, change.id))
        if len(made) > MOST_CHANGES:
            why = f"only the newest {MOST_CHANGES} are kept; the log itself has all of them"
            not_looked_at = (
                *not_looked_at,
                NotLookedAt(f"{len(made) - MOST_CHANGES} older changes of the directory", why),
            )
            made = made[-MOST_CHANGES:]
        places = {key for key, days in self._places.items() if len(days) >= _USUAL_DAYS}
        offices = _offices(self._places)
        usual = {key for key, days in self._before.items() if len(days) >= _USUAL_DAYS}
        return DirectoryChanges(
            window_start=self._start,
            from_time=min(self._oldest or now, now),
            records=self.records,
            changes=tuple(
                msgspec.structs.replace(
                    change,
                    usual=(_actor(change), change.name.lower()) in usual,
                    familiar=change.address in offices or (_actor(change), change.address) in places,
                )
                for change in made
            ),
            not_looked_at=not_looked_at,
        )


def _offices(places: dict[tuple[str, str], set[date]]) -> frozenset[str]:
    """Addresses from which several actors changed the directory on several days: the tenant's own network."""
    actors: dict[str, set[str]] = defaultdict(set)
    days: dict[str, set[date]] = defaultdict(set)
    for (actor, address), when in places.items():
        actors[address].add(actor)
        days[address] |= when
    return frozenset(one for one in actors if len(actors[one]) >= _USUAL_DAYS and len(days[one]) > _USUAL_DAYS)


def read_change(document: Any) -> Change | None:
    """Read one record; None without a time or an activity."""
    at = doc.moment(doc.field(document, "activityDateTime"))
    name = doc.text(document, "activityDisplayName")
    if at is None or not name:
        return None
    user, app = doc.mapping(document, "initiatedBy", "user"), doc.mapping(document, "initiatedBy", "app")
    person = doc.text(user, "userPrincipalName") or doc.text(user, "displayName")
    actor = person or doc.text(app, "displayName") or doc.text(user, "id") or doc.text(app, "servicePrincipalId")
    targets = tuple(_target(one) for one in doc.items(document, "targetResources"))
    return Change(
        id=doc.text(document, "id") or f"{at.isoformat()}|{name}|{actor}",
        at=at,
        name=name,
        result="failed" if doc.text(document, "result").lower() in ("failure", "timeout") else "succeeded",
        actor=actor,
        actor_id=(doc.text(user, "id") or doc.text(app, "servicePrincipalId")).lower(),
        by_application=not person and bool(app),
        app_id=doc.text(app, "appId").lower(),
        address=address_of(doc.text(user, "ipAddress")),
        targets=targets,
        details=_details(document),
    )


def subject_of(change: Change) -> ChangeTarget | None:
    """Whom or what the change was done to: the first target that is a principal, else the first of all."""
    principals = ("user", "serviceprincipal", "application", "group")
    return next((one for one in change.targets if one.kind.lower() in principals), next(iter(change.targets), None))


def role_of(change: Change) -> str:
    """The directory role that was given, by its name; "" when the record does not say."""
    named = change.details.get("role.displayname", "") or change.details.get("rolename", "")
    return named or next((one.name for one in change.targets if one.kind.lower() == "role" and one.name), "")


def _target(document: Any) -> ChangeTarget:
    return ChangeTarget(
        kind=doc.text(document, "type"),
        id=doc.text(document, "id").lower(),
        name=doc.text(document, "userPrincipalName") or doc.text(document, "displayName"),
    )


def _details(document: Any) -> dict[str, str]:
    """The new values of what was changed, and the details beside; the old value where a thing was taken away."""
    found: dict[str, str] = {}
    for target in doc.items(document, "targetResources"):
        for change in doc.items(target, "modifiedProperties"):
            name = doc.text(change, "displayName").lower().replace(" ", "")
            if not name or doc.text(change, "displayName").lower() in _NOISE:
                continue
            if name == "conditionalaccesspolicy":
                found |= _policy_changes(doc.field(change, "oldValue"), doc.field(change, "newValue"))
                continue
            new, old = _plain(doc.field(change, "newValue")), _plain(doc.field(change, "oldValue"))
            if new:
                found.setdefault(name, new)
            elif old:
                found.setdefault(f"{name} (before)", old)
    for detail in doc.items(document, "additionalDetails"):
        name, value = doc.text(detail, "key").lower().replace(" ", ""), _plain(doc.field(detail, "value"))
        if name and value:
            found.setdefault(name, value)
    return dict(sorted(found.items())[:40])


def _plain(value: Any) -> str:
    """A value as text. The log writes most as JSON in a string, so `"\\"Owner\\""` reads as `Owner`."""
    if isinstance(value, str) and value[:1] in {'"', "[", "{"}:
        value = read_json(value) if value[:1] != '"' else _unquoted(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    if value is None or value in ([], {}):
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text[:_LONGEST]


def _unquoted(value: str) -> str:
    inner = value[1:-1] if len(value) > 1 and value.endswith('"') else value
    return inner.replace('\\"', '"')


def _policy_changes(old: Any, new: Any) -> dict[str, str]:
    """What became of a conditional access policy: its state, and who is excepted now and was not before."""
    before, after = doc.mapping({"p": old}, "p"), doc.mapping({"p": new}, "p")
    found: dict[str, str] = {}
    states = [doc.text(one, "state") for one in (before, after)]
    if states[1] and states[0] != states[1]:
        found["state"] = f"{states[0] or 'none'} -> {states[1]}"
    for kind in ("Users", "Groups", "Roles", "Applications", "Locations"):
        holder = {"Applications": "applications", "Locations": "locations"}.get(kind, "users")
        lists = [doc.items(one, "conditions", holder, f"exclude{kind}") for one in (before, after)]
        if added := [str(item) for item in lists[1] if item not in lists[0]]:
            found[f"{kind.lower()} excluded"] = ", ".join(added)[:_LONGEST]
    return found


def _actor(change: Change) -> str:
    return change.actor_id or change.actor.lower()
