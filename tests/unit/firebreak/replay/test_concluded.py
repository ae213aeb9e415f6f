"""What an investigation concluded, in counts, and what differs from what was accepted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firebreak.bundle import Acceptance, AcceptedFile, Concluded, accepting
from firebreak.bundle.accepted import read_accepted
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.model.finding import Finding, Severity
from firebreak.replay.concluded import ConclusionChange, concluded_from, conclusions_changed

NAME = "mallory@contoso.example"


def finding(number: int, severity: Severity) -> Finding:
    return Finding(
        id=f"burst:{number}", step="investigate.activity_log", title=NAME, severity=severity, reasons=(NAME,)
    )


ATTRIBUTION = Attribution(
    actors=(
        Judgement(id=NAME, cls=Class.ATTACKER, score=80),
        Judgement(id="other", cls=Class.ATTACKER, score=65),
        Judgement(id="ada", cls=Class.LEGITIMATE, score=-60),
    ),
    resources=(Judgement(id="/subscriptions/x/vm", cls=Class.ATTACKER, score=90),),
    verdict="fraud",
)
CONCLUDED = concluded_from([finding(1, Severity.HIGH), finding(2, Severity.HIGH)], ATTRIBUTION, None)


def test_findings_judgements_and_points_are_counted_and_nobody_is_named() -> None:
    assert CONCLUDED.verdict == "fraud"
    assert CONCLUDED.findings == {"investigate.activity_log burst high": 2}
    assert (CONCLUDED.actors, CONCLUDED.resources) == ({"attacker": 2, "legitimate": 1}, {"attacker": 1})
    assert CONCLUDED.points == {"attacker": 145, "legitimate": -60}
    assert NAME not in repr(CONCLUDED)
    assert concluded_from([], None, None) == Concluded(verdict="not_enough_evidence", incomplete_days=0)


def test_what_was_not_counted_then_is_no_change_and_what_was_is_one() -> None:
    now = concluded_from([], None, None)
    assert conclusions_changed(Concluded(verdict="not_enough_evidence"), now) == ()
    (change,) = conclusions_changed(Concluded(verdict="not_enough_evidence", incomplete_days=2), now)
    assert (change.what, change.then, change.now) == ("days not billed in full", "2", "0")


def test_each_difference_is_told_once_with_both_counts() -> None:
    now = concluded_from([finding(1, Severity.LOW)], ATTRIBUTION, None)
    assert conclusions_changed(CONCLUDED, now) == (
        ConclusionChange(what="finding investigate.activity_log burst high", then="2", now="0"),
        ConclusionChange(what="finding investigate.activity_log burst low", then="0", now="1"),
    )
    assert conclusions_changed(CONCLUDED, CONCLUDED) == ()
    assert conclusions_changed(None, now) == ()


def accepted(concluded: Concluded | None) -> bytes:
    told = Acceptance(
        at=datetime(2026, 11, 20, tzinfo=UTC),
        who="ada",
        reason="right",
        engine_version="1",
        playbook="p",
        playbook_version="1",
        playbook_digest="d",
        decide="recorded",
        plans=(),
        concluded=concluded,
    )
    return accepting(None, told, {})


@pytest.mark.parametrize("concluded", [CONCLUDED, None])
def test_conclusions_are_kept_in_the_file_and_files_of_before_are_still_read(concluded: Concluded | None) -> None:
    content = accepted(concluded)
    assert (b"concluded" in content) is (concluded is not None)
    read: AcceptedFile = read_accepted(content, "accepted.json")
    assert read.last.concluded == concluded
