"""Operations that mean something by themselves: a table, in our words, after the public detections of Sigma, Elastic, Sentinel and Stratus.

A rule says how grave its operation is when somebody unfamiliar does it; `everyday` operations done by a familiar session are one degree
less so. Names match without regard to case, `*` stands for anything.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from firebreak.model.facts import Operation
from firebreak.model.finding import Severity


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`weakens`: takes a protection or a trace away. `spreads`: gives somebody a way in or a way to stay."""

    id: str
    title: str
    operations: tuple[str, ...]
    severity: Severity
    techniques: tuple[str, ...] = ()
    everyday: bool = False
    weakens: bool = False
    spreads: bool = False

    def matches(self, name: str) -> bool:
        lowered = name.lower()
        return any(fnmatchcase(lowered, pattern) for pattern in self.operations)


RULES: tuple[Rule, ...] = (
    Rule(
        id="elevate-access",
        title="Access elevated to User Access Administrator at the tenant's root",
        operations=("microsoft.authorization/elevateaccess/action",),
        severity=Severity.CRITICAL,
        techniques=("T1098.003",),
        spreads=True,
    ),
    Rule(
        id="tenant-transfer",
        title="Subscription transferred to another tenant",
        operations=("microsoft.subscription/updatetenant/action",),
        severity=Severity.CRITICAL,
        techniques=("T1496",),
    ),
    Rule(
        id="role-granted",
        title="Role granted",
        operations=(
            "microsoft.authorization/roleassignments/write",
            "microsoft.authorization/roleassignmentschedulerequests/write",
            "microsoft.authorization/roleeligibilityschedulerequests/write",
        ),
        severity=Severity.HIGH,
        techniques=("T1098.003",),
        everyday=True,
        spreads=True,
    ),
    Rule(
        id="role-defined",
        title="Role definition created or changed",
        operations=("microsoft.authorization/roledefinitions/write",),
        severity=Severity.MEDIUM,
        techniques=("T1098.003",),
        spreads=True,
    ),
    Rule(
        id="role-removed",
        title="Role assignment removed",
        operations=("microsoft.authorization/roleassignments/delete",),
        severity=Severity.MEDIUM,
        techniques=("T1531",),
        everyday=True,
    ),
    Rule(
        id="identity-federated",
        title="Federated credential added to a managed identity",
        operations=("microsoft.managedidentity/userassignedidentities/federatedidentitycredentials/write",),
        severity=Severity.HIGH,
        techniques=("T1098.001",),
        everyday=True,
        spreads=True,
    ),
    Rule(
        id="policy-removed",
        title="Policy removed or exempted",
        operations=(
            "microsoft.authorization/policyassignments/delete",
            "microsoft.authorization/policydefinitions/delete",
            "microsoft.authorization/policysetdefinitions/delete",
            "microsoft.authorization/policyexemptions/write",
        ),
        severity=Severity.HIGH,
        techniques=("T1562.001", "T1578.005"),
        weakens=True,
    ),
    Rule(
        id="lock-removed",
        title="Resource lock removed",
        operations=("microsoft.authorization/locks/delete",),
        severity=Severity.HIGH,
        techniques=("T1562.001",),
        everyday=True,
        weakens=True,
    ),
    Rule(
        id="lock-created",
        title="Resource lock created",
        operations=("microsoft.authorization/locks/write",),
        severity=Severity.MEDIUM,
        techniques=("T1531",),
        everyday=True,
    ),
    Rule(
        id="logging-removed",
        title="Logging or alerting taken away",
        operations=(
            "microsoft.insights/diagnosticsettings/delete",
            "*/providers/microsoft.insights/diagnosticsettings/delete",
            "microsoft.insights/activitylogalerts/delete",
            "microsoft.insights/metricalerts/delete",
            "microsoft.insights/actiongroups/delete",
            "microsoft.insights/logprofiles/delete",
            "microsoft.operationalinsights/workspaces/delete",
            "microsoft.security/alertssuppressionrules/write",
            "microsoft.security/automations/delete",
            "microsoft.network/networkwatchers/delete",
            "microsoft.network/networkwatchers/flowlogs/delete",
        ),
        severity=Severity.HIGH,
        techniques=("T1562.008",),
        everyday=True,
        weakens=True,
    ),
    Rule(
        id="defender-changed",
        title="Defender plan changed",
        operations=("microsoft.security/pricings/write", "microsoft.security/pricings/delete"),
        severity=Severity.MEDIUM,
        techniques=("T1562.001",),
        everyday=True,
        weakens=True,
    ),
    Rule(
        id="budget-removed",
        title="Budget or cost alert removed",
        operations=(
            "microsoft.consumption/budgets/delete",
            "microsoft.costmanagement/budgets/delete",
            "microsoft.costmanagement/scheduledactions/delete",
        ),
        severity=Severity.HIGH,
        techniques=("T1562.001",),
        everyday=True,
        weakens=True,
    ),
    Rule(
        id="backup-removed",
        title="Backup or restore point deleted",
        operations=(
            "microsoft.recoveryservices/vaults/delete",
            "microsoft.recoveryservices/vaults/backupfabrics/*/delete",
            "microsoft.recoveryservices/vaults/backuppolicies/delete",
            "microsoft.compute/restorepointcollections/delete",
            "microsoft.compute/restorepointcollections/restorepoints/delete",
            "microsoft.compute/snapshots/delete",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1490",),
        everyday=True,
        weakens=True,
    ),
    Rule(
        id="quota-requested",
        title="More quota requested",
        operations=(
            "microsoft.quota/quotas/write",
            "*/providers/microsoft.quota/quotas/write",
            "microsoft.capacity/*/servicelimits/write",
            "microsoft.support/supporttickets/write",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1578.005",),
        everyday=True,
    ),
    Rule(
        id="command-run",
        title="Command run inside a machine",
        operations=(
            "microsoft.compute/virtualmachines/runcommand/action",
            "microsoft.compute/virtualmachines/runcommands/write",
            "microsoft.compute/virtualmachinescalesets/virtualmachines/runcommand/action",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1651",),
        everyday=True,
    ),
    Rule(
        id="extension-installed",
        title="Extension installed in machines",
        operations=(
            "microsoft.compute/virtualmachines/extensions/write",
            "microsoft.compute/virtualmachinescalesets/extensions/write",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1651",),
        everyday=True,
    ),
    Rule(
        id="disk-exported",
        title="Disk or snapshot opened for download",
        operations=(
            "microsoft.compute/disks/begingetaccess/action",
            "microsoft.compute/snapshots/begingetaccess/action",
        ),
        severity=Severity.HIGH,
        techniques=("T1537",),
        everyday=True,
    ),
    Rule(
        id="keys-read",
        title="Keys or publishing credentials read",
        operations=("*/listkeys/action", "microsoft.web/sites/publishxml/action", "*/listconnectionstrings/action"),
        severity=Severity.MEDIUM,
        techniques=("T1552",),
        everyday=True,
    ),
    Rule(
        id="other-compute-created",
        title="Batch, machine-learning, container or cluster compute created",
        operations=(
            "microsoft.machinelearningservices/workspaces/computes/write",
            "microsoft.batch/batchaccounts/write",
            "microsoft.batch/batchaccounts/pools/write",
            "microsoft.containerinstance/containergroups/write",
            "microsoft.containerservice/managedclusters/write",
            "microsoft.containerservice/managedclusters/agentpools/write",
            "microsoft.app/jobs/write",
            "microsoft.databricks/workspaces/write",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1578.002", "T1496"),
        everyday=True,
    ),
    Rule(
        id="automation-added",
        title="Runbook, webhook or autoscale rule added",
        operations=(
            "microsoft.automation/automationaccounts/runbooks/*write",
            "microsoft.automation/automationaccounts/runbooks/publish/action",
            "microsoft.automation/automationaccounts/webhooks/write",
            "microsoft.automation/automationaccounts/schedules/write",
            "microsoft.insights/autoscalesettings/write",
            "microsoft.logic/workflows/write",
        ),
        severity=Severity.MEDIUM,
        techniques=("T1546",),
        everyday=True,
        spreads=True,
    ),
    Rule(
        id="provider-registered",
        title="Resource provider registered",
        operations=("*/register/action",),
        severity=Severity.LOW,
        techniques=("T1578.005",),
        everyday=True,
    ),
)


def rules_for(operation: Operation) -> tuple[Rule, ...]:
    """The rules an operation falls under."""
    return _rules_for_name(operation.name.lower())


@lru_cache(maxsize=4096)
def _rules_for_name(name: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.matches(name))
