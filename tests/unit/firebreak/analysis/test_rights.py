"""What roles and deny assignments allow, judged by Azure's rules."""

from __future__ import annotations

from typing import Any

import pytest

from firebreak.analysis.rights import allowed_at, allows, covers, denials, missing, permissions_of
from firebreak.model.facts import Permission, SubscriptionFacts

S = "/subscriptions/33333333-3333-4333-8333-333333333333"
GROUP = f"{S}/resourceGroups/rg"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/vm"
STOP = "Microsoft.Compute/virtualMachines/deallocate/action"
OWN, TEAM, STRANGER = "aaaa", "bbbb", "cccc"


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", STOP, True),
        ("Microsoft.Compute/*", STOP, True),
        ("microsoft.compute/virtualmachines/*", STOP, True),
        ("*/read", "Microsoft.Compute/disks/read", True),
        ("*/read", STOP, False),
        ("Microsoft.Compute/*/action", STOP, True),
        ("Microsoft.Compute/virtualMachines/*/action", STOP, True),
        ("Microsoft.Compute/virtualMachines", STOP, False),
        ("Microsoft.Compute/virtualMachines/deallocate/?ction", STOP, False),
        ("Microsoft.Compute/[a-z]*", STOP, False),
        ("MicrosoftxCompute/*", STOP, False),
        ("", STOP, False),
    ],
)
def test_only_the_star_stands_for_something_else(pattern: str, action: str, covered: bool) -> None:
    assert covers(pattern, action) is covered


def test_exceptions_take_away_only_from_their_own_entry() -> None:
    contributor = Permission(actions=("*",), not_actions=("Microsoft.Authorization/*/delete",))
    remover = Permission(actions=("Microsoft.Authorization/locks/delete",))
    assert not allows([contributor], "Microsoft.Authorization/locks/delete")
    assert allows([contributor, remover], "Microsoft.Authorization/locks/delete")
    assert missing(["Microsoft.Authorization/roleAssignments/delete", STOP], [contributor, remover]) == (
        "Microsoft.Authorization/roleAssignments/delete",
    )


def test_what_azure_answers_is_read_tolerantly() -> None:
    answers: list[Any] = [{"actions": ["*/read"], "notActions": None}, {"actions": ["*/read"]}, "?", {"Actions": ["a"]}]
    assert permissions_of(answers) == (Permission(actions=("*/read",)), Permission(actions=("a",)))


def test_a_role_held_in_one_group_counts_there_and_nowhere_else() -> None:
    reader, operator = Permission(actions=("*/read",)), Permission(actions=("Microsoft.Compute/*",))
    held = {S.lower(): (reader,), GROUP.lower(): (reader, operator)}
    own = facts(permissions=held)
    assert allowed_at(own, STOP, VM) is True
    assert allowed_at(own, STOP, VM.replace("/rg/", "/rg2/")) is False
    assert allowed_at(own, STOP, S) is False
    assert allowed_at(facts(), STOP, VM) is None


def facts(**given: Any) -> SubscriptionFacts:
    base = {"subscription_id": S[15:], "tenant_id": "", "display_name": "", "state": "", "own_principal_ids": (OWN,)}
    return SubscriptionFacts(**{**base, "member_of": (TEAM,), **given})


def denial(**given: Any) -> dict[str, Any]:
    properties = {
        "denyAssignmentName": "managed",
        "scope": GROUP,
        "permissions": [{"actions": ["*/delete", "*/action"], "notActions": ["*/start/action"]}],
        "principals": [{"id": "00000000-0000-0000-0000-000000000000", "type": "SystemDefined"}],
        "excludePrincipals": [],
    }
    return {"id": f"{GROUP}/providers/Microsoft.Authorization/denyAssignments/d", "properties": properties | given}


@pytest.mark.parametrize(
    ("given", "sure"),
    [
        ({}, [True]),
        ({"scope": S}, [True]),
        ({"scope": S, "doNotApplyToChildScopes": True}, []),
        ({"scope": VM, "doNotApplyToChildScopes": True}, [True]),
        ({"scope": f"{S}/resourceGroups/r"}, []),
        ({"permissions": [{"actions": ["*"], "notActions": ["*/deallocate/action"]}]}, []),
        ({"principals": [{"id": OWN.upper(), "type": "ServicePrincipal"}]}, [True]),
        ({"principals": [{"id": TEAM, "type": "Group"}]}, [True]),
        ({"principals": [{"id": STRANGER, "type": "User"}]}, []),
        ({"principals": [{"id": STRANGER, "type": "Group"}]}, [False]),
        ({"excludePrincipals": [{"id": OWN, "type": "ServicePrincipal"}]}, []),
        ({"excludePrincipals": [{"id": STRANGER, "type": "Group"}]}, [False]),
        ({"excludePrincipals": [{"id": STRANGER, "type": "User"}]}, [True]),
    ],
)
def test_a_deny_assignment_forbids_here_us_and_this(given: dict[str, Any], sure: list[bool]) -> None:
    assert [one.sure for one in denials([denial(**given)], facts(), STOP, VM)] == sure
