"""How the partner's own tenant stands: an ordinary small company with the usual neglect, so that a check of it has something to find.

Drawn last and from a chance of its own: nothing of the customer's world depends on it. Accounts by the part of their name before the @:
agent1 to agent3 (in order, the third without a premium licence), billing (a program that signs in with a password), sales (old mail protocol,
no second factor), Sync_SRV01 (directory-sync, used in the portal), emergency (a key), corp (signs in by a company's own service).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.events import token_id
from azure_simulator.scenarios import hostile_names, ids
from azure_simulator.scenarios.identity import places, tenant
from azure_simulator.scenarios.identity.accounts import add_authenticator, add_method, add_password
from azure_simulator.scenarios.identity.apps import graph_of
from azure_simulator.scenarios.identity.directory import Directory, packed
from azure_simulator.services.graph import sign_in_rows, sign_ins
from azure_simulator.services.graph.sign_in_rows import SignIn
from azure_simulator.world import Document, Principal, World

PARTNER = ids.PARTNER_TENANT
OTHER_CUSTOMER = "77777777-7777-4777-8777-777777777777"
DAYS = 14
PORTAL, CLI, EXCHANGE = (
    "c44b4083-3bb0-49c1-b47d-974e53cbdf3c",
    "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    "00000002-0000-0ff1-ce00-000000000000",
)
SYNC_TOOL = "cb1056e2-e479-49de-ae31-7812af012ed8"  # Microsoft Azure Active Directory Connect
BILLING_APP = "5d0c3f0e-4a6a-4c39-9d3e-0b8f7c9d2a11"
OFFICE, ELSEWHERE = "2001:db8:f00d::5", "2001:db8:e15e::9"
_BY_PROVIDER = "MFA requirement satisfied by claim provided by external provider"
_TYPES = {
    "mfaEnforcedForAdmins": "adminsMfaEnforcedSecurityRequirement",
    "mfaEnforcedForAdminsOfCustomers": "customersMfaEnforcedSecurityRequirement",
    "securityAlertsPromptlyResolved": "responseTimeSecurityRequirement",
    "securityContactProvided": "securityRequirement",
    "spendingBudgetSetForCustomerAzureSubscriptions": "customersSpendingBudgetSecurityRequirement",
}


@dataclass(frozen=True)
class Diary:
    """What is needed to write the partner's sign-ins later, after the customer's."""

    earlier: Callable[[World], None]
    seed: int
    now: datetime
    people: dict[str, Principal]

    def __call__(self, world: World) -> None:
        """Write both into the world's sign-in log."""
        self.earlier(world)
        for back in range(DAYS, -1, -1):
            day = self.now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=back)
            for sign_in in self._day(day, Chance(f"{self.seed}/partner-diary/{day:%Y-%m-%d}")):
                if sign_in.at <= self.now:
                    sign_ins.write(world, sign_in)

    def _day(self, day: datetime, chance: Chance) -> Iterator[SignIn]:
        def made(who: str, hour: float, app: str, resource: str, **more: object) -> SignIn:
            at = day + timedelta(hours=hour, seconds=chance.randrange(3000))
            token = token_id("partner", chance.guid())
            given = {"address": OFFICE, "resource_id": resource, "tenant": PARTNER, "device": {}} | more
            return SignIn(self.people[who], at, app_id=app, token=token, **given)  # type: ignore[arg-type]

        background = {"kind": sign_in_rows.REFRESHED, "client": sign_in_rows.DESKTOP, "protocol": "oAuth2"}
        for agent in ("agent1", "agent2", "agent3"):
            if day.weekday() < 5:
                yield made(agent, 8, PORTAL, sign_in_rows.AZURE)
                yield made(agent, 10, PORTAL, EXCHANGE, **background)
        for number in range(3):
            yield made("Sync_SRV01", 1 + 8 * number, SYNC_TOOL, sign_in_rows.AZURE, mfa=False, **background)
        for number in range(30):  # a program that asks for a token again and again within half an hour
            yield made("billing", 2 + number / 60, BILLING_APP, sign_in_rows.AZURE, mfa=False, **background)
        yield made("billing", 3, BILLING_APP, sign_in_rows.AZURE, mfa=False, protocol="ropc")
        if day.weekday() < 5:
            yield made("sales", 9, EXCHANGE, EXCHANGE, mfa=False, client="IMAP4")
        if day.weekday() == 1:
            yield made("Sync_SRV01", 13, PORTAL, sign_in_rows.AZURE, mfa=False, address=ELSEWHERE)
        if day.weekday() in (0, 3):
            step = {
                "authenticationStepDateTime": f"{day:%Y-%m-%d}T09:00:00Z",
                "authenticationMethod": "Password",
                "authenticationMethodDetail": "Federated",
                "succeeded": True,
                "authenticationStepResultDetail": _BY_PROVIDER if day.weekday() else "Correct password",
                "authenticationStepRequirement": "Primary authentication",
            }
            more = {"tokenIssuerType": "ADFederationServices", "authenticationDetails": [step]}
            yield made("corp", 9, PORTAL, sign_in_rows.AZURE, mfa=bool(day.weekday()), more=more)


