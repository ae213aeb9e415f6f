"""What protects targets right now: locks, role assignments, tags, groups and Global Administrators read again while an approved plan is carried out.

A gate may wait for hours. A lock or a tag that was set meanwhile, or an Owner that went away, must count as if it had been there before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from firebreak.analysis import documents as doc
from firebreak.analysis.authorization import lock, role_assignment
from firebreak.guardrails import protected_since, shuts_out
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import AccessFacts, Inventory, Lock, Resource
from firebreak.model.identity import Administrator, Administrators, RoleHolding
from firebreak.model.ids import is_plain_segment
from firebreak.model.intrusion import GLOBAL_ADMINISTRATOR
from firebreak.model.outcome import PROTECTED_SINCE
from firebreak.model.plan import Action

_RESOURCES, _AUTHORIZATION, _LOCKS = "2025-04-01", "2022-04-01", "2020-05-01"
_HOLDS_FOR = timedelta(seconds=30)  # waves that follow each other quickly share one reading


class Fresh:
    """Reads what protects, for one execution of a plan that was made from `case`. Costs a handful of list requests each time."""

    def __init__(self, case: Case, eyes: Eyes, clock: Callable[[], datetime]) -> None:
        self._case, self._eyes, self._clock = case, eyes, clock
        self._now, self._read_at = case, datetime.min.replace(tzinfo=clock().tzinfo)

    async def protects(self, actions: Sequence[Action]) -> dict[str, str]:
        """Return the actions that must not be sent any more, by id, with the reason.

        Raises:
            AccessError, RemoteError: it cannot be read; nothing may be sent on a guess.
        """
        if self._clock() - self._read_at > _HOLDS_FOR:
            self._now, self._read_at = await self._read(), self._clock()
        now = self._now
        if any(shuts_out(action) for action in actions):
            now = now.with_facts(await self._administrators())
        return {action: f"{PROTECTED_SINCE} {why}" for action, why in protected_since(actions, now).items()}

    async def _administrators(self) -> Administrators:
        """Who is Global Administrator right now and may sign in, directly or by a group; never kept, since each wave may shut one out."""
        graph = self._eyes.graph
        rows = await graph.list(
            "/v1.0/roleManagement/directory/roleAssignments",
            {"$filter": f"roleDefinitionId eq '{GLOBAL_ADMINISTRATOR}'", "$expand": "principal"},
        )
        people: set[str] = set()
        for row in rows:
            principal = doc.text(row, "principalId").lower()
            if not is_plain_segment(principal) or doc.text(row, "directoryScopeId") not in ("", "/"):
                continue
            if doc.text(row, "principal", "@odata.type").endswith(".group"):
                members = await graph.list(f"/v1.0/groups/{principal}/members")
                people |= {doc.text(one, "id").lower() for one in members}
            else:
                people.add(principal)
        return Administrators(
            window_start=self._clock(),
            administrators=tuple([await self._administrator(one) for one in sorted(people) if is_plain_segment(one)]),
        )

    async def _administrator(self, principal: str) -> Administrator:
        fields = {"$select": "id,userPrincipalName,accountEnabled"}
        user = await self._eyes.graph.get(f"/v1.0/users/{principal}", fields)
        role = RoleHolding(role="Global Administrator", role_id=GLOBAL_ADMINISTRATOR, privileged=True, eligible=False)
        return Administrator(
            id=principal,
            name=doc.text(user, "userPrincipalName") or principal,
            kind="user" if user is not None else "",
            roles=(role,),
            enabled=user is not None and doc.field(user, "accountEnabled") is True,
        )

    async def _read(self) -> Case:
        if self._case.incident.alert.is_about_partner:
            return self._case  # no subscription, so no lock, tag or Owner; what a relationship is, the look reads again
        arm, base = self._eyes.arm, f"/subscriptions/{self._eyes.arm.subscription_id}"
        locks, assignments, resources, groups = await asyncio.gather(
            self._locks(f"{base}/providers/Microsoft.Authorization/locks"),
            arm.list(f"{base}/providers/Microsoft.Authorization/roleAssignments", _AUTHORIZATION),
            arm.list(f"{base}/resources", _RESOURCES),
            arm.list(f"{base}/resourcegroups", _RESOURCES),
        )
        access = self._case.get(AccessFacts) or AccessFacts()
        names = {one.role_definition_id.rsplit("/", 1)[-1].lower(): one.role_name for one in access.role_assignments}
        held = tuple(role_assignment(item, names) for item in assignments if doc.path(item, "id"))
        fresh = msgspec.structs.replace(access, locks=locks, role_assignments=held)
        known = self._case.get(Inventory) or Inventory()
        inventory = msgspec.structs.replace(known, resources=_tagged(resources), groups=_tagged(groups))
        return self._case.with_facts(inventory, fresh)

    async def _locks(self, path: str) -> tuple[Lock, ...]:
        """All locks; those of the case when they could not be read then either, which the plan said."""
        before = self._case.get(AccessFacts)
        if before is not None and not before.locks_were_read:
            return before.locks
        return tuple(lock(item) for item in await self._eyes.arm.list(path, _LOCKS) if doc.path(item, "id"))


def _tagged(rows: Sequence[dict[str, Any]]) -> tuple[Resource, ...]:
    return tuple(
        Resource(id=name, type=doc.text(row, "type"), name=doc.text(row, "name"), tags=doc.tags(row))
        for row in rows
        if (name := doc.path(row, "id"))
    )
