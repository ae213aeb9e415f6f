"""Which findings about identities bear on the alert: those about somebody who is at work in the subscription, may be, or shares an address with it.

A tenant holds thousands of people; what befell one who has nothing to do with the subscription neither accuses nor clears anybody in it.
Facts and findings in, the same findings in two heaps out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from firebreak.model.facts import AccessFacts, ActivityFacts
from firebreak.model.finding import Finding
from firebreak.model.identity import Administrators, Applications, DirectoryChanges, IdentityRisk, SignIns


def near_and_far(
    findings: Iterable[Finding],
    activity: ActivityFacts,
    *,
    access: AccessFacts | None = None,
    sign_ins: SignIns | None = None,
    changes: DirectoryChanges | None = None,
    administrators: Administrators | None = None,
    applications: Applications | None = None,
    risk: IdentityRisk | None = None,
) -> tuple[list[Finding], list[Finding]]:
    """Part findings into those that bear on this subscription and the rest.

    Near is who did something in the incident's window, who holds a role here (directly, or in full through a group), whom such a change
    was made to, and what came from an address that somebody worked here from in the window. Names are looked up with every id that the
    directory's records give them, and one match is enough.
    """
    present = [session for session in activity.sessions if session.last_seen >= activity.window_start]
    here = {name.lower() for session in present for name in (session.caller, session.principal_id, session.app_id)}
    here |= {row.principal_id.lower() for row in (access.role_assignments if access else ())}
    here |= {one.id.lower() for one in (administrators.administrators if administrators else ()) if one.azure_roles}
    here -= {""}
    addresses = {session.address for session in present} - {""}
    named = _ids(_names(sign_ins, changes, administrators, applications, risk))
    targets = {
        change.id: {target.id.lower() for target in change.targets} for change in (changes.changes if changes else ())
    }

    def bears_on_it(finding: Finding) -> bool:
        who = finding.actor.lower()
        about = {who, *named.get(who, ())}.union(*(targets.get(event, ()) for event in finding.event_ids)) - {""}
        return bool(about & here) or finding.address in addresses

    near: list[Finding] = []
    far: list[Finding] = []
    for finding in findings:
        (near if bears_on_it(finding) else far).append(finding)
    return near, far


def _names(
    sign_ins: SignIns | None,
    changes: DirectoryChanges | None,
    administrators: Administrators | None,
    applications: Applications | None,
    risk: IdentityRisk | None,
) -> Iterator[tuple[str, ...]]:
    """The name of an identity and its ids, once for each record."""
    for row in sign_ins.sign_ins if sign_ins else ():
        yield row.who, row.principal_id
    for change in changes.changes if changes else ():
        yield change.actor, change.actor_id
        yield from ((target.name, target.id) for target in change.targets)
    for one in administrators.administrators if administrators else ():
        yield one.name, one.id
    for app in applications.applications if applications else ():
        yield app.name, app.app_id, app.principal_id, app.object_id
    for identity in risk.identities if risk else ():
        yield identity.name, identity.id
    for sign in risk.signs if risk else ():
        yield sign.who, sign.principal_id


def _ids(names: Iterable[tuple[str, ...]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, *ids in names:
        if name:
            found[name.lower()].update(one.lower() for one in ids if one)
    return found
