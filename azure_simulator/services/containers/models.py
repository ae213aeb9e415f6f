"""Types of the other compute services, and what stopping one of them means."""

from __future__ import annotations

CLUSTER = "Microsoft.ContainerService/managedClusters"
CONTAINER_GROUP = "Microsoft.ContainerInstance/containerGroups"
BATCH_ACCOUNT = "Microsoft.Batch/batchAccounts"
BATCH_POOL = "Microsoft.Batch/batchAccounts/pools"
WORKSPACE = "Microsoft.MachineLearningServices/workspaces"
ML_COMPUTE = "Microsoft.MachineLearningServices/workspaces/computes"
SITE = "Microsoft.Web/sites"
PLAN = "Microsoft.Web/serverfarms"
VAULT = "Microsoft.RecoveryServices/vaults"
PROTECTED_ITEM = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems"
