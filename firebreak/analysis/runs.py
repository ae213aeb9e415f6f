"""Runs of pipelines and other services: told apart by token or address, and compared with what the service always does.

A pipeline whose definition was changed works from its own address all the time, and rented build agents come from another address each time:
there the work itself has to say who it is. Facts in, familiarity and runs out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from firebreak.analysis.evidence import is_telling
from firebreak.analysis.history import Familiarity, History
from firebreak.analysis.operations import OperationLike, densest, group_of, is_creation, session_key
from firebreak.analysis.sizes import parse_size
from firebreak.model.facts import Operation, Session

Run = tuple[str, str, str, str]  # caller, address, client app and token of one run of a pipeline

_STRANGE = 2  # counts on which one run differs from what its pipeline always does
_BURST = 8  # resources within one hour


def familiarity_of(session: Session, done: Collection[OperationLike], history: History) -> Familiarity:
    """How well a session is known: by its address, or by its work where the caller comes from ever new addresses as rented build agents do."""
    found = history.familiarity(session)
    caller = session.caller
    if found in (Familiarity.USUAL, Familiarity.UNKNOWN) or not history.is_roaming_service(caller):
        return found
    if history.in_character(caller, done):
        return Familiarity.IN_CHARACTER
    return Familiarity.OUT_OF_CHARACTER if _is_strange(session, done, history) else found


def _is_strange(session: Session, run: Collection[OperationLike], history: History) -> bool:
    """Whether a run is out of its pipeline's character on several counts: each telling operation that it never did before, GPU or many-core
    machines where it never worked before, and far more made within an hour than ever.
    """
    caller = session.caller
    if not history.is_established(caller):
        return False
    telling = {o.name.lower() for o in run if is_telling(o) and history.not_seen_doing(caller, o.name)}
    made = [operation for operation in run if is_creation(operation)]
    large = any(
        parse_size(str(o.properties.get("size", ""))).is_expensive()
        and not history.knows_group(caller, group_of(o.resource_id))
        for o in made
    )
    burst = densest(o.at for o in made) >= max(_BURST, 3 * history.peak_of(caller))
    return len(telling) + large + burst >= _STRANGE


def strange_runs(
    session: Session, done: list[Operation], history: History, apart: Collection[Run]
) -> dict[str, tuple[Operation, ...]]:
    """The runs of a pipeline, by token, to judge apart: those that did several suspicious things which the pipeline never did before, and
    those named in `apart`.
    """
    return {
        token: run
        for token, run in runs_of(session, done).items()
        if (*session_key(run[0]), token) in apart or _is_strange(session, run, history)
    }


def runs_of(session: Session, done: Iterable[Operation]) -> dict[str, tuple[Operation, ...]]:
    """Operations by token. Of services only: a person's token is renewed every hour, a pipeline's run has one of its own. Without tokens
    nothing can be told apart.
    """
    runs: dict[str, list[Operation]] = defaultdict(list)
    for operation in done:
        runs[operation.token].append(operation)
    if "@" in session.caller or "" in runs:
        return {}
    return {token: tuple(run) for token, run in sorted(runs.items())}
