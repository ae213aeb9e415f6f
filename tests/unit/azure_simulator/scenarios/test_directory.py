"""The tenant's directory through Graph: what is answered, to whom, under which licence, in which pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from azure_simulator import truth
from azure_simulator.app import call_as, dispatch, encode
from azure_simulator.clock import stamp
from azure_simulator.http import Request
from azure_simulator.services.graph import store
from azure_simulator.services.signin.models import issue
from azure_simulator.world import Document, Principal, World
from tests.unit.azure_simulator.business.conftest import Answer, Caller

Worlds = Callable[..., World]
V1 = "/graph/v1.0"
SCENARIOS = ("crypto-mining", "false-alarm", "quiet-persistence", "hostile-names")


def named(world: World, name: str, tenant: str = "") -> Principal:
    return next(p for p in world.principals.values() if p.name == name and (not tenant or p.tenant_id == tenant))


def app(world: World) -> Caller:
    """The responder without a person, in the customer's tenant."""
    return Caller(world, named(world, "firebreak-responder"), world.tenant_id)


def partner_app(world: World) -> Caller:
    own = named(world, "firebreak-responder")
    twin = next(p for p in world.principals.values() if p.app_id == own.app_id and p is not own)
    return Caller(world, twin, world.partner_tenant_id)


def everything(ask: Caller, path: str) -> list[Document]:
    """All pages of a list."""
    found: list[Document] = []
    while path:
        answer = ask("GET", path)
        assert answer.status == 200, (path, answer.body)
        found += answer.body["value"]
        link = urlsplit(answer.body.get("@odata.nextLink", ""))
        path = f"{link.path}?{link.query}" if link.path else ""
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_row_of_the_directory_names_principals_that_exist(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    fields = ("principalId", "clientId", "resourceId", "_user")
    for table, rows in world.tables.items():
        if not table.startswith("graph.") or table in ("graph.signIns", "graph.places"):
            continue
        for row in rows.values():
            named_ids = [row[field] for field in fields if row.get(field)] + list(row.get("_owners", ()))
            assert all(each in world.principals for each in named_ids), (table, row)
    for group in world.principals.values():
        assert all(member in world.principals for member in group.members)


@pytest.mark.parametrize("name", SCENARIOS)
def test_pages_hold_every_user_once(name: str, read_only: Worlds) -> None:
    world = read_only(name)
    ask = app(world)
    found = everything(ask, f"{V1}/users?$top=7&$select=id,userType,accountEnabled,createdDateTime,otherMails")
    ids = [row["id"] for row in found]
    there = {p.object_id for p in world.principals.values() if p.kind == "User" and p.tenant_id == world.tenant_id}
    assert len(ids) == len(set(ids))
    assert set(ids) == there
    assert {row["userType"] for row in found} == {"Member", "Guest"}
    assert all(set(row) == {"id", "userType", "accountEnabled", "createdDateTime", "otherMails"} for row in found)
    assert "accountEnabled" not in ask("GET", f"{V1}/users?$top=1").body["value"][0]
    assert "accountEnabled" in ask("GET", "/graph/beta/users?$top=1").body["value"][0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("users?$filter=officeLocation eq 'x'", "Request_UnsupportedQuery"),
        ("users?$filter=startswith(accountEnabled,'t')", "Request_UnsupportedQuery"),
        ("users?$filter=accountEnabled ne true", "Request_UnsupportedQuery"),
        ("users?$orderby=createdDateTime", "Request_UnsupportedQuery"),
        ("applications?$filter=notes eq 'x'", "Request_UnsupportedQuery"),
        ("servicePrincipals?$filter=contains(displayName,'x')", "Request_UnsupportedQuery"),
        ("oauth2PermissionGrants?$filter=scope eq 'User.Read'", "Request_UnsupportedQuery"),
        ("roleManagement/directory/roleAssignments?$filter=startswith(principalId,'1')", "Request_UnsupportedQuery"),
        ("roleManagement/directory/roleAssignments?$expand=principal,roleDefinition", "BadRequest"),
        ("directoryRoles?$expand=owners", "BadRequest"),
        ("identity/conditionalAccess/policies?$filter=grantControls eq null", "BadRequest"),
        (
            "reports/authenticationMethods/userRegistrationDetails?$filter=lastUpdatedDateTime ge 2026-01-01",
            "BadRequest",
        ),
        ("users?$top=1000", "BadRequest"),
        ("users?$skiptoken=nonsense", "BadRequest"),
    ],
)
def test_what_a_collection_does_not_take_is_refused(path: str, code: str, read_only: Worlds) -> None:
    answer = app(read_only("crypto-mining"))("GET", f"{V1}/{path}")
    assert (answer.status, answer.body["error"]["code"]) == (400, code)


