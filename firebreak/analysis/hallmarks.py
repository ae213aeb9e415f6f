"""What a session did that names an intruder where the log's past is too thin to say who is new: resource hijacking in full, within one session.

Each part alone is everyday work somewhere: a project asks for quota, a platform team removes a lock, researchers use GPUs. GPU machines in
several regions where nothing stood, by the hands that also asked for the quota, took protections away, gave roles or left a way in, are not.
Facts in, `Clue`s out.
"""

from __future__ import annotations

from collections.abc import Iterable

from firebreak.analysis.evidence import Clue, Kind, Weights, Work, clue
from firebreak.analysis.history import History
from firebreak.analysis.ruleset import rules_of
from firebreak.analysis.sizes import parse_size
from firebreak.model.facts import Operation

_REGIONS = 2  # where something older stands elsewhere in the subscription
_REGIONS_OF_AN_EMPTY_ONE = 3


def hallmarks(work: Work, history: History, weights: Weights) -> Iterable[Clue]:
    """At most one clue, and only where the caller's past, or the subscription's for a stranger, is too thin to ask."""
    if work.is_familiar or history.knows_well(work.session.caller):
        return
    fleet = [operation for operation in work.created if _is_accelerated(operation)]
    regions = {operation.region for operation in fleet} - history.standing_regions - {"", "global"}
    if len(regions) < (_REGIONS if history.standing_regions else _REGIONS_OF_AN_EMPTY_ONE):
        return
    prepared = {words: done for words, done in _preparations(work).items() if done}
    if prepared:
        text = (
            f"Made GPU machines in {len(regions)} regions where nothing stood ({', '.join(sorted(regions)[:4])}) and also "
            f"{' and '.join(prepared)}: that says intruder whatever the log's past."
        )
        done = [*fleet, *(operation for some in prepared.values() for operation in some)]
        yield clue(Kind.IDENTITY, weights.hallmark, text, done)


def _is_accelerated(operation: Operation) -> bool:
    size = parse_size(str(operation.properties.get("size", "")))
    return size.is_gpu or size.is_hpc


def _preparations(work: Work) -> dict[str, list[Operation]]:
    found: dict[str, list[Operation]] = {
        "asked for quota": [],
        "took protections away": [],
        "gave roles": [],
        "left a way in": [],
    }
    for operation in work.operations:
        for rule in rules_of(operation) if operation.status != "failed" else ():
            if rule.family == "quota-requested":
                found["asked for quota"].append(operation)
            elif rule.family == "role-granted":
                found["gave roles"].append(operation)
            elif rule.weakens:
                found["took protections away"].append(operation)
            elif rule.spreads:
                found["left a way in"].append(operation)
    return found
