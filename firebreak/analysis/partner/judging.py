"""How a check gets its status: wrong when something speaks against the claim, not looked at when it could not be read, else passed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from firebreak.model.check import Check, CheckStatus
from firebreak.model.finding import NotLookedAt

_MOST = 50  # lines of evidence; a page folds them, and a note says how many more there are


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a check claims, before it is known whether it holds: see `Check`. `advice` is for when it does not."""

    id: str
    row: str
    step: str
    title: str
    advice: str

    def judged(self, wrong: Sequence[str], *, failed: str, passed: str, seen: Iterable[str] = ()) -> Check:
        """Failed with the lines of `wrong` as evidence, or passed with those of `seen` when there are none."""
        if wrong:
            return self._as(CheckStatus.FAILED, failed, wrong, self.advice)
        return self._as(CheckStatus.PASSED, passed, tuple(seen), "")

    def unread(self, why: str, advice: str = "") -> Check:
        """Not looked at, because."""
        return self._as(CheckStatus.NOT_LOOKED_AT, why, (), advice or "Mend the reason, then run the check again.")

    def partly(self, wrong: Sequence[str], why: str, *, failed: str) -> Check:
        """For what could be read in part only: failed when that part speaks against it, else not looked at, never passed."""
        return self.judged(wrong, failed=failed, passed="") if wrong else self.unread(why)

    def _as(self, status: CheckStatus, reason: str, evidence: Sequence[str], advice: str) -> Check:
        lines = [line for line in dict.fromkeys(evidence) if line]
        more = (f"... and {len(lines) - _MOST} more",) if len(lines) > _MOST else ()
        return Check(
            id=self.id,
            row=self.row,
            step=self.step,
            title=self.title,
            status=status,
            reason=reason,
            evidence=(*lines[:_MOST], *more),
            advice=advice,
        )


def counted(number: int, one: str, many: str = "") -> str:
    """`3 accounts`, `1 account`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def why_not(notes: Iterable[NotLookedAt], *what: str) -> str:
    """The reason why some of these things were not read, as a sentence."""
    found = [note for note in notes if note.what in what]
    said = "; ".join(f"{note.what}: {note.why.rstrip('. ')}" for note in found)
    return f"{said[:1].upper()}{said[1:]}." if said else "It could not be read."