def test_an_advanced_query_needs_its_header_and_count(read_only: Worlds) -> None:
    ask = app(read_only("crypto-mining"))
    path = f"{V1}/users?$filter=accountEnabled ne true&$select=id,accountEnabled"
    assert "ConsistencyLevel:eventual" in ask("GET", path).body["error"]["message"]
    answer = ask("GET", f"{path}&$count=true", headers={"ConsistencyLevel": "eventual"})
    assert answer.body["@odata.count"] == len(answer.body["value"]) == 1
    assert answer.body["value"][0]["accountEnabled"] is False


def test_filters_over_elements_and_choices(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    ask = app(world)
    credential = next(iter(store.table(world, "credentials").values()))
    path = f"{V1}/applications?$filter=passwordCredentials/any(c: c/keyId eq '{credential['keyId']}')"
    assert [row["id"] for row in ask("GET", path).body["value"]] == [credential["_owner"]]
    people = [p.object_id for p in world.principals.values() if p.kind == "User" and p.tenant_id == world.tenant_id][:2]
    chosen = ask("GET", f"{V1}/users?$filter=id in ('{people[0]}', '{people[1]}')").body["value"]
    assert {row["id"] for row in chosen} == set(people)


def without(world: World, *values: str) -> World:
    """Take consents away from the responder."""
    ids = {
        Document(row)["id"]
        for resource in store.table(world, "servicePrincipals").values()
        for row in resource.get("appRoles", ())
        if row["value"] in values
    }
    for key, row in list(store.table(world, "appRoleAssignments").items()):
        if row["appRoleId"] in ids:
            del store.table(world, "appRoleAssignments")[key]
    return world


@pytest.mark.parametrize(
    ("consent", "path", "code"),
    [
        (
            "AuditLog.Read.All",
            "reports/authenticationMethods/userRegistrationDetails",
            "Authentication_MSGraphPermissionMissing",
        ),
        ("Policy.Read.All", "policies/authorizationPolicy", "AccessDenied"),
        ("UserAuthenticationMethod.ReadWrite.All", "users/{user}/authentication/methods", "accessDenied"),
        (
            "RoleManagement.ReadWrite.Directory",
            "roleManagement/directory/roleEligibilityScheduleInstances",
            "UnknownError",
        ),
        ("Directory.Read.All", "organization", "Authorization_RequestDenied"),
    ],
)
def test_each_service_refuses_what_was_not_consented_to_in_its_own_words(
    consent: str, path: str, code: str, fresh: Worlds
) -> None:
    world = fresh("crypto-mining")
    user = named(world, "Emergency Access 1").object_id
    asked = f"{V1}/{path.format(user=user)}"
    assert app(world)("GET", asked).status == 200
    without(world, consent)
    answer = app(world)("GET", asked)
    assert (answer.status, answer.body["error"]["code"]) == (403, code)


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        (
            "reports/authenticationMethods/userRegistrationDetails",
            (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"),
        ),
        ("roleManagement/directory/roleAssignmentScheduleInstances", (400, "AadPremiumLicenseRequired")),
        ("roleManagement/directory/roleEligibilityScheduleInstances", (400, "AadPremiumLicenseRequired")),
        ("roleManagement/directory/roleEligibilitySchedules", (400, "AadPremiumLicenseRequired")),
        ("roleManagement/directory/roleAssignments", None),
        ("users", None),
        ("identity/conditionalAccess/policies", None),
    ],
)
def test_what_was_not_bought_is_refused_and_the_rest_is_not(
    path: str, refusal: tuple[int, str] | None, fresh: Worlds
) -> None:
    world = fresh("crypto-mining")
    for key, row in list(store.table(world, "subscribedSkus").items()):
        if row["_tenant"] == world.tenant_id:
            del store.table(world, "subscribedSkus")[key]
    answer = app(world)("GET", f"{V1}/{path}")
    assert (answer.status, answer.body["error"]["code"]) == refusal if refusal else answer.status == 200


