"""accepted.json: the plans that people accepted since, in place of those decided then, each time with a reason.

Like expected.yaml it is added after the export and covered by no signature; it has a checksum of its own against damage.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from firebreak.errors import BundleError, IntegrityError
from firebreak.model.canonical import canonical_bytes
from firebreak.model.plan import Plan

ACCEPTED: Final = "accepted.json"
_DAMAGED = "Get the bundle again, or remove the file: the plans decided then are still in the bundle."


class AcceptedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted plan by its place and digest."""

    stage: str
    attempt: int
    digest: str
    actions: int


class Concluded(msgspec.Struct, frozen=True, kw_only=True):
    """What the first look concluded, in counts: findings by step, kind and severity; identities and resources by how they were judged.

    `points` sums the points of the identities' reasons, by how they were judged. `days_of_spend` counts days of unusual spend,
    `extra_spend` is what was spent too much, in the currency of the bill. `incomplete_days` counts the newest days of the bill that were
    taken for not billed in full yet; absent in files that were written before it was counted.
    """

    verdict: str
    findings: dict[str, int] = {}
    actors: dict[str, int] = {}
    resources: dict[str, int] = {}
    points: dict[str, int] = {}
    days_of_spend: int = 0
    extra_spend: Decimal = Decimal(0)
    incomplete_days: int | msgspec.UnsetType = msgspec.UNSET


class Acceptance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One time that a person accepted other plans: when, who, why, and with which playbook and engine they were made.

    `concluded` is None in files that were written before conclusions were compared.
    """

    at: datetime
    who: str
    reason: str
    engine_version: str
    playbook: str
    playbook_version: str
    playbook_digest: str
    decide: str
    plans: tuple[AcceptedPlan, ...]
    concluded: Concluded | None = None


class AcceptedFile(msgspec.Struct, frozen=True, kw_only=True):
    """accepted.json. `history` is never shortened; `plans` has the plans of its last entry, by digest. `checksum`: SHA-256 of the canonical JSON
    of the other keys."""

    format: Literal["firebreak-accepted"]
    history: tuple[Acceptance, ...]
    plans: dict[str, Plan]
    checksum: str = ""

    @property
    def last(self) -> Acceptance:
        return self.history[-1]


def accepting(before: AcceptedFile | None, acceptance: Acceptance, plans: Mapping[str, Plan]) -> bytes:
    """Return the file with one more acceptance."""
    history = (*(before.history if before else ()), acceptance)
    document = AcceptedFile(format="firebreak-accepted", history=history, plans=dict(plans))
    return canonical_bytes(msgspec.structs.replace(document, checksum=_checksum(document))) + b"\n"


def read_accepted(content: bytes, place: str) -> AcceptedFile:
    """Read an accepted.json.

    Raises:
        BundleError: it is not one; `place` names it.
        IntegrityError: it was changed.
    """
    try:
        document = msgspec.json.decode(content, type=AcceptedFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{place} cannot be read: {error}.", hint=_DAMAGED) from error
    wanted = {plan.digest for plan in document.history[-1].plans} if document.history else None
    try:
        is_whole = document.checksum == _checksum(document) and all(
            plan.digest == digest for digest, plan in document.plans.items()
        )
    except (TypeError, ValueError, RecursionError):  # what no plan holds, such as a fraction
        is_whole = False
    if not is_whole or set(document.plans) != wanted:
        raise IntegrityError(f"{place} was changed.", hint=_DAMAGED)
    return document


def _checksum(document: AcceptedFile) -> str:
    return hashlib.sha256(canonical_bytes(msgspec.structs.replace(document, checksum=""))).hexdigest()
