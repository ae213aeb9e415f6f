"""What a session did and how a finding about it is told: the parts that all detections share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import msgspec

from firebreak.analysis.documents import shown
from firebreak.analysis.first_party import first_party
from firebreak.analysis.history import Familiarity
from firebreak.analysis.operations import NO_TIME, OperationLike, is_creation
from firebreak.analysis.sizes import MANY_CORES
from firebreak.model.canonical import digest_of
from firebreak.model.facts import Session
from firebreak.model.finding import Finding, Severity

STEP = "investigate.activity_log"
ORDER = list(Severity)


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """When a pattern is worth telling; all of them are parameters of `investigate.activity_log`."""

    burst: int = 8  # creations within one hour
    burst_over_usual: int = 3  # and this many times the session's own earlier peak
    mass_delete: int = 25  # deletions within 24 hours
    refused: int = 10  # failed operations within one hour
    many_cores: int = MANY_CORES
    quota_before_creation_days: int = 7


class Conduct(msgspec.Struct, frozen=True, dict=True):
    """A session with its operations of the window and how well it is known."""

    session: Session
    operations: Sequence[OperationLike]
    familiarity: Familiarity

    @property
    def is_familiar(self) -> bool:
        return self.familiarity in (Familiarity.USUAL, Familiarity.IN_CHARACTER)

    @cached_property
    def made(self) -> list[OperationLike]:
        """The operations that may have made something."""
        return [operation for operation in self.operations if is_creation(operation)]

    @property
    def by_microsoft(self) -> str:
        """The Microsoft application that acted by itself, or ""."""
        return first_party(self.session.app_id, self.session.caller)


def bare_session(operations: Sequence[OperationLike]) -> Session:
    """A session for facts that carry none: everything in it is taken as of the window."""
    first, times = operations[0], [operation.at for operation in operations]
    return Session(
        caller=first.caller,
        principal_id=first.principal_id,
        address=first.address,
        app_id=first.app_id,
        first_seen=min(times),
        last_seen=max(times),
        operations=len(operations),
    )


def finding(
    rule: str,
    title: str,
    severity: Severity,
    work: Conduct,
    operations: Iterable[OperationLike],
    reasons: list[str],
    techniques: tuple[str, ...],
) -> Finding:
    done = list(operations)
    session = work.session
    times = [operation.at for operation in done]
    first, last = min(times), max(times)
    failed = sum(operation.status == "failed" for operation in done)
    count = f"{len(done)} operation{'s' if len(done) != 1 else ''}"
    when = f"at {first:%Y-%m-%d %H:%M}Z" if first == last else f"from {first:%Y-%m-%d %H:%M}Z to {last:%Y-%m-%d %H:%M}Z"
    if last == NO_TIME:
        when = "at a time the log does not say"
    summary = f"{count} by {shown(session.caller) or 'an unnamed caller'} {when}" + (
        f", {failed} of them failed." if failed else "."
    )
    resources = sorted({operation.resource_id for operation in done if operation.resource_id})
    events = dict.fromkeys(event for operation in done for event in operation.event_ids)
    return Finding(
        id=f"{rule}:{digest_of([rule, session.caller.lower(), session.address, session.app_id])[:10]}",
        step=STEP,
        title=title,
        severity=severity,
        reasons=(*reasons, summary, _how_known(work)),
        event_ids=tuple(events),
        resources=tuple(resources),
        actor=session.caller,
        address=session.address,
        techniques=techniques,
    )


def _how_known(work: Conduct) -> str:
    session = work.session
    where = session.address or "an address the log does not name"
    if work.familiarity is Familiarity.USUAL:
        return f"{where} is a usual address of this caller."
    if work.familiarity is Familiarity.IN_CHARACTER:
        return f"{where} is new, as ever with this caller, which did only its usual work."
    if work.familiarity is Familiarity.UNKNOWN:
        return f"Whether {where} is usual for this caller is not known: the log does not say enough."
    return f"From {where}: {work.familiarity.value}."


def lower(severity: Severity) -> Severity:
    return ORDER[max(0, ORDER.index(severity) - 1)]