def test_conditional_access_takes_one_request_a_second_and_does_not_say_when_to_come_back(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    world.throttling = True
    ask = app(world)
    path = f"{V1}/identity/conditionalAccess/policies"
    assert ask("GET", path).status == 200
    refused = ask("GET", f"{V1}/identity/conditionalAccess/namedLocations")
    assert (refused.status, refused.body["error"]["code"]) == (429, "TooManyRequests")
    assert "retry-after" not in {name.lower() for name in refused.headers}
    world.clock.advance(1)
    assert ask("GET", path).status == 200


def test_reports_take_five_requests_and_then_say_when_to_come_back(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    world.throttling = True
    ask = app(world)
    path = f"{V1}/reports/authenticationMethods/userRegistrationDetails"
    assert [ask("GET", path).status for _ in range(5)] == [200] * 5
    refused = ask("GET", path)
    assert refused.status == 429
    world.clock.advance(float(refused.headers["Retry-After"]))
    assert ask("GET", path).status == 200


def agent(world: World, number: int = 1) -> Callable[[str], Answer]:
    """A person of the partner with the responder's application, signed in to the customer's tenant."""
    person = next(p for p in world.principals.values() if p.upn.startswith(f"agent{number}@"))
    token = issue(world, person, tenant=world.tenant_id, app_id=named(world, "firebreak-responder").app_id)

    def ask(path: str) -> Answer:
        sent = Request("GET", path, {}, {"authorization": f"Bearer {token}"}, b"")
        response = dispatch(world, sent)
        return Answer(response.status, json.loads(encode(response.body)), response.headers)

    return ask


def test_a_partners_person_reads_by_the_roles_of_an_active_relationship(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    paths = (f"{V1}/policies/authorizationPolicy", f"{V1}/roleManagement/directory/roleEligibilitySchedules")
    ask = agent(world)
    assert [ask(path).status for path in paths] == [200, 200]
    for row in store.table(world, "delegatedAdminRelationships").values():
        row["status"] = "terminated"
    assert [ask(path).status for path in paths] == [403, 403]


def test_a_person_without_a_role_reads_no_reports_whatever_the_app_was_granted(fresh: Worlds) -> None:
    world = fresh("crypto-mining")
    store.table(world, "delegatedAdminRelationships").clear()
    answer = agent(world)(f"{V1}/reports/authenticationMethods/userRegistrationDetails")
    assert (answer.status, answer.body["error"]["code"]) == (403, "Authentication_RequestFromUnsupportedUserRole")


def test_the_older_list_of_roles_misses_who_may_activate_one(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    ask = app(world)
    administrator = "62e90394-69f5-4237-9190-012177145e10"
    role = next(r for r in ask("GET", f"{V1}/directoryRoles").body["value"] if r["roleTemplateId"] == administrator)
    active = {m["id"] for m in ask("GET", f"{V1}/directoryRoles/{role['id']}/members").body["value"]}
    same = ask("GET", f"{V1}/directoryRoles(roleTemplateId='{administrator}')/members").body["value"]
    path = (
        f"{V1}/roleManagement/directory/roleEligibilityScheduleInstances?$filter=roleDefinitionId eq '{administrator}'"
    )
    eligible = ask("GET", f"{path}&$expand=principal,roleDefinition").body["value"]
    assert active == {named(world, f"Emergency Access {n}").object_id for n in (1, 2)} == {m["id"] for m in same}
    assert eligible
    assert not active & {row["principalId"] for row in eligible}
    assert all(row["principal"]["@odata.type"] == "#microsoft.graph.user" for row in eligible)
    assert {row["roleDefinition"]["displayName"] for row in eligible} == {"Global Administrator"}


def test_a_group_that_holds_a_role_gives_it_to_those_in_it(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    auditor = world.principals[
        next(
            member
            for p in world.principals.values()
            if p.name == "grp-security-readers"
            for member in reversed(p.members)
        )
    ]
    ask = app(world)
    direct = {row["displayName"] for row in everything(ask, f"{V1}/users/{auditor.object_id}/memberOf")}
    every = {row["displayName"] for row in everything(ask, f"{V1}/users/{auditor.object_id}/transitiveMemberOf")}
    assert "Security Reader" in every - direct
    assert "Global Reader" in direct


def test_no_answer_holds_a_secret_that_signs_in(read_only: Worlds) -> None:
    world = read_only("crypto-mining")
    secrets = {secret for p in world.principals.values() for secret in (*p.secrets, *p.refresh_tokens)}
    ask = app(world)
    for path in ("applications", "servicePrincipals?$top=999", "users?$top=999"):
        text = str(ask("GET", f"{V1}/{path}").body)
        assert not any(secret in text for secret in secrets)
    rows = [c for row in everything(ask, f"{V1}/applications") for c in row["passwordCredentials"]]
    assert rows
    assert all(row["secretText"] is None and row["endDateTime"] and len(row["hint"]) <= 3 for row in rows)


def test_removing_an_applications_secret_ends_its_sign_in_and_is_seen_by_the_scorer(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    ask = app(world)
    wanted = next(row for row in everything(ask, f"{V1}/applications") if row["displayName"].endswith("cicd-shop"))
    principal = next(p for p in world.principals.values() if p.app_id == wanted["appId"])
    (secret,) = principal.secrets
    live = next(row["keyId"] for row in wanted["passwordCredentials"] if row["hint"] == secret[:3])
    path = f"{V1}/applications/{wanted['id']}/removePassword"
    assert ask("POST", path, {"keyId": live}).status == 204
    form = f"grant_type=client_credentials&client_id={principal.app_id}&client_secret={secret}"
    refused = dispatch(world, Request("POST", f"/{world.tenant_id}/oauth2/v2.0/token", {}, {}, form.encode()))
    assert refused.status == 401
    touched = [row["what"] for row in truth.score(world)["protected_touched"]]
    assert any(what.startswith("directory's credentials is gone") for what in touched)


def test_a_phone_has_no_date_and_the_report_on_registration_is_behind(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    ask = app(world)
    user = next(row["_user"] for row in store.table(world, "methods").values() if "phone" in row["@odata.type"])
    path = f"{V1}/users/{user}/authentication"
    by_type = {row["@odata.type"].rsplit(".", 1)[1]: row for row in ask("GET", f"{path}/methods").body["value"]}
    assert by_type["phoneAuthenticationMethod"]["createdDateTime"] is None
    assert by_type["microsoftAuthenticatorAuthenticationMethod"]["createdDateTime"]
    assert "@odata.type" not in ask("GET", f"{path}/phoneMethods").body["value"][0]
    now = stamp(world.clock.now())
    row = {"@odata.type": "#microsoft.graph.softwareOathAuthenticationMethod", "id": "new", "secretKey": None}
    store.put(world, "methods", f"{user}/new", row | {"createdDateTime": None, "_user": user, "_created": now})
    report = f"{V1}/reports/authenticationMethods/userRegistrationDetails/{user}"
    assert "softwareOneTimePasscode" not in ask("GET", report).body["methodsRegistered"]
    assert "new" in {row["id"] for row in ask("GET", f"{path}/methods").body["value"]}
    world.clock.advance(timedelta(hours=24).total_seconds())
    assert "softwareOneTimePasscode" in ask("GET", report).body["methodsRegistered"]


def test_emergency_accounts_are_excluded_from_policies_and_hold_their_role_for_ever(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    ask = app(world)
    group = named(world, "grp-ca-emergency-access")
    policies = everything(ask, f"{V1}/identity/conditionalAccess/policies")
    assert policies
    assert all(group.object_id in row["conditions"]["users"]["excludeGroups"] for row in policies)
    assert set(group.members) == {named(world, f"Emergency Access {n}").object_id for n in (1, 2)}
    assert ask("GET", f"{V1}/policies/identitySecurityDefaultsEnforcementPolicy").body["isEnabled"] is False


def test_delegated_relationships_and_contracts_are_the_partners(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    path = f"{V1}/tenantRelationships/delegatedAdminRelationships"
    assert app(world)("GET", path).status == 403
    ask = partner_app(world)
    rows = ask("GET", f"{path}?$filter=customer/tenantId eq '{world.tenant_id}' and status eq 'active'").body["value"]
    assert len(rows) == 1
    access = ask("GET", f"{path}/{rows[0]['id']}/accessAssignments").body["value"]
    agents = named(world, "AdminAgents").object_id
    assert [row["accessContainer"]["accessContainerId"] for row in access] == [agents]
    assert world.tenant_id in {row["customerId"] for row in ask("GET", f"{V1}/contracts").body["value"]}
    provider = everything(app(world), f"{V1}/policies/crossTenantAccessPolicy/partners")
    assert {row["tenantId"]: row["isServiceProvider"] for row in provider}[world.partner_tenant_id] is True


def test_consents_tell_who_may_what(read_only: Worlds) -> None:
    world = read_only("false-alarm")
    ask = app(world)
    graph = ask("GET", f"{V1}/servicePrincipals(appId='00000003-0000-0000-c000-000000000000')").body
    values = {row["id"]: row["value"] for row in graph["appRoles"]}
    vault = named(world, "MailVault Backup")
    given = everything(ask, f"{V1}/servicePrincipals/{vault.object_id}/appRoleAssignments")
    assert {values[row["appRoleId"]] for row in given} == {"Mail.Read", "Files.Read.All", "Sites.Read.All"}
    assert {row["resourceDisplayName"] for row in given} == {"Microsoft Graph"}
    consents = everything(ask, f"{V1}/oauth2PermissionGrants?$filter=clientId eq '{vault.object_id}'")
    assert [(row["consentType"], row["principalId"]) for row in consents] == [("AllPrincipals", None)]
    assert all("User.Read" in row["scope"].split() for row in consents)


def test_a_disabled_person_is_disabled_through_graph_alone_with_consent(fresh: Worlds) -> None:
    world = fresh("false-alarm")
    user = named(world, "Scan to mail")
    without(world, "User.ReadWrite.All")
    path = f"{V1}/users/{user.object_id}"
    assert app(world)("PATCH", path, {"accountEnabled": False}).status == 403
    assert user.enabled
    assert call_as(world, user.object_id, "GET", "/subscriptions?api-version=2022-12-01").status == 200
