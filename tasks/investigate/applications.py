"""Applications: fresh credentials, rights and outside issuers, and those of other tenants with strong rights."""

from __future__ import annotations

from typing import Any

from firebreak.analysis import documents as doc
from firebreak.analysis.identity import applications as apps
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, ActivityFacts, SubscriptionFacts
from firebreak.model.finding import Finding
from firebreak.model.identity import Application, Applications, DirectoryChanges, Grant
from firebreak.model.ids import is_plain_segment
from firebreak.model.step import Effect, Step
from tasks import directory
from tasks.reading import Notes, each

_READS = (directory.APPLICATIONS, directory.PRINCIPALS, directory.RIGHTS, directory.CONSENTS, directory.ISSUERS)

STEP = Step(
    id="investigate.applications",
    title="Review applications, their credentials and their rights",
    effect=Effect.READ,
    description=(
        "Reads the credentials of applications and service principals, outside issuers whose tokens count as theirs, and rights that were given "
        "to them; tells what is of the window and what leads to roles, mail or files of everybody."
    ),
    graph_permissions=directory.permissions_of(*_READS),
    guidance=("S48",),
    produces=Applications,
    parameters={"most_issuers": "Applications whose outside issuers are read one by one at most (60)."},
)

_GRAPH = "00000003-0000-0000-c000-000000000000"
_PAGE = {"$top": "999"}


async def collect(eyes: Eyes, case: Case) -> Applications:
    """Read registrations and service principals, who has rights on Graph, and consents; then the issuers of those that matter."""
    notes, start = Notes(), directory.window_of(eyes, case)
    registered = await directory.attempt(
        notes,
        directory.APPLICATIONS,
        directory.everything(
            eyes,
            directory.APPLICATIONS,
            _PAGE | {"$select": "id,appId,displayName,createdDateTime,passwordCredentials,keyCredentials"},
        ),
        [],
    )
    principals = await directory.attempt(
        notes,
        directory.PRINCIPALS,
        directory.everything(
            eyes,
            directory.PRINCIPALS,
            _PAGE
            | {
                "$select": "id,appId,displayName,accountEnabled,appOwnerOrganizationId,servicePrincipalType,passwordCredentials,keyCredentials"
            },
        ),
        [],
    )
    grants = await _grants(eyes, notes, principals)
    subscription = case.get(SubscriptionFacts)
    tenant = subscription.tenant_id if subscription else case.incident.alert.customer_tenant_id
    people = [one for one in principals if doc.text(one, "servicePrincipalType").lower() != "managedidentity"]
    found, seen = apps.collected(registered, people, grants, start=start, tenant=tenant, at_work=_at_work(case))
    return Applications(
        window_start=start,
        seen=seen,
        applications=await _with_issuers(eyes, notes, case, found),
        not_looked_at=notes.all,
    )


def assess(facts: Applications, case: Case) -> list[Finding]:
    subscription = case.get(SubscriptionFacts)
    return apps.find(
        facts,
        access=case.get(AccessFacts),
        changes=case.get(DirectoryChanges),
        own=subscription.own_principal_ids if subscription else (),
    )


def _at_work(case: Case) -> set[str]:
    """Principals and applications that hold roles in the subscription or did something there in the window."""
    access, activity = case.get(AccessFacts), case.get(ActivityFacts)
    found = {one.principal_id.lower() for one in access.role_assignments} if access else set()
    for session in activity.sessions if activity else ():
        if activity and session.last_seen >= activity.window_start and "@" not in session.caller:
            found |= {session.principal_id.lower(), session.app_id.lower()}
    return found - {""}


async def _grants(eyes: Eyes, notes: Notes, principals: list[dict[str, Any]]) -> dict[str, list[Grant]]:
    """Rights on Microsoft Graph, of applications by themselves and on behalf of people."""
    graph = next((one for one in principals if doc.text(one, "appId").lower() == _GRAPH), None)
    found: dict[str, list[Grant]] = {}
    identifier = doc.text(graph, "id")
    if graph is None or not is_plain_segment(identifier):
        if principals:
            notes.add(directory.RIGHTS.what, "the service principal of Microsoft Graph was not found in the tenant")
    else:
        path = f"{directory.PRINCIPALS.path}/{identifier}"
        given = await directory.attempt(
            notes,
            directory.RIGHTS,
            directory.everything(eyes, directory.RIGHTS, _PAGE, path=f"{path}/appRoleAssignedTo"),
            [],
        )
        roles = await directory.attempt(
            notes,
            directory.RIGHTS,
            eyes.graph.get(path, {"$select": "id,appRoles"}),
            None,
            what="names of rights on Graph",
        )
        names = {doc.text(role, "id").lower(): doc.text(role, "value") for role in doc.items(roles, "appRoles")}
        found = apps.role_grants(given, names, "Microsoft Graph")
    rows = await directory.attempt(notes, directory.CONSENTS, directory.everything(eyes, directory.CONSENTS, _PAGE), [])
    resources = {doc.text(one, "id").lower(): doc.text(one, "displayName") for one in principals}
    for principal, consents in apps.consents(rows, resources).items():
        found[principal] = [*found.get(principal, []), *consents]
    return found


async def _with_issuers(eyes: Eyes, notes: Notes, case: Case, found: list[Application]) -> tuple[Application, ...]:
    """The outside issuers of the applications registered here: there is no list of them all."""
    most = int(case.parameter(STEP.id, "most_issuers", 60))
    own = [app for app in found if is_plain_segment(app.object_id)]
    if len(own) > most:
        notes.add(f"outside issuers of {len(own) - most} further applications", f"only {most} are read one by one")

    async def read(app: Application) -> tuple[str, tuple[Any, ...]]:
        path = f"{directory.APPLICATIONS.path}/{app.object_id}/federatedIdentityCredentials"
        rows = await directory.attempt(
            notes, directory.ISSUERS, directory.everything(eyes, directory.ISSUERS, path=path), []
        )
        return app.object_id, tuple(apps.federated_of(row) for row in rows)

    issuers = dict(await each(read, own[:most]))
    return tuple(
        apps.with_credentials(app, issuers[app.object_id]) if issuers.get(app.object_id) else app for app in found
    )
