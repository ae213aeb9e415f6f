"""What the single checks come to: ready for what Microsoft enforces, and how far the partner is with zero trust."""

from __future__ import annotations

from collections.abc import Sequence

from firebreak.analysis.partner.judging import Claim
from firebreak.model.check import Check, CheckStatus

STEP = "investigate.partner_summary"
_MANDATORY = ("S91", "S93", "S94")
_ZERO_TRUST = ("S93", "S98", "S99", "S102", "S104", "S112")

READY = Claim(
    id="ready",
    row="S116",
    step=STEP,
    title="Nothing is open that Microsoft may cut the partner's access for",
    advice="Begin with these: until they are met, buying and administering for customers can be refused at any time.",
)
ZERO_TRUST = Claim(
    id="zero-trust",
    row="S117",
    step=STEP,
    title="The partner follows the principles of zero trust: prove who you are, hold few rights, expect an intruder",
    advice="See the findings that it names; each says what to do.",
)


def checks_of(checks: Sequence[Check]) -> list[Check]:
    return [_sum(READY, _MANDATORY, checks), _sum(ZERO_TRUST, _ZERO_TRUST, checks)]


def _sum(claim: Claim, rows: Sequence[str], checks: Sequence[Check]) -> Check:
    """Failed when one of its checks is; not looked at when one is not, or a row has none; never passed by what was not seen."""
    mine = [check for check in checks if check.row in rows]
    wrong = [check.title for check in mine if check.status is CheckStatus.FAILED]
    unseen = [check.title for check in mine if check.status is CheckStatus.NOT_LOOKED_AT]
    missing = [row for row in rows if not any(check.row == row for check in mine)]
    if not wrong and (unseen or missing):
        return claim.unread(f"{len(unseen) + len(missing)} of the checks that it is made of could not be done.")
    more = f" Not looked at: {len(unseen)}." if unseen else ""
    return claim.judged(
        [f"not so: {title}" for title in wrong],
        failed=f"Checks that it is made of and that failed: {len(wrong)} of {len(mine)}.{more}",
        passed=f"All {len(mine)} checks that it is made of passed.",
    )