def furnish(directory: Directory, chance: Chance, *, hostile: bool) -> None:
    """Put it into the world, whose directory is there."""
    own = replace(directory, chance=chance, accounts={})
    people = _people(own)
    _consents(own)
    _policies(own)
    _federation(own)
    _customers(own)
    _score(own)
    _requests(own, people)
    if hostile:
        for number, key in enumerate(("billing", "sales", "corp")):
            people[key].name = hostile_names.text(number + 3)
        for number, row in enumerate(own.world.table("graph.delegatedAdminRelationships").values()):
            if row["customer"]["tenantId"] == OTHER_CUSTOMER:
                row["displayName"] = hostile_names.text(number)
    places.at_home(own, OFFICE)
    places.unfamiliar(own, ELSEWHERE, number=1)
    own.world.unfilled["graph.signIns"] = Diary(own.world.unfilled["graph.signIns"], own.world.seed, own.now, people)


def _people(own: Directory) -> dict[str, Principal]:
    world, domain = own.world, own.staff.company.partner_domain
    agents = [p for p in world.principals.values() if p.kind == "User" and p.tenant_id == PARTNER]
    people = {f"agent{number}": agent for number, agent in enumerate(agents, start=1)}
    premium = tenant.sku_id("SPE_E5")
    for agent in agents[:2]:
        own.user(agent)["assignedLicenses"] = [{"skuId": premium, "disabledPlans": []}]
    initial = f"{domain.partition('.')[0]}.onmicrosoft.example"
    rows = (
        ("billing", "Billing platform", domain, "Program"),
        ("sales", "Sam Sales", domain, "Sales manager"),
        ("Sync_SRV01", "On-Premises Directory Synchronization Service Account", initial, None),
        ("emergency", "Emergency access", initial, None),
        ("corp", "Pat Partner", f"corp.{domain}", "Cloud engineer"),
    )
    for key, name, where, title in rows:
        people[key] = own.add("User", name, upn=f"{key}@{where}", tenant=PARTNER)
        profile: Document = {
            "jobTitle": title,
            "createdDateTime": stamp(own.ago(700, 200)),
            "lastPasswordChangeDateTime": stamp(own.ago(300, 200)),
            "otherMails": [],
        }
        own.put("users", people[key].object_id, profile, tenant=PARTNER)
        add_password(own, people[key])
    add_method(own, people["emergency"], "fido2Methods", own.ago(200, 50), {"displayName": "Key in the safe"})
    add_authenticator(own, people["corp"], "Pixel 8", own.ago(100, 50))
    own.assign("Directory Synchronization Accounts", people["Sync_SRV01"], own.ago(700), tenant=PARTNER)
    own.assign("Global Administrator", people["emergency"], own.ago(600), tenant=PARTNER)
    group = own.staff.partner_group
    group.members = [*group.members, people["billing"].object_id]
    return people


