"""Which findings about identities bear on the subscription: by name, by any id behind the name, by target and by address."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from firebreak.analysis.identity.nearness import near_and_far
from firebreak.model.facts import AccessFacts, ActivityFacts, RoleAssignment, Session
from firebreak.model.finding import Finding, Severity
from firebreak.model.identity import Application, Applications, Change, ChangeTarget, DirectoryChanges, SignIn, SignIns

NOW = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = datetime(2026, 11, 13, tzinfo=UTC)


def session(caller: str, address: str, *, last: datetime = NOW) -> Session:
    return Session(caller=caller, address=address, first_seen=WINDOW, last_seen=last, operations=1)


ACTIVITY = ActivityFacts(
    events=3,
    from_time=WINDOW,
    to_time=NOW,
    window_start=WINDOW,
    sessions=(
        session("ann@contoso.example", "198.51.100.1"),
        session("11111111-aaaa-4000-8000-000000000001", "198.51.100.80"),
        session("gone@contoso.example", "192.0.2.9", last=datetime(2026, 11, 1, tzinfo=UTC)),
    ),
)
ACCESS = AccessFacts(
    role_assignments=(
        RoleAssignment(
            id="/r",
            scope="/s",
            role_definition_id="d",
            role_name="Reader",
            principal_id="BOB-OID",
            principal_type="User",
        ),
    )
)
SIGN_INS = SignIns(
    window_start=WINDOW,
    from_time=WINDOW,
    sign_ins=(
        SignIn(kind="interactive", who="bob@contoso.example", principal_id="bob-oid", first=NOW, last=NOW),
        SignIn(kind="interactive", who="carl@contoso.example", principal_id="carl-oid", first=NOW, last=NOW),
    ),
)
APPLICATIONS = Applications(
    window_start=WINDOW,
    applications=(Application(app_id="app", name="Builder", principal_id="11111111-AAAA-4000-8000-000000000001"),),
)
CHANGES = DirectoryChanges(
    window_start=WINDOW,
    from_time=WINDOW,
    changes=(
        Change(
            id="reset",
            at=NOW,
            name="Reset password",
            result="succeeded",
            actor="carl@contoso.example",
            actor_id="carl-oid",
            targets=(ChangeTarget(kind="User", id="bob-oid"),),
        ),
    ),
)


@pytest.mark.parametrize(
    ("actor", "address", "events", "near"),
    [
        ("Ann@contoso.example", "", (), True),  # at work here, whatever the case
        ("bob@contoso.example", "", (), True),  # has a role here, by the id that sign-ins give the name
        ("builder", "", (), True),  # the directory calls a pipeline by name, the activity log by id
        ("carl@contoso.example", "", (), False),
        ("carl@contoso.example", "198.51.100.1", (), True),  # from an address that somebody works here from
        ("carl@contoso.example", "192.0.2.9", (), False),  # that somebody worked here from before the window
        ("carl@contoso.example", "", ("reset",), True),  # what carl did to bob
        ("", "", (), False),  # about the tenant as a whole
    ],
)
def test_a_finding_bears_on_the_subscription(actor: str, address: str, events: tuple[str, ...], near: bool) -> None:
    one = Finding(
        id="f:1",
        step="s",
        title="t",
        severity=Severity.HIGH,
        reasons=(),
        event_ids=events,
        actor=actor,
        address=address,
    )
    close, far = near_and_far(
        [one], ACTIVITY, access=ACCESS, sign_ins=SIGN_INS, changes=CHANGES, applications=APPLICATIONS
    )
    assert (close, far) == (([one], []) if near else ([], [one]))
