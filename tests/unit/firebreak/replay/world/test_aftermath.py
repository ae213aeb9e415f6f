"""The attacker's operations tried again: which are, with what, and how the world's answers are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firebreak.model.facts import ActivityFacts, Attribution, Class, Judgement, Operation
from firebreak.replay.world.aftermath import made_by, operations_after, tried_again

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
THIEF = "aaaaaaaa-0000-4000-8000-00000000000a"
RG = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines/vm1"


def did(name: str = "Microsoft.Compute/virtualMachines/write", minutes: int = 5, **more: Any) -> Operation:
    told = {"id": f"{name}{minutes}", "status": "succeeded", "principal_id": THIEF, "resource_id": VM, **more}
    return Operation(name=name, at=NOON + timedelta(minutes=minutes), **told)


def theirs(*operations: Operation) -> list[Operation]:
    judged = Judgement(id=THIEF, cls=Class.ATTACKER, score=100)
    return operations_after(
        ActivityFacts(events=1, from_time=NOON, to_time=NOON, window_start=NOON, operations=operations),
        Attribution(actors=(judged,)),
        NOON,
    )


def test_only_what_the_attacker_changed_after_the_moment_is_tried_in_order() -> None:
    kept = [did(minutes=9), did("Microsoft.Compute/virtualMachines/delete", 7)]
    others = [
        did(minutes=-1),
        did(principal_id="bbbbbbbb-0000-4000-8000-00000000000b"),
        did("Microsoft.Storage/storageAccounts/listKeys/action"),
    ]
    assert theirs(*kept, *others) == [kept[1], kept[0]]


def test_what_they_made_is_what_did_not_stand_before() -> None:
    assert made_by([did(created=True)]) == [VM]
    assert made_by([did(created=False), did(status="failed"), did("Microsoft.Compute/virtualMachines/delete")]) == []


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        (did(), ("PUT", VM, {"location": "eastus"})),
        (did("Microsoft.Compute/virtualMachines/delete"), ("DELETE", VM, None)),
        (did("Microsoft.Compute/virtualMachines/start/action"), ("POST", f"{VM}/start", None)),
    ],
)
def test_an_operation_becomes_the_request_that_it_was(operation: Operation, asked: tuple[str, str, Any]) -> None:
    sent: list[Any] = []

    def world(method: str, name: str, body: Any) -> Any:
        sent.append((method, name, body))
        return {"status": 200, "answer": None}

    (told,) = tried_again([operation], {operation.id: {"location": "eastus"}}, {}, world)
    assert told.now == "works"
    session = {"session_started": "2026-03-03T12:05:00+00:00"}
    assert sent == [
        ("POST", "act", {"principal": THIEF, "method": asked[0], "url": asked[1], "body": asked[2], **session}),
    ]


def test_a_refusal_is_told_with_its_code_and_why() -> None:
    answer = {"status": 403, "answer": {"error": {"code": "RequestDisallowedByPolicy", "message": "no"}}}
    (told,) = tried_again([did()], {}, {VM.lower(): {"location": "eastus"}}, lambda *_: answer)
    assert (told.now, told.code, told.because) == ("refused", "RequestDisallowedByPolicy", "a policy denies it")


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ({"status": 201, "answer": None}, ("works", "")),
        (
            {"status": 403, "answer": {"error": {"code": "RequestDisallowedByPolicy"}}},
            ("refused", "a policy denies it"),
        ),
    ],
)
def test_behind_a_closed_account_it_is_tried_what_a_token_that_is_still_good_would_do(
    behind: dict[str, Any], told: tuple[str, str]
) -> None:
    def world(_method: str, _name: str, body: Any) -> Any:
        out = {"status": 401, "answer": {"error": {"code": "InvalidAuthenticationToken"}}}
        return behind if body.get("token_lives") else out

    (found,) = tried_again([did()], {}, {VM.lower(): {"location": "eastus"}}, world)
    assert (found.now, found.because) == ("refused", "its account is closed or its session was ended")
    assert (found.with_token, found.with_token_because) == told


def test_what_azure_took_then_and_the_world_does_not_understand_was_not_tried() -> None:
    answer = {"status": 400, "answer": {"error": {"code": "BadRequest", "message": "no"}}}
    for then, now in (("succeeded", "not tried"), ("failed", "refused")):
        (told,) = tried_again([did(status=then)], {}, {VM.lower(): {"location": "eastus"}}, lambda *_: answer)
        assert (told.now, told.code) == (now, "BadRequest")


def test_what_is_not_recorded_is_said_and_never_made_up() -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("the world was asked")

    told = tried_again([did(), did(principal_id="", caller="x@contoso.example")], {}, {}, never)
    assert [one.now for one in told] == ["not tried", "not tried"]
    assert all(one.because for one in told)
