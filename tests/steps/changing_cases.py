"""Builds a case from the few words of a case file: names become ids, what is not said gets a plain default."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from firebreak.model.alert import Alert, Incident
from firebreak.model.case import Case
from firebreak.model.facts import (
    AccessFacts,
    ActivityFacts,
    AlertFacts,
    Attribution,
    Blob,
    BurnRate,
    Disk,
    DiskFacts,
    Inventory,
    Judgement,
    Lock,
    Machine,
    Operation,
    PolicyAssignment,
    QuotaFacts,
    QuotaUsage,
    Resource,
    RoleAssignment,
    ScaleSet,
    SubscriptionFacts,
    SupportFacts,
    SupportProblem,
)
from firebreak.model.intrusion import Intrusion
from firebreak.model.mode import Mode
from firebreak.model.network import Network
from firebreak.model.outcome import ActionState, Outcome
from firebreak.model.plan import Limits, action_id
from firebreak.model.platform import Compute, Kind, PlatformCompute
from firebreak.model.playbook import GuardRails, Playbook

SUBSCRIPTION = "33333333-3333-4333-8333-333333333333"
TENANT = "22222222-2222-4222-8222-222222222222"
SCOPE = f"/subscriptions/{SUBSCRIPTION}"
NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)
ATTACK = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_TYPES = {
    "machines": "Microsoft.Compute/virtualMachines",
    "scale_sets": "Microsoft.Compute/virtualMachineScaleSets",
    "disks": "Microsoft.Compute/disks",
}
_AUTHORIZATION = "providers/Microsoft.Authorization"


class Builder:
    """One case file's `facts`, turned into a `Case`. Short names are looked up among everything that was built."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.ids: dict[str, str] = {}

    def case(self) -> Case:
        given = self.given
        # What others refer to comes first.
        groups = [
            self._plain("groups", row, f"{SCOPE}/resourceGroups/{row['name']}") for row in given.get("groups", ())
        ]
        resources = [self._resource(row) for row in given.get("resources", ())]
        disks = [self._disk(row) for row in given.get("disks", ())]
        scale_sets = [self._scale_set(row) for row in given.get("scale_sets", ())]
        machines = [self._machine(row) for row in given.get("machines", ())]
        blobs = [self._blob(row) for row in given.get("blobs", ())]
        disks = [self._attached(disk) for disk in disks]
        facts: dict[type[Any], Any] = {
            Inventory: Inventory(
                machines=tuple(machines),
                scale_sets=tuple(scale_sets),
                resources=tuple(resources),
                groups=tuple(
                    msgspec.convert(g | {"type": "Microsoft.Resources/resourceGroups"}, Resource) for g in groups
                ),
            ),
            DiskFacts: DiskFacts(disks=tuple(disks), blobs=tuple(blobs)),
            AccessFacts: self._access(),
            SubscriptionFacts: msgspec.convert(
                {
                    "subscription_id": SUBSCRIPTION,
                    "tenant_id": TENANT,
                    "display_name": "Contoso production",
                    "state": "Enabled",
                }
                | given.get("subscription", {}),
                SubscriptionFacts,
            ),
            QuotaFacts: QuotaFacts(
                usages=tuple(
                    msgspec.convert({"title": row["name"]} | row, QuotaUsage) for row in given.get("usages", ())
                ),
                requests=tuple(given.get("quota_requests", ())),
                tickets=tuple(given.get("quota_tickets", ())),
            ),
            SupportFacts: SupportFacts(
                problems=tuple(msgspec.convert(p, SupportProblem) for p in given.get("support", ()))
            ),
        }
        if "platform" in given:
            facts[PlatformCompute] = PlatformCompute(items=tuple(self._platform(row) for row in given["platform"]))
        if "network" in given:
            facts[Network] = msgspec.convert(given["network"], Network)
        facts[ActivityFacts] = self._activity()
        facts[Attribution] = self._attribution()
        prices = {self.id_of(name).lower(): Decimal(str(cost)) for name, cost in given.get("per_hour", {}).items()}
        facts[BurnRate] = BurnRate(per_resource=prices, lost=Decimal(str(given.get("lost", 0))))
        if "intrusion" in given:
            facts[Intrusion] = msgspec.convert({"window_start": ATTACK} | given["intrusion"], Intrusion)
        facts[AlertFacts] = msgspec.convert({"were_read": True} | given.get("microsoft", {}), AlertFacts)
        if given.get("unread"):
            facts = {kind: value for kind, value in facts.items() if kind.__name__ not in given["unread"]}
        return Case(
            incident=self._incident(),
            playbook=self._playbook(),
            now=NOW,
            facts=facts,
            outcomes=dict(self._outcome(row) for row in given.get("outcomes", ())),
            said=given.get("said", {}),
        )

    def id_of(self, name: str) -> str:
        """The id of what was built under a short name; anything that begins with a slash is an id already."""
        return name if name.startswith("/") else self.ids[name]

    def _id(self, row: Mapping[str, Any], kind: str) -> str:
        made = f"{SCOPE}/resourceGroups/{row.get('group', 'rg')}/providers/{kind}/{row['name']}"
        self.ids[row["name"]] = made
        return made

    def _plain(self, _: str, row: Mapping[str, Any], made: str) -> dict[str, Any]:
        self.ids[row["name"]] = made
        return {"id": made} | dict(row)

    def _resource(self, row: Mapping[str, Any]) -> Resource:
        return msgspec.convert(
            {k: v for k, v in row.items() if k != "group"} | {"id": self._id(row, row["type"])}, Resource
        )

    def _machine(self, row: Mapping[str, Any]) -> Machine:
        base = {"region": "westeurope", "size": "Standard_D4s_v5", "power": "running", "vm_id": f"vm-{row['name']}"}
        found = base | {k: v for k, v in row.items() if k not in ("group", "disks", "nics")}
        found |= {"id": self._id(row, _TYPES["machines"])}
        found["disk_ids"] = [self.id_of(disk) for disk in row.get("disks", ())]
        found["nic_ids"] = [self.id_of(nic) for nic in row.get("nics", ())]
        if row.get("scale_set"):
            found["scale_set"] = self.id_of(row["scale_set"])
        return msgspec.convert(found, Machine)

    def _scale_set(self, row: Mapping[str, Any]) -> ScaleSet:
        base = {"region": "westeurope", "size": "Standard_D4s_v5", "capacity": 2, "unique_id": f"ss-{row['name']}"}
        base["power"] = {"0": "running", "1": "running"}
        return msgspec.convert(
            base | {k: v for k, v in row.items() if k != "group"} | {"id": self._id(row, _TYPES["scale_sets"])},
            ScaleSet,
        )

    def _platform(self, row: Mapping[str, Any]) -> Compute:
        parent = self.ids.get(str(row.get("parent", "")), "")
        below = row["kind"] in (Kind.BATCH_POOL, Kind.ML_CLUSTER, Kind.ML_INSTANCE)
        word = "pools" if row["kind"] == Kind.BATCH_POOL else "computes"
        made = f"{parent}/{word}/{row['name']}" if below else self.ids.get(row["name"]) or self._id(row, row["type"])
        self.ids[row["name"]] = made
        base = {
            "region": "westeurope",
            "power": "running",
            "nodes": 4,
            "size": "Standard_D4s_v5",
            "version": "2025-01-01",
        }
        kept = {k: v for k, v in row.items() if k not in ("group", "type")}
        return msgspec.convert(base | kept | {"id": made, "parent": parent}, Compute)

    def _disk(self, row: Mapping[str, Any]) -> Disk:
        base = {"region": "westeurope", "size_gb": 64, "sku": "Premium_LRS", "unique_id": f"d-{row['name']}"}
        base["state"] = "Attached" if row.get("attached_to") else "Unattached"
        return msgspec.convert(
            base | {k: v for k, v in row.items() if k != "group"} | {"id": self._id(row, _TYPES["disks"])}, Disk
        )

    def _attached(self, disk: Disk) -> Disk:
        return msgspec.structs.replace(disk, attached_to=tuple(self.id_of(owner) for owner in disk.attached_to))

    def _blob(self, row: Mapping[str, Any]) -> Blob:
        account = f"{SCOPE}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/vhdstore"
        made = f"{account}/blobServices/default/containers/vhds/blobs/{row['name']}"
        self.ids[row["name"]] = made
        base = {
            "account_id": account,
            "url": f"https://vhdstore.blob.core.windows.net/vhds/{row['name']}",
            "container": "vhds",
        }
        base |= {"size_gb": "30", "leased": False, "etag": "0x1"}
        return msgspec.convert(base | dict(row) | {"id": made}, Blob, strict=False)

    def _access(self) -> AccessFacts:
        roles, locks, policies = [], [], []
        for row in self.given.get("roles", ()):
            scope = str(row.get("scope", SCOPE))
            made = f"{scope.rstrip('/')}/{_AUTHORIZATION}/roleAssignments/{row['name']}"
            self.ids[row["name"]] = made
            owner = row.get("role", "Owner") == "Owner"
            base = {
                "id": made,
                "scope": scope,
                "role_name": row.get("role", "Owner"),
                "role_definition_id": f"{SCOPE}/{_AUTHORIZATION}/roleDefinitions/"
                + ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635" if owner else "b24988ac-6180-42a0-ab88-20f7382dd24c"),
                "principal_type": "User",
                "created_at": row.get("created_at"),
            }
            kept = {k: v for k, v in row.items() if k not in ("name", "role", "scope", "created_at")}
            roles.append(msgspec.convert(base | kept, RoleAssignment))
        for row in self.given.get("locks", ()):
            scope = self.ids.get(row["on"], row["on"])
            made = f"{scope}/{_AUTHORIZATION}/locks/{row['name']}"
            self.ids[row["name"]] = made
            locks.append(Lock(id=made, scope=scope, level=row.get("level", "CanNotDelete")))
        for row in self.given.get("policies", ()):
            made = f"{SCOPE}/{_AUTHORIZATION}/policyAssignments/{row['name']}"
            self.ids[row["name"]] = made
            properties = row.get("properties", {})
            definition = str(properties.get("policyDefinitionId", ""))
            policies.append(
                PolicyAssignment(
                    id=made,
                    scope=SCOPE,
                    name=row["name"],
                    definition_id=definition,
                    document={"properties": properties},
                )
            )
        return AccessFacts(role_assignments=tuple(roles), locks=tuple(locks), policy_assignments=tuple(policies))

    def _operation(self, row: Mapping[str, Any]) -> Operation:
        base = {
            "id": f"op-{row['name']}-{row['on']}",
            "status": "succeeded",
            "at": ATTACK,
            "caller": "eve@contoso.example",
        }
        base |= {"resource_id": self.ids.get(row["on"], row["on"]), "region": "westeurope"}
        return msgspec.convert(base | {k: v for k, v in row.items() if k != "on"}, Operation)

    def _activity(self) -> ActivityFacts:
        operations = tuple(self._operation(row) for row in self.given.get("operations", ()))
        created = [self._operation(row) for row in self.given.get("created", ())]
        return ActivityFacts(
            events=len(operations),
            from_time=NOW,
            to_time=NOW,
            window_start=ATTACK,
            operations=operations,
            creators={operation.resource_id.lower(): operation for operation in created},
        )

    def _attribution(self) -> Attribution:
        resources = []
        for cls, points in (("attacker", 70), ("legitimate", -70), ("unknown", 10)):
            for name in self.given.get(cls, ()):
                reason = {
                    "attacker": "Made by the attacker.",
                    "legitimate": "Made before.",
                    "unknown": "Made at night.",
                }[cls]
                judgement = {
                    "id": self.id_of(name),
                    "cls": cls,
                    "score": points,
                    "reasons": [{"points": points, "text": reason, "event_ids": ["ev-1"]}],
                }
                resources.append(msgspec.convert(judgement, Judgement))
        actors = [
            msgspec.convert({"cls": "attacker", "score": 90} | row, Judgement) for row in self.given.get("actors", ())
        ]
        verdict = self.given.get("verdict", "fraud")
        return Attribution(
            actors=tuple(actors),
            resources=tuple(resources),
            verdict=verdict,
            attack_start=ATTACK,
            verdict_reasons=("It mines.",),
        )

    def _incident(self) -> Incident:
        alert = {
            "id": "d8b202fc-0001-4000-8000-00000000c001",
            "source": "graph",
            "type": "CryptoMining",
            "title": "Mining",
            "severity": "high",
            "subscription_id": SUBSCRIPTION,
            "customer_tenant_id": TENANT,
            "detected_at": ATTACK,
        }
        return Incident(
            id="INC-1",
            case="INC-1",
            alert=msgspec.convert(alert | self.given.get("alert", {}), Alert),
            playbook="test",
            mode=Mode.LIVE,
            opened_at=NOW,
            requested_by="tests",
        )

    def _playbook(self) -> Playbook:
        limits = Limits(max_actions=100, max_share=Decimal(1), max_per_hour=Decimal(1000), max_regions=60)
        rails = msgspec.convert({"limits": limits} | self.given.get("guard_rails", {}), GuardRails)
        return Playbook(
            id="test",
            version="1.0",
            title="Test",
            description="For tests.",
            applies_to=(),
            stages=(),
            gates={},
            guard_rails=rails,
            parameters=self.given.get("parameters", {}),
        )

    def _outcome(self, row: Mapping[str, Any]) -> tuple[str, Outcome]:
        found = action_id(row["step"], row["kind"], self.ids.get(row["target"], row["target"]))
        state = ActionState(row["state"])
        ended = NOW - timedelta(hours=row["hours_ago"]) if "hours_ago" in row else None
        return found, Outcome(action_id=found, state=state, reason=row.get("reason", ""), ended_at=ended)
