"""What a session's operations say for and against the attacker: reasons with points, sorted by kind.

Identity says who it may be (a new address, no second factor); behaviour says what was done (GPU sizes, roles granted). One without the
other never makes an attacker; what ties sessions to each other is in `ties.py`. Facts in, `Clue`s out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from firebreak.analysis.conduct import ORDER
from firebreak.analysis.documents import listed, shown
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import OperationLike, densest, is_creation
from firebreak.analysis.ruleset import rules_of
from firebreak.analysis.sizes import parse_size
from firebreak.model.alert import Alert
from firebreak.model.facts import Class, Operation, Reason, Session
from firebreak.model.finding import Severity


class Kind(StrEnum):
    IDENTITY = "identity"
    BEHAVIOUR = "behaviour"
    TIE = "tie"  # to a session that was proven on both counts, so close that it needs no behaviour of its own
    CONTEXT = "context"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Points of each clue and the thresholds of the classes; all are parameters of `investigate.attribution`."""

    new_address: int = 35
    new_caller: int = 25
    out_of_character: int = 35
    seldom_address: int = 10
    thin_history: int = 5
    hallmark: int = 30
    no_mfa: int = 25
    granted_by_attacker: int = 45
    attackers_address: int = 35
    same_hand: int = 60
    same_token: int = 40
    same_time: int = 25
    stolen_elsewhere: int = 5
    gave_to_attacker: int = 20
    wrote_into_theirs: int = 30
    unheard_of: int = 15
    made_what_alert_names: int = 30
    made_it_familiarly: int = 10
    unseen_sizes: int = 25
    large_sizes: int = 10
    new_regions: int = 20
    many_new_regions: int = 30
    burst: int = 20
    role_to_stranger: int = 25
    role_granted: int = 10
    protection_removed: int = 20
    way_in: int = 10
    quota: int = 10
    keys: int = 10
    refused: int = 10
    in_observed_time: int = 5
    usual_address: int = -60
    mfa_as_usual: int = -20
    granted_by_familiar: int = -40
    ticket: int = -15
    nothing_unusual: int = -10
    burst_size: int = 8
    attacker_from: int = 60
    worrying_from: int = 50
    legitimate_to: int = -20
    resource_attacker_from: int = 60
    resource_legitimate_to: int = -30


class Clue(msgspec.Struct, frozen=True):
    """A reason and its kind."""

    kind: Kind
    reason: Reason


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """A session and its operations of the window, oldest first."""

    session: Session
    operations: tuple[Operation, ...]
    familiarity: Familiarity
    token: str = ""  # only of one run of a pipeline that is judged apart from its others

    @property
    def is_familiar(self) -> bool:
        """Whether this is how the caller always works: from a usual address or, where addresses say nothing, at its usual work."""
        return self.familiarity in (Familiarity.USUAL, Familiarity.IN_CHARACTER)

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.session.caller.lower(), self.session.address, self.session.app_id, self.token

    @property
    def created(self) -> tuple[Operation, ...]:
        return tuple(operation for operation in self.operations if is_creation(operation))


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A session with its clues and class."""

    work: Work
    clues: tuple[Clue, ...]
    cls: Class

    @property
    def score(self) -> int:
        return sum(one.reason.points for one in self.clues)

    @property
    def is_odd(self) -> bool:
        """Whether it did something that needs an explanation."""
        return any(one.kind is Kind.BEHAVIOUR for one in self.clues)


def clue(kind: Kind, points: int, text: str, operations: Iterable[Operation] = ()) -> Clue:
    return Clue(kind, Reason(points, text, tuple(event for operation in operations for event in operation.event_ids)))


def identity_clues(work: Work, history: History, weights: Weights) -> list[Clue]:
    """Who the session may be, from the caller's own past."""
    session, clues = work.session, []
    where = session.address or "an address the log does not name"
    if work.familiarity is Familiarity.USUAL:
        text = f"{where} is a usual address of this caller."
        clues.append(clue(Kind.CONTEXT, weights.usual_address, text))
    elif work.familiarity is Familiarity.IN_CHARACTER:
        text = f"{where} is new as ever, and this caller did only what it always does, where it always does it."
        clues.append(clue(Kind.CONTEXT, weights.usual_address, text))
    elif work.familiarity is Familiarity.OUT_OF_CHARACTER:
        strange = [o for o in work.operations if history.not_seen_doing(session.caller, o.name)]
        names = listed(sorted({operation.name for operation in strange}), most=4)
        if strange:
            run = f"One run (token {shown(work.token)})" if work.token else f"One run (from {where})"
            text = f"{run} did what this identity never did before: {names}."
            clues.append(_newness(work, history, weights.out_of_character, weights, text, strange))
    elif work.familiarity is Familiarity.NEW_ADDRESS and history.roams(session.caller):
        clues.append(clue(Kind.CONTEXT, 0, f"{where} is new, but this caller comes from ever new addresses."))
    elif work.familiarity is Familiarity.NEW_ADDRESS:
        usual = listed(history.usual_addresses(session.caller), most=3) or "elsewhere"
        text = f"{where} was never used by this caller before; it worked from {usual}."
        clues.append(_newness(work, history, weights.new_address, weights, text))
    elif work.familiarity is Familiarity.NEW_CALLER:
        text = f"This caller did nothing in the log before {history.window_start:%Y-%m-%d %H:%M}Z."
        clues.append(_newness(work, history, weights.new_caller, weights, text))
    elif work.familiarity is Familiarity.UNKNOWN:
        clues.append(clue(Kind.CONTEXT, 0, f"The log does not say whether {where} is usual for this caller."))
    elif work.familiarity in (Familiarity.SEEN, Familiarity.NEIGHBOUR):
        text = f"{where} is not quite usual for this caller: {work.familiarity.value}."
        clues.append(clue(Kind.CONTEXT, weights.seldom_address, text))
    if history.usually_mfa(session.caller):
        bare = [operation for operation in work.operations if operation.mfa is False]
        if bare and not work.is_familiar and history.knows_well(session.caller):
            text = "No multi-factor authentication, which this caller otherwise uses."
            clues.append(clue(Kind.IDENTITY, weights.no_mfa, text, bare))
        elif not bare and any(operation.mfa for operation in work.operations):
            clues.append(clue(Kind.CONTEXT, weights.mfa_as_usual, "Multi-factor authentication as usual."))
    return clues


