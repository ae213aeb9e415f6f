"""The case at a glance: who, what, where, since when, and how far it could go, in one sentence each. Pure; plain text.

What nobody looked at is said so: a missing sentence must not read as "nothing".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from firebreak.analysis.deeds import Deed
from firebreak.analysis.quota import asked_for, open_quota
from firebreak.model.alert import WATCH
from firebreak.model.facts import Class, Judgement
from firebreak.report.dossier import Dossier, money
from firebreak.report.hostile import plain
from firebreak.report.places import RegionRow
from firebreak.report.words import counted

_FEW = 4
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = {
    "virtualMachines": ("machine", "machines"),
    "virtualMachineScaleSets": ("scale set", "scale sets"),
    "resourceGroups": ("resource group", "resource groups"),
    "roleAssignments": ("role given", "roles given"),
    "publicIPAddresses": ("public address", "public addresses"),
}

Sentences = list[tuple[str, str]]


def glance(dossier: Dossier, deeds: Sequence[Deed], regions: Sequence[RegionRow]) -> Sentences:
    """Return (label, sentence) in the order in which a responder asks."""
    found = dossier.attribution
    if found is None:
        return [("Who and what", "Not judged: the activity log or the inventory could not be read."), *_quota(dossier)]
    rows: Sentences = [("Who", _who(dossier)), ("What", _what(dossier)), ("Where", _where(dossier, regions))]
    rows.append(("Since", _since(dossier)))
    if deeds:
        rows.append(
            (
                "Last seen",
                f"{deeds_end(deeds):%Y-%m-%d %H:%M} UTC, as far as the activity log shows; it lags by some minutes.",
            )
        )
    rows.append(("Running now", _running(dossier)))
    return [*rows, *_quota(dossier)]


def deeds_end(deeds: Sequence[Deed]) -> datetime:
    return max(deed.last for deed in deeds)


def _who(dossier: Dossier) -> str:
    found = dossier.attribution
    attackers = [j for j in found.actors if j.cls is Class.ATTACKER] if found else []
    if not attackers:
        return "No session is taken for an attacker's."
    by_name: dict[str, list[Judgement]] = {}
    for actor in attackers:
        by_name.setdefault(actor.id.lower(), []).append(actor)
    said = []
    for group in list(by_name.values())[:_FEW]:
        kind = "stolen" if group[0].established else "the attacker's own"
        places = list(dict.fromkeys(plain(actor.address, 60) for actor in group if actor.address))
        where = f", from {' and '.join(places[:3])}" if places else ", has not acted yet"
        said.append(f"{plain(group[0].id, 80)} ({kind}{where})")
    more = f"; and {len(by_name) - _FEW} more" if len(by_name) > _FEW else ""
    return f"{'; '.join(said)}{more}."


def kind_words(resource_id: str) -> tuple[str, str]:
    """What a resource is called, one and many: `machine`, `machines`."""
    parts = resource_id.split("/")
    leaf = parts[-2] if "/providers/" in resource_id.lower() and len(parts) > 2 else "resourceGroups"
    if leaf in _WORDS:
        return _WORDS[leaf]
    words = plain(_CAMEL.sub(" ", leaf).lower(), 60)
    single = words.removesuffix("es") if words.endswith(("sses", "xes")) else words.removesuffix("s")
    return single or words, words


def kinds(judged: Sequence[Judgement]) -> list[tuple[str, int]]:
    """How many of each kind, the most first, in words."""
    counts = Counter(kind_words(j.id) for j in judged)
    return [
        (one if number == 1 else many, number)
        for (one, many), number in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _what(dossier: Dossier) -> str:
    found = dossier.attribution
    theirs = [j for j in found.resources if j.cls is Class.ATTACKER] if found else []
    unsure = sum(j.cls is Class.UNKNOWN for j in found.resources) if found else 0
    doubt = f" Of {unsure:,} more nobody can say whose they are." if unsure else ""
    if not theirs:
        return f"Nothing in the subscription is taken for the attacker's.{doubt}"
    by_kind = kinds(theirs)
    rest = sum(number for _, number in by_kind[6:])
    said = ", ".join(f"{number} {words}" for words, number in by_kind[:6])
    return f"{counted(len(theirs), 'resource')}: {said}{f' and {rest} of other kinds' if rest else ''}.{doubt}"


def _where(dossier: Dossier, regions: Sequence[RegionRow]) -> str:
    if dossier.inventory is None:
        return "Not looked at: there is no inventory."
    hit = [row for row in regions if row.is_attacked]
    if not hit:
        return "In no region in particular."
    names = ", ".join(row.title for row in hit[:8]) + (f" and {len(hit) - 8} more" if len(hit) > 8 else "")
    fresh = sum(row.was_empty for row in hit)
    own = (
        "; the customer has nothing there"
        if fresh == len(hit)
        else f"; in {fresh} of them the customer has nothing"
        if fresh
        else "; the customer works there too"
    )
    return f"{counted(len(hit), 'region')}: {names}{own}."


def _since(dossier: Dossier) -> str:
    found, alert = dossier.attribution, dossier.incident.alert
    start = found.attack_start if found else None
    if start is None:
        who = "The watch after closure" if alert.source == WATCH else "Microsoft"
        return f"Not known. {who} saw it first {alert.first_observed_at or alert.detected_at:%Y-%m-%d %H:%M} UTC."
    ago = lasting(dossier.made_at - start)
    lag = alert.detected_at - start
    told = "The watch after closure saw it" if alert.source == WATCH else "Microsoft's alert came"
    late = f" {told} {lasting(lag)} later." if lag > timedelta(minutes=1) else ""
    return f"{start:%Y-%m-%d %H:%M} UTC, {ago} before this page was made.{late}"


def lasting(span: timedelta) -> str:
    """A time span as a person says it: 40 minutes, 28 hours, 9 days."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return counted(minutes, "minute")
    return counted(minutes // 60, "hour") if minutes < 72 * 60 else counted(minutes // 1440, "day")


def _running(dossier: Dossier) -> str:
    running, burn = dossier.still_running, dossier.burn_after or dossier.burn_before
    if dossier.inventory is None:
        return "Not looked at: there is no inventory."
    if not running:
        return "No machine of the attacker's, at the last look."
    cost = f", for {money(burn.rogue_per_hour, burn.currency)} an hour" if burn else ""
    return f"{counted(len(running), 'machine or scale set', 'machines or scale sets')} of the attacker's at the last look{cost}."


def _quota(dossier: Dossier) -> Sentences:
    facts, found = dossier.quota, dossier.attribution
    if facts is None:
        return [("Room left", "Not looked at: quota was not read.")]
    rows = open_quota(facts.usages, ())
    asked = asked_for(facts, dossier.activity)
    theirs = [row for row in asked if row.operation is not None and found is not None and found.did(row.operation)]
    said = ""
    if theirs:
        granted = sum(row.state == "succeeded" for row in theirs)
        said = f" The attacker asked for more {counted(len(theirs), 'time')}; known to be granted: {granted}."
    open_tickets = sum(row.source == "ticket" and row.state == "open" for row in asked)
    if open_tickets:
        said += f" {counted(open_tickets, 'change')} in open support tickets may still be granted."
    if not rows:
        return [("Room left", f"No unused quota was found.{said}")]
    grave = sum(row.gpu + row.hpc for row in rows)
    vcpus, spot = sum(row.vcpus for row in rows), sum(row.spot for row in rows)
    room = f"{vcpus:,} more vCPUs could be started in {counted(len(rows), 'region')}, {grave:,} of them GPU or high-performance"
    return [("Room left", f"{room}, and {spot:,} on Spot.{said}")]