def _consents(own: Directory) -> None:
    """What the responder's application needs in the partner's tenant to change what a check of it proposes."""
    app_id = own.staff.responder.app_id
    twin = next(p for p in own.world.principals.values() if p.app_id == app_id and p.tenant_id == PARTNER)
    graph = graph_of(own, PARTNER)
    given = own.world.table("graph.oauth2PermissionGrants")[packed(twin.object_id, graph.object_id)]
    for value in ("DelegatedAdminRelationship.ReadWrite.All", "Policy.ReadWrite.ConditionalAccess"):
        own.give_app_role(twin, graph, own.permission(value), own.ago(200), tenant=PARTNER)
        given["scope"] += f" {value}"


def _policies(own: Directory) -> None:
    """Security defaults are off, and what was to replace them is an old policy that nobody switched on."""
    found = own.world.table("graph.policies")[f"{PARTNER}/identitySecurityDefaultsEnforcementPolicy"]
    found["isEnabled"] = False
    since = stamp(own.ago(1500))
    policy: Document = {
        "id": own.chance.guid(),
        "templateId": None,
        "displayName": "Baseline policy: Require MFA for admins",
        "createdDateTime": since,
        "modifiedDateTime": since,
        "state": "disabled",
        "conditions": {
            "userRiskLevels": [],
            "signInRiskLevels": [],
            "clientAppTypes": ["all"],
            "applications": {"includeApplications": ["All"], "excludeApplications": []},
            "users": {f"{side}{kind}": [] for side in ("include", "exclude") for kind in ("Users", "Groups", "Roles")}
            | {"includeRoles": [own.roles["Global Administrator"]]}
            | {"includeGuestsOrExternalUsers": None, "excludeGuestsOrExternalUsers": None},
        },
        "grantControls": {"operator": "OR", "builtInControls": ["mfa"], "authenticationStrength": None},
        "sessionControls": None,
    }
    own.put("conditionalAccessPolicies", policy["id"], policy, tenant=PARTNER)


def _federation(own: Directory) -> None:
    name = f"corp.{own.staff.company.partner_domain}"
    own.put(
        "domains",
        f"{PARTNER}/{name}",
        {
            "id": name,
            "authenticationType": "Federated",
            "isAdminManaged": True,
            "isDefault": False,
            "isInitial": False,
            "isRoot": False,
            "isVerified": True,
            "supportedServices": ["Email"],
            "state": None,
        },
        tenant=PARTNER,
    )


def _customers(own: Directory) -> None:
    """A second customer, with delegated administration of the old kind, and relationships of which one ends soon and one nobody uses."""
    own.world.partner["customers"][OTHER_CUSTOMER] = {
        "profile": {
            "id": OTHER_CUSTOMER,
            "commerceId": own.chance.guid(),
            "companyProfile": {
                "tenantId": OTHER_CUSTOMER,
                "domain": "rivermill.example",
                "companyName": "Rivermill Paper",
            },
            "relationshipToPartner": "reseller",
            "allowDelegatedAccess": True,
        },
        "relationships": [],
        "subscriptions": {},
    }
    _relationship(own, "migration", ("Global Administrator",), began=190, days=720, renews="P180D", used=False)
    _relationship(
        own, "support", ("Global Reader", "Helpdesk Administrator"), began=355, days=365, renews="PT0S", used=True
    )


def _relationship(
    own: Directory, purpose: str, roles: tuple[str, ...], *, began: float, days: int, renews: str, used: bool
) -> None:
    guid, start = f"{own.chance.guid()}-{own.chance.guid()}", own.ago(began)
    unified = {"unifiedRoles": [{"roleDefinitionId": own.roles[name]} for name in roles]}
    access: Document = {
        "id": own.chance.guid(),
        "status": "active",
        "createdDateTime": stamp(start),
        "lastModifiedDateTime": stamp(start),
        "accessContainer": {
            "accessContainerId": own.staff.partner_group.object_id,
            "accessContainerType": "securityGroup",
        },
        "accessDetails": unified,
    }
    document: Document = {
        "id": guid,
        "displayName": f"Rivermill - {purpose}",
        "duration": f"P{days}D",
        "autoExtendDuration": renews,
        "customer": {"tenantId": OTHER_CUSTOMER, "displayName": "Rivermill Paper"},
        "accessDetails": unified,
        "status": "active",
        "createdDateTime": stamp(start - timedelta(days=3)),
        "lastModifiedDateTime": stamp(start),
        "activatedDateTime": stamp(start),
        "endDateTime": stamp(start + timedelta(days=days)),
        "_accessAssignments": [access] if used else [],
    }
    own.put("delegatedAdminRelationships", guid, document, tenant=PARTNER)


