"""The directory while it is being filled: what its parts, and later an attack, look things up in."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from azure_simulator.chance import Chance
from azure_simulator.clock import stamp
from azure_simulator.scenarios import ids
from azure_simulator.scenarios.people import Actor, Staff
from azure_simulator.services.graph import store
from azure_simulator.world import Document, Principal, World


@dataclass
class Directory:
    """The customer's directory. `accounts` are people without a role in Azure by key ("printer", "guest-1" ...), `apps` the service
    principals of applications, `applications` those registered here."""

    world: World
    chance: Chance
    staff: Staff
    now: datetime
    material: dict[str, Any]
    licence: str  # p1 or p2
    roles: dict[str, str] = field(default_factory=dict)  # name -> id
    accounts: dict[str, Principal] = field(default_factory=dict)
    apps: dict[str, Principal] = field(default_factory=dict)
    applications: dict[str, Document] = field(default_factory=dict)
    groups: dict[str, Principal] = field(default_factory=dict)
    policies: dict[str, Document] = field(default_factory=dict)  # conditional access, by key

    def put(self, name: str, key: str, document: Document, *, tenant: str = ids.CUSTOMER_TENANT) -> Document:
        return store.put(self.world, name, key, document, tenant=tenant)

    def ago(self, days: float, spread: float = 0.0) -> datetime:
        """A moment so many days ago, up to `spread` days earlier, at an hour when people work."""
        day = self.now - timedelta(days=days + spread * self.chance.random())
        moment = self.staff.utc(day, 9 + 8 * self.chance.random())
        return moment if moment < self.now else moment - timedelta(days=1)

    def add(
        self, kind: str, name: str, *, upn: str = "", tenant: str = ids.CUSTOMER_TENANT, app_id: str = ""
    ) -> Principal:
        """A new principal of the world."""
        principal = Principal(self.chance.guid(), kind, name, upn=upn, app_id=app_id, tenant_id=tenant)
        self.world.principals[principal.object_id] = principal
        return principal

    def person(self, key: str) -> Principal:
        """An account by the key of an actor or of an account without a role in Azure."""
        return self.accounts[key] if key in self.accounts else self.staff[key].principal

    def user(self, principal: Principal) -> Document:
        """What the directory keeps of an account beside the principal."""
        return store.table(self.world, "users")[principal.object_id]

    def people(self) -> list[Actor]:
        return self.staff.people()

    def assign(
        self,
        role: str,
        principal: Principal,
        since: datetime,
        *,
        until: datetime | None = None,
        activated: str = "",
        tenant: str = ids.CUSTOMER_TENANT,
    ) -> Document:
        """Give a directory role now; `activated` is the eligibility behind it, for as long as `until`."""
        role_id = self.roles[role]
        document: Document = {
            "id": assignment_id(role_id, principal.object_id),
            "principalId": principal.object_id,
            "roleDefinitionId": role_id,
            "directoryScopeId": "/",
            "_start": stamp(since),
            "_end": stamp(until) if until else None,
            "_type": "Activated" if activated else "Assigned",
            "_from": activated,
        }
        return self.put("roleAssignments", f"{tenant}/{document['id']}", document, tenant=tenant)

    def make_eligible(self, role: str, principal: Principal, since: datetime, *, days: float = 0) -> Document:
        """Let somebody activate a directory role, for ever or for some days."""
        guid = self.chance.guid()
        document: Document = {
            "id": guid,
            "principalId": principal.object_id,
            "roleDefinitionId": self.roles[role],
            "directoryScopeId": "/",
            "_start": stamp(since),
            "_end": stamp(since + timedelta(days=days)) if days else None,
        }
        return self.put("roleEligibilities", guid, document)

    def consent(
        self,
        client: Principal,
        resource: Principal,
        scope: str,
        *,
        person: Principal | None = None,
        tenant: str = ids.CUSTOMER_TENANT,
    ) -> Document:
        """Delegated permissions of an application: for everybody, or for one person."""
        parts = [client.object_id, resource.object_id, *([person.object_id] if person else [])]
        document: Document = {
            "id": packed(*parts),
            "clientId": client.object_id,
            "consentType": "Principal" if person else "AllPrincipals",
            "principalId": person.object_id if person else None,
            "resourceId": resource.object_id,
            "scope": scope,
        }
        return self.put("oauth2PermissionGrants", document["id"], document, tenant=tenant)

    def give_app_role(
        self,
        principal: Principal,
        resource: Principal,
        role_id: str,
        since: datetime,
        *,
        tenant: str = ids.CUSTOMER_TENANT,
    ) -> Document:
        """An application permission, or the use of an application by somebody."""
        document: Document = {
            "id": packed(principal.object_id, self.chance.guid()),
            "appRoleId": role_id,
            "createdDateTime": stamp(since),
            "deletedDateTime": None,
            "principalId": principal.object_id,
            "principalType": principal.kind,
            "resourceId": resource.object_id,
        }
        return self.put("appRoleAssignments", document["id"], document, tenant=tenant)

    def permission(self, value: str) -> str:
        """The id of an app role of Microsoft Graph."""
        return str(self.material["permissions"][value] or Chance(f"permission/{value}").guid())

    def credential(
        self,
        owner: str,
        kind: str,
        start: datetime,
        end: datetime,
        name: str,
        *,
        secret: str = "",
        tenant: str = ids.CUSTOMER_TENANT,
    ) -> Document:
        """A secret or certificate of an application or service principal; `secret` is what signs in here."""
        document: Document = {
            "keyId": self.chance.guid(),
            "displayName": name,
            "startDateTime": stamp(start),
            "endDateTime": stamp(end),
            "_owner": owner,
            "_kind": kind,
        }
        if kind == "passwordCredentials":
            document |= {"hint": secret[:3] if secret else "", "_secret": secret}
        else:
            print_ = self.chance.getrandbits(160)
            document |= {
                "type": "AsymmetricX509Cert",
                "usage": "Verify",
                "customKeyIdentifier": base64.b64encode(print_.to_bytes(20, "big")).decode(),
            }
        return self.put("credentials", document["keyId"], document, tenant=tenant)


def found(
    world: World,
    chance: Chance,
    staff: Staff,
    material: dict[str, Any],
    names: dict[str, Any],
    now: datetime,
    licence: str,
) -> Directory:
    """Fill the directory of the customer, and what the partner's has to do with it."""
    from azure_simulator.scenarios.identity import accounts, apps, life, partner, policies, signins, tenant

    directory = Directory(world, chance, staff, now, material, licence)
    directory.roles = dict(material["roles"])
    tenant.establish(directory)
    accounts.enrol(directory, names)
    apps.register(directory)
    accounts.empower(directory)
    policies.govern(directory)
    partner.relate(directory)
    life.pass_by(directory)
    signins.keep_diary(directory)
    world.directory_rules = True
    return directory


def assignment_id(role: str, principal: str) -> str:
    """The id of a role assignment: both GUIDs, packed, and a number."""
    return f"{packed(role, principal)}-1"


def packed(*guids: str) -> str:
    """GUIDs as the directory packs them into one id."""
    raw = b"".join(UUID(guid).bytes_le for guid in guids)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
