"""The doctor names the policies that refuse what a playbook writes or deletes, those that may, and those that nobody could judge."""

from __future__ import annotations

from typing import Any

from firebreak.cli.doctor_policies import policy_check
from firebreak.model.facts import AccessFacts, PolicyAssignment
from firebreak.model.step import Effect, Step

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
S = f"/subscriptions/{SUBSCRIPTION}"
DELETE = Step(
    id="eradicate.x",
    title="Delete disks",
    effect=Effect.IRREVERSIBLE,
    description="",
    permissions=("Microsoft.Compute/disks/read", "Microsoft.Compute/disks/delete", "Microsoft.Compute/snapshots/write"),
)
READ = Step(id="investigate.x", title="Read", effect=Effect.READ, description="", permissions=("X.Y/z/write",))


def definition(effect: str, *conditions: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": {"mode": "All", "policyRule": {"if": {"allOf": list(conditions)}, "then": {"effect": effect}}}
    }


def checked(*documents: dict[str, Any] | None, scope: str = S) -> Any:
    assignments = tuple(
        PolicyAssignment(id=f"{S}/a{i}", scope=scope, name=f"Guard {i}", definition_id=f"/d{i}")
        for i in range(len(documents))
    )
    read = {f"/d{i}": document for i, document in enumerate(documents) if document is not None}
    access = AccessFacts(
        policy_assignments=assignments, policy_definitions=read, policies_not_read={"/d2": "403 at the top group"}
    )
    return policy_check("policies", SUBSCRIPTION, access, [DELETE, READ])


def of_type(kind: str) -> dict[str, Any]:
    return {"field": "type", "equals": kind}


def test_what_is_refused_may_be_refused_and_was_not_judged_is_named() -> None:
    tagged = {"field": "tags['env']", "equals": "prod"}
    check = checked(
        definition("denyAction", of_type("Microsoft.Compute/disks")),
        definition("deny", of_type("Microsoft.Compute/snapshots"), tagged),
        None,
    )
    assert not check.ok
    assert "Refused by policy: Guard 0 (deleting disks)." in check.detail
    assert "Perhaps refused by policy: Guard 1 (writing snapshots)." in check.detail
    assert "Not judged: Guard 2 (403 at the top group)." in check.detail
    assert check.hint


def test_a_policy_for_one_group_is_found_too() -> None:
    check = checked(definition("denyAction", of_type("Microsoft.Compute/disks")), scope=f"{S}/resourceGroups/rg")
    assert not check.ok


def test_what_concerns_nothing_that_a_step_sends_is_not_named() -> None:
    check = checked(
        definition("denyAction", of_type("Microsoft.Web/sites")),
        definition("deny", of_type("Microsoft.Compute/disks")),
        definition("audit", of_type("Microsoft.Compute/disks")),
    )
    assert (check.ok, check.detail) == (True, "None stands in the way of its steps.")


def test_assignments_that_may_not_be_listed_are_a_failure() -> None:
    check = policy_check("policies", SUBSCRIPTION, AccessFacts(policies_were_read=False), [DELETE])
    assert not check.ok
    assert "Not judged" in check.detail
