"""As whom the attacker acts in the directory, and what of the audit log is the attacker's. Facts and records in, intruders and deeds out.

A stolen identity goes on working honestly: what it did counts as the attacker's only from an address of the attacker's. An identity that the
attacker invited or registered is the attacker's own whatever it does. Applications leave no address: a stolen one's changes count from an
hour before the attack on, unless it always made them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.identity.changes import read_change
from firebreak.analysis.identity.habits import ADDRESS, COUNTRY, DEVICE
from firebreak.analysis.identity.sign_in_records import APPLICATION, MANAGED, SUCCEEDED
from firebreak.model.facts import Attribution, Class
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Change, SignIns
from firebreak.model.intrusion import Intruder

USER, SERVICE = "user", "servicePrincipal"
_GRAVE = (Severity.HIGH, Severity.CRITICAL)
_BEFORE = timedelta(hours=1)
_BROUGHT_IN = ("invite external user", "add user", "add service principal")


class Deed(msgspec.Struct, frozen=True):
    """A record of the attacker's: what was read of it, and the record itself."""

    change: Change
    record: Mapping[str, Any]


def known_intruders(attribution: Attribution, sign_ins: SignIns | None, findings: Iterable[Finding]) -> list[Intruder]:
    """Those whom the activity log accuses, and people who got in from where they never were and changed the directory gravely from there.

    Neither a strange sign-in nor a grave change accuses anybody alone: travellers do the one, administrators the other.
    """
    by_principal: dict[str, list[Any]] = defaultdict(list)
    for actor in attribution.actors:
        if actor.cls is Class.ATTACKER:
            by_principal[(actor.principal_id or actor.id).lower()].append(actor)
    found = {}
    for principal, actors in by_principal.items():
        name = next((actor.id for actor in actors if "@" in actor.id), actors[0].id)
        found[principal] = Intruder(
            id=principal,
            name=name,
            kind=USER if "@" in name else SERVICE,
            own=not any(actor.established for actor in actors),
            addresses=tuple(sorted({actor.address for actor in actors} - {""})),
            reasons=(f"The activity log shows the attacker at work as {shown(name, 80)}.",),
        )
    for one in _in_the_directory(sign_ins, findings):
        known = found.get(one.id)
        if known is None:
            found[one.id] = one
        else:
            addresses = tuple(sorted({*known.addresses, *one.addresses}))
            found[one.id] = msgspec.structs.replace(known, addresses=addresses)
    return [found[key] for key in sorted(found)]


def _in_the_directory(sign_ins: SignIns | None, findings: Iterable[Finding]) -> Iterable[Intruder]:
    grave: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in findings:
        if finding.step == "investigate.directory_changes" and finding.severity in _GRAVE and finding.address:
            grave[finding.actor.lower(), finding.address].append(finding.title)
    strange: dict[str, dict[str, list[str]]] = defaultdict(dict)
    names: dict[str, str] = {}
    for row in sign_ins.sign_ins if sign_ins else ():
        if row.result != SUCCEEDED or row.kind in (APPLICATION, MANAGED) or not row.principal_id:
            continue
        if COUNTRY not in row.unfamiliar and not {ADDRESS, DEVICE} <= set(row.unfamiliar):
            continue
        if titles := grave.get((row.who.lower(), row.address)):
            strange[row.principal_id.lower()][row.address] = titles
            names[row.principal_id.lower()] = row.who
    for principal, places in sorted(strange.items()):
        yield Intruder(
            id=principal,
            name=names[principal],
            kind=USER,
            own=False,
            addresses=tuple(sorted(places)),
            reasons=tuple(
                f"Signed in from {shown(address, 60)}, where {shown(names[principal], 80)} never was, and there: {'; '.join(titles[:4])}."
                for address, titles in sorted(places.items())
            ),
        )


def deeds_of(
    known: Sequence[Intruder],
    records: Iterable[Any],
    *,
    attack_start: datetime | None,
    usual: Collection[str] = (),
    own: Collection[str] = (),
) -> tuple[list[Intruder], list[Deed]]:
    """Return the intruders with those whom they brought in, and what they did with success, oldest first.

    `usual` are ids of records that an actor always makes; `own` are the responder's ids, never an intruder's.
    """
    intruders = {one.id: one for one in known if one.id not in own}
    read = [(change, record) for record in records if (change := read_change(record)) is not None]
    read = sorted((pair for pair in read if pair[0].result == "succeeded"), key=lambda pair: (pair[0].at, pair[0].id))
    deeds: dict[str, Deed] = {}
    for change, record in read:  # oldest first: who was brought in acts after that
        doer = intruders.get(change.actor_id)
        if doer is None or not _is_the_attackers(change, doer, attack_start, usual):
            continue
        deeds[change.id] = Deed(change, record)
        if not change.name.lower().startswith(_BROUGHT_IN):
            continue
        for target in change.targets:
            known_as = intruders.get(target.id)
            if target.id and known_as is None and target.id not in own:
                intruders[target.id] = _brought_in(target.id, target.name, target.kind, change)
            elif known_as is not None and known_as.name == target.id:
                # The activity log knows whom it gives a role by object id alone: the record says whether that is a person.
                told = _brought_in(target.id, target.name, target.kind, change)
                intruders[target.id] = msgspec.structs.replace(known_as, kind=told.kind, name=told.name)
    return [intruders[key] for key in sorted(intruders)], list(deeds.values())


def _is_the_attackers(change: Change, doer: Intruder, start: datetime | None, usual: Collection[str]) -> bool:
    if doer.own or change.address in doer.addresses:
        return True
    by_application = doer.kind == SERVICE and not change.address
    return by_application and start is not None and change.at >= start - _BEFORE and change.id not in usual


def _brought_in(identity: str, name: str, kind: str, change: Change) -> Intruder:
    by, place = shown(change.actor, 80), f" from {change.address}" if change.address else ""
    return Intruder(
        id=identity,
        name=name or identity,
        kind=USER if kind.lower() == "user" else SERVICE,
        own=True,
        brought_in_at=change.at,
        reasons=(f"{change.name} by the attacker as {by}{place}, {change.at:%Y-%m-%d %H:%M}Z.",),
    )
