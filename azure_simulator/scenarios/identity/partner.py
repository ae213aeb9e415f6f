"""The partner's side: its people, its customers, and the roles that it has at the customer by delegated admin relationships."""

from __future__ import annotations

from datetime import timedelta

from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.identity.accounts import add_authenticator, add_password, add_phone
from azure_simulator.scenarios.identity.directory import Directory
from azure_simulator.world import Document, Principal

_ROLES = (
    "Global Reader",
    "Security Reader",
    "User Administrator",
    "Privileged Authentication Administrator",
    "Cloud Application Administrator",
    "Directory Readers",
)
_OLD_ROLES = ("Global Administrator",)


def relate(directory: Directory) -> None:
    """Fill the partner's people and what ties it to the customer."""
    agents = [p for p in directory.world.principals.values() if p.kind == "User" and p.tenant_id == ids.PARTNER_TENANT]
    for number, agent in enumerate(agents):
        _agent(directory, agent, number)
    for number, role in enumerate(("Global Administrator", "Security Administrator")):
        directory.assign(role, agents[number], directory.ago(400, 200), tenant=ids.PARTNER_TENANT)
    _contracts(directory)
    group = directory.staff.partner_group
    directory.put(
        "groups",
        group.object_id,
        {
            "createdDateTime": stamp(directory.ago(1200, 100)),
            "description": "Administers customers.",
            "isAssignableToRole": None,
        },
        tenant=ids.PARTNER_TENANT,
    )
    _relationship(directory, "day-to-day support", _ROLES, activated=330, days=730, status="active")
    _relationship(directory, "onboarding", _OLD_ROLES, activated=520, days=90, status="expired")


def _agent(directory: Directory, agent: Principal, number: int) -> None:
    created = stamp(directory.ago(500, 300))
    row: Document = {
        "jobTitle": "Cloud engineer",
        "department": "Managed services",
        "createdDateTime": created,
        "lastPasswordChangeDateTime": stamp(directory.ago(50, 150)),
        "mobilePhone": f"+44 7700900{400 + number}",
        "otherMails": [],
    }
    directory.put("users", agent.object_id, row, tenant=ids.PARTNER_TENANT)
    add_password(directory, agent)
    since = directory.ago(100, 200)
    add_authenticator(directory, agent, "Pixel 8", since)
    add_phone(directory, agent, str(row["mobilePhone"]), since)


def _contracts(directory: Directory) -> None:
    company = directory.staff.company
    rows = (
        (ids.CUSTOMER_TENANT, company.domain, company.name),
        (directory.chance.guid(), "rivermill.example", "Rivermill Paper"),
    )
    for tenant, domain, name in rows:
        guid = directory.chance.guid()
        document: Document = {
            "id": guid,
            "deletedDateTime": None,
            "contractType": "ResellerPartnerContract",
            "customerId": tenant,
            "defaultDomainName": domain,
            "displayName": name,
        }
        directory.put("contracts", guid, document, tenant=ids.PARTNER_TENANT)


def _relationship(
    directory: Directory, purpose: str, roles: tuple[str, ...], *, activated: float, days: int, status: str
) -> None:
    company, chance = directory.staff.company, directory.chance
    guid = f"{chance.guid()}-{chance.guid()}"
    start = directory.ago(activated, 20)
    created = start - timedelta(days=3)
    unified = {"unifiedRoles": [{"roleDefinitionId": directory.roles[name]} for name in roles]}
    access: Document = {
        "id": chance.guid(),
        "status": "active" if status == "active" else "deleted",
        "createdDateTime": stamp(start + timedelta(hours=4)),
        "lastModifiedDateTime": stamp(start + timedelta(hours=4)),
        "accessContainer": {
            "accessContainerId": directory.staff.partner_group.object_id,
            "accessContainerType": "securityGroup",
        },
        "accessDetails": unified,
    }
    document: Document = {
        "id": guid,
        "displayName": f"{company.partner_name} - {purpose}",
        "duration": f"P{days}D",
        "autoExtendDuration": "PT0S",
        "customer": {"tenantId": ids.CUSTOMER_TENANT, "displayName": company.name},
        "accessDetails": unified,
        "status": status,
        "createdDateTime": stamp(created),
        "lastModifiedDateTime": stamp(start + timedelta(hours=5)),
        "activatedDateTime": stamp(start),
        "endDateTime": stamp(start + timedelta(days=days)),
        "_accessAssignments": [access],
    }
    directory.put("delegatedAdminRelationships", guid, document, tenant=ids.PARTNER_TENANT)
