"""Who asked for a response or an undo, and whether that is the person who answers. Pure.

A request carries names as they came: a login of the operating system, a name that somebody gave, or a door through which nobody signs in. People
are enrolled under one name and, where the operator says so, with their logins; the requester is whoever has any of the names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from firebreak.approval.approvers import Approver, person_key
from firebreak.model.alert import WATCH, Incident
from firebreak.model.playbook import Gate

MACHINES: Final = frozenset({"intake", WATCH})  # alerts that came by themselves, what came back: nobody asked
_FORM = "prefect-ui"
ANONYMOUS: Final = frozenset({_FORM})  # Prefect knows no persons
_BOTH = re.compile(r"(?P<name>.+) \(signed in as (?P<login>.+)\)")


def spoken(name: str, login: str) -> str:
    """How a request by a person at a terminal is recorded: the name that was given, if any, and always the login."""
    own = f"login {login}" if person_key(login) in MACHINES | ANONYMOUS else login
    given = " ".join(name.split())
    return f"{given} (signed in as {own})" if given and person_key(given) != person_key(own) else own


def filled_in(name: str) -> str:
    """How a request by a form of Prefect's is recorded: by the name that was filled in, unless that is a machine's, which nobody is."""
    given = " ".join(name.split())
    return given if given and person_key(given) not in MACHINES else _FORM


def names_of(gate: Gate, incident: Incident) -> tuple[tuple[str, ...], ...]:
    """For each request behind a gate, the response and what the gate is about, the names of who asked; machines left out."""
    asked = (one for one in (incident.requested_by, gate.requested_by) if one and person_key(one) not in MACHINES)
    return tuple(_names(one) for one in asked)


def asked_for_it(approver: Approver, gate: Gate, incident: Incident) -> bool:
    """Whether an approver is one of those who asked for the response or for what the gate is about."""
    return any(_is(approver, name) for names in names_of(gate, incident) for name in names)


def is_requester(approver: Approver, requested_by: str) -> bool:
    """Whether an approver is the one who asks, for what belongs to no incident."""
    return any(_is(approver, name) for name in _names(requested_by))


def may_be_requester(approver: Approver, requested_by: str, people: Iterable[Approver]) -> bool:
    """Whether an approver could be the one who asks, since nobody enrolled has the requester's names and the approver's logins are not known."""
    known = any(_is(one, name) for one in people for name in _names(requested_by))
    return bool(requested_by) and not known and not approver.logins


def unknown_requester(gate: Gate, incident: Incident, people: Iterable[Approver]) -> str:
    """The name of a requester who may be one of those who answer, since nobody enrolled has it; "" when there is none such.

    Where every person who may answer is enrolled with their logins, a login that none of them has is somebody else's.
    """
    if gate.requester_may_approve:
        return ""
    enrolled = tuple(people)
    may_answer = [
        one for one in enrolled if set(one.roles) & {*gate.approvers, *gate.escalate_to} and one.covers(incident)
    ]
    for names in names_of(gate, incident):
        if any(_is(one, name) for one in enrolled for name in names):
            continue
        if person_key(names[0]) in ANONYMOUS or any(not one.logins for one in may_answer):
            return " ".join(names[0].split()) if len(names) == 1 else f"{names[0]} (signed in as {names[1]})"
    return ""


def _names(requested_by: str) -> tuple[str, ...]:
    found = _BOTH.fullmatch(requested_by)
    return (found["name"], found["login"]) if found else (requested_by,)


def _is(approver: Approver, name: str) -> bool:
    return any(_same(own, name) for own in (approver.name, *approver.logins))


def _same(one: str, other: str) -> bool:
    """Whether two names can be one person's: `alice` is alice@partner.example and PARTNER\\alice, but two mail names must be equal."""
    left, right = person_key(one), person_key(other)
    if not left or not right or left == right:
        return bool(left) and left == right
    if "@" in left and "@" in right:
        return False
    return _bare(left) == _bare(right)


def _bare(key: str) -> str:
    return key.rpartition("\\")[2].partition("@")[0]
