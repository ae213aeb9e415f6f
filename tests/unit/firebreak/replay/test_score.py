"""Actions judged by the ground truth: what counts as found, as missed, as touched."""

from __future__ import annotations

from decimal import Decimal

import pytest

from firebreak.bundle import Expected
from firebreak.model.facts import Attribution, Class, Judgement
from firebreak.replay.score import score
from tests.unit.firebreak.execution.builders import SUBSCRIPTION, machine_id, make_action

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-miners"
TRUTH = Expected(rogue=(machine_id(1), machine_id(2)), legitimate=(machine_id(3), machine_id(4)), verdict="fraud")


def test_precision_and_recall_count_resources_not_actions() -> None:
    actions = [make_action(1), make_action(1, kind="machine.delete"), make_action(3), make_action(9)]
    found = score(TRUTH, actions, Attribution(verdict="fraud"))
    assert (found.precision, found.recall) == (Decimal("0.5000"), Decimal("0.5000"))
    assert found.missed == (machine_id(2),)
    assert found.protected_touched == (machine_id(3),)
    assert found.verdict_is_right is True


@pytest.mark.parametrize(
    ("kind", "target", "found", "touched"),
    [
        ("machine.stop", machine_id(1).upper(), 1, 0),
        ("group.delete", GROUP, 2, 2),
        ("lock.remove", GROUP, 0, 0),
        ("lock.remove", f"{machine_id(3)}/providers/Microsoft.Authorization/locks/keep", 0, 1),
        ("lock.remove", f"{machine_id(1)}/providers/Microsoft.Authorization/locks/keep", 0, 0),
        ("machine.stop", machine_id(1) + "0", 0, 0),
        ("storage_key.regenerate", machine_id(3), 0, 0),
        ("vault_door.close", machine_id(3), 0, 0),
        ("entitlement.cancel", "/v1/customers/c/subscriptions/s", 0, 2),
    ],
)
def test_what_an_action_acts_on(kind: str, target: str, found: int, touched: int) -> None:
    told = score(TRUTH, [make_action(1, kind=kind, target=target)], None)
    assert (len(told.found), len(told.protected_touched)) == (found, touched)


def test_nothing_to_share_is_said_as_nothing() -> None:
    told = score(Expected(legitimate=(machine_id(3),), verdict="legitimate"), [], None)
    assert (told.precision, told.recall, told.picked, told.verdict_is_right) == (None, None, 0, False)
    assert score(Expected(), [], None).verdict_is_right is None


def test_attackers_are_known_by_any_of_their_names() -> None:
    judged = Attribution(
        actors=(
            Judgement(id="guest@x.example", cls=Class.ATTACKER, score=90, principal_id="AA"),
            Judgement(id="dev@x.example", cls=Class.LEGITIMATE, score=0, principal_id="BB"),
        )
    )
    told = score(Expected(attackers=("aa", "GUEST@x.example", "bb")), [], judged)
    assert told.attackers_missed == ("bb",)