def _score(own: Directory) -> None:
    """The score that Microsoft gives, with its requirements, and how it went in the last quarter."""
    now = stamp(own.now)
    details: dict[str, tuple[bool, int, Document]] = {
        "mfaEnforcedForAdmins": (
            False,
            40,
            {"adminsRequiredNotUsingMfaCount": 1, "totalAdminsCount": 4, "mfaEnabledAdminsCount": 3}
            | {"securityDefaultsStatus": "disabled", "mfaConditionalAccessPolicyStatus": "disabled"},
        ),
        "mfaEnforcedForAdminsOfCustomers": (False, 20, {"compliantTenantCount": 1, "totalTenantCount": 2}),
        "securityAlertsPromptlyResolved": (True, 20, {"averageResponseTimeInHours": 9.5}),
        "securityContactProvided": (True, 10, {}),
        "spendingBudgetSetForCustomerAzureSubscriptions": (
            False,
            10,
            {"customersWithSpendBudgetCount": 1, "totalCustomersCount": 2},
        ),
    }
    reached = 0
    for kind, (met, most, more) in details.items():
        reached += most if met else 0
        row: Document = {
            "@odata.type": f"#microsoft.graph.partner.security.{_TYPES[kind]}",
            "id": own.chance.guid(),
            "requirementType": kind,
            "state": "active",
            "complianceStatus": "compliant" if met else "noncomplaint",  # so spelled by the service
            "score": most if met else 0,
            "maxScore": most,
            "actionUrl": "https://partner.microsoft.com/dashboard/security",
            "helpUrl": "https://learn.microsoft.com/partner-center/security/security-requirements",
            "updatedDateTime": now,
            **more,
        }
        own.put("securityRequirements", row["id"], row, tenant=PARTNER)
    score: Document = {
        "id": PARTNER,
        "currentScore": float(reached),
        "maxScore": 100.0,
        "lastRefreshDateTime": now,
        "updatedDateTime": now,
    }
    own.put("securityScores", PARTNER, score, tenant=PARTNER)
    for weeks, points, reached_by in ((12, 20.0, 1), (8, 20.0, 1), (4, 40.0, 3), (1, float(reached), 2)):
        row = {
            "id": own.chance.guid(),
            "createdDateTime": stamp(own.now - timedelta(weeks=weeks)),
            "score": points,
            "compliantRequirementsCount": reached_by,
            "totalRequirementsCount": len(details),
        }
        own.put("securityScoreHistory", row["id"], row, tenant=PARTNER)


def _requests(own: Directory, people: dict[str, Principal]) -> None:
    """What Partner Center was asked for on behalf of people: by agents with a second factor, by the billing platform without."""
    rows: list[Document] = []
    for back in range(DAYS):
        at = own.now - timedelta(days=back, hours=2)
        for who, application, name, mfa in (
            ("agent1", PORTAL, "Partner Center Web App", True),
            ("agent2", PORTAL, "Partner Center Web App", True),
            ("billing", BILLING_APP, "Billing platform", False),
        ):
            rows.append(
                {
                    "requestId": own.chance.guid(),
                    "correlationId": own.chance.guid(),
                    "operationName": "GetInvoices" if who == "billing" else "GetCustomers",
                    "requestDateTime": stamp(at),
                    "ipAddress": OFFICE,
                    "objectId": people[who].object_id,
                    "tenantId": PARTNER,
                    "upn": people[who].upn,
                    "applicationId": application,
                    "mfaCompliant": mfa,
                    "_application": name,
                }
            )
    own.world.partner["requests"] = rows