def _newness(
    work: Work, history: History, points: int, weights: Weights, text: str, proof: Sequence[Operation] = ()
) -> Clue:
    """Something that the log did not show before: evidence where the past is dense, hardly any where most of it may be missing."""
    if history.knows_well(work.session.caller):
        return clue(Kind.IDENTITY, points, text, proof or work.operations[:1])
    thin = f"{text} That says little: {history.how_thin(work.session.caller)}."
    return clue(Kind.CONTEXT, weights.thin_history, thin, proof or work.operations[:1])


def behaviour_clues(work: Work, history: History, alert: Alert, weights: Weights) -> list[Clue]:
    """What the session did, measured against what was usual in the subscription."""
    made = work.created
    clues = [*_created_clues(work, made, history, weights), *_rule_clues(work, history, weights)]
    named = {resource.lower() for resource in alert.affected_resources}
    hit = [operation for operation in made if operation.resource_id.lower() in named]
    if hit:
        text = f"Created {len({o.resource_id.lower() for o in hit})} of the resources that the alert names."
        # At a usual address that is the question the alert asks, not an answer to it.
        points = weights.made_it_familiarly if work.is_familiar else weights.made_what_alert_names
        clues.append(clue(Kind.BEHAVIOUR, points, text, hit))
    refused = [operation for operation in work.operations if operation.status == "failed"]
    if densest(operation.at for operation in refused) >= weights.burst_size:
        text = f"{len(refused)} operations were refused."
        clues.append(clue(Kind.BEHAVIOUR, weights.refused, text, refused))
    start, end = observed(alert)
    during = [operation for operation in work.operations if start <= operation.at <= end]
    if during and not work.is_familiar:
        text = f"{len(during)} operations around the time that the alert names."
        clues.append(clue(Kind.CONTEXT, weights.in_observed_time, text))
    if work.is_familiar and not any(c.kind is Kind.BEHAVIOUR for c in clues):
        clues.append(clue(Kind.CONTEXT, weights.nothing_unusual, "Nothing out of the ordinary was done."))
    return clues


def observed(alert: Alert) -> tuple[datetime, datetime]:
    """The time the alert speaks of, widened by an hour."""
    start = alert.first_observed_at or alert.detected_at
    end = max(alert.last_observed_at or alert.detected_at, start)
    return start - timedelta(hours=1), end + timedelta(hours=1)


def _created_clues(work: Work, made: Sequence[Operation], history: History, weights: Weights) -> Iterable[Clue]:
    sized = [(operation, parse_size(str(operation.properties.get("size", "")))) for operation in made]
    unseen = [operation for operation, size in sized if size.is_expensive() and size.family not in history.sizes]
    large = [operation for operation, size in sized if size.is_expensive()]
    if unseen and history.is_dense:
        names = sorted({str(operation.properties["size"]) for operation in unseen})
        text = f"Created GPU or many-core sizes of a kind not in use before: {listed(names)}."
        yield clue(Kind.BEHAVIOUR, weights.unseen_sizes, text, unseen)
    elif large:
        yield clue(Kind.BEHAVIOUR, weights.large_sizes, "Created GPU or many-core machines.", large)
    away = [o for o in made if o.region and o.region != "global" and o.region not in history.regions]
    # A thin log does not know the regions in use; what stands there since before does.
    if away and (history.regions if history.is_dense else history.standing_regions):
        regions = sorted({operation.region for operation in away})
        points = weights.many_new_regions if len(regions) >= 3 else weights.new_regions
        yield clue(Kind.BEHAVIOUR, points, f"Created in regions not used before: {', '.join(regions)}.", away)
    most = densest(operation.at for operation in made)
    if most >= max(weights.burst_size, work.session.peak_before * 3):
        known = history.knows_well(work.session.caller)
        yield clue(
            Kind.BEHAVIOUR,
            weights.burst if known else weights.thin_history,
            f"Created {most} resources within one hour"
            + ("." if known else f", which may be usual: {history.how_thin(work.session.caller)}."),
            made,
        )
    ticketed = [operation for operation in made if _has_ticket(operation)]
    # Tags can be copied by anybody; they only support what the address already says.
    if ticketed and len(ticketed) * 2 >= len(made) and work.is_familiar:
        text = "What was created carries the tag of a change."
        yield clue(Kind.CONTEXT, weights.ticket, text, ticketed)


def _rule_clues(work: Work, history: History, weights: Weights) -> Iterable[Clue]:
    by_rule: dict[str, list[Operation]] = {}
    for operation in work.operations:
        for rule in rules_of(operation):
            if operation.status != "failed":
                by_rule.setdefault(rule.family, []).append(operation)
            if rule.weakens:
                by_rule.setdefault("weakens", []).append(operation)
            elif rule.spreads and rule.family != "role-granted":
                by_rule.setdefault("spreads", []).append(operation)
    granted = by_rule.get("role-granted", [])
    strangers = [o for o in granted if not history.is_established(str(o.properties.get("granted_to", "")))]
    strangers = strangers if history.is_dense else []
    strangers = [o for o in strangers if o.properties.get("granted_to")]
    if strangers and not work.is_familiar:
        to = sorted({str(operation.properties["granted_to"]) for operation in strangers})
        text = f"Granted roles to principals without a past here: {listed(to, most=3)}."
        yield clue(Kind.BEHAVIOUR, weights.role_to_stranger, text, strangers)
    elif granted:
        yield clue(Kind.BEHAVIOUR, weights.role_granted, "Granted roles.", granted)
    if "weakens" in by_rule:
        text = "Removed policies, locks, logging, budgets or backups, or tried to."
        yield clue(Kind.BEHAVIOUR, weights.protection_removed, text, by_rule["weakens"])
    if "spreads" in by_rule:
        text = "Left a way in: elevation, federated credential, runbook or autoscale rule."
        yield clue(Kind.BEHAVIOUR, weights.way_in, text, by_rule["spreads"])
    if "quota-requested" in by_rule:
        yield clue(Kind.BEHAVIOUR, weights.quota, "Asked for more quota.", by_rule["quota-requested"])
    keys = [*by_rule.get("keys-read", []), *by_rule.get("disk-exported", [])]
    if keys and not work.is_familiar:
        yield clue(Kind.BEHAVIOUR, weights.keys, "Read keys or opened disks for download.", keys)
    unheard = [o for o in work.operations if history.never_did(work.session.caller, o.name) and is_telling(o)]
    if unheard and not work.is_familiar and work.familiarity is not Familiarity.OUT_OF_CHARACTER:
        names = listed(sorted({operation.name for operation in unheard}), most=4)
        text = f"Did what this caller never did before, and what intruders do: {names}."
        yield clue(Kind.BEHAVIOUR, weights.unheard_of, text, unheard)


def is_telling(operation: OperationLike) -> bool:
    """Whether an operation asks for an explanation by its name: a rule of ours above the everyday ones, or anything about access and locks.

    Public rules look at the name alone and take in too much of what everybody does.
    """
    if operation.name.lower().startswith("microsoft.authorization/") and not operation.name.lower().endswith(
        "/audit/action"
    ):
        return True
    return any(
        rule.weakens or rule.spreads or ORDER.index(rule.severity) >= ORDER.index(Severity.MEDIUM)
        for rule in rules_of(operation)
        if not rule.public
    )


def _has_ticket(operation: Operation) -> bool:
    found = operation.properties.get("tags")
    names = {str(key).lower().replace("_", "-") for key in found} if isinstance(found, dict) else set()
    return bool(names & TICKET_TAGS)


TICKET_TAGS = frozenset(
    {"change", "change-id", "change-ticket", "changeticket", "ticket", "ticket-id", "rfc", "work-item", "jira"}
)
