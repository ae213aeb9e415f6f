"""What a tenant has bought: the service plans of its subscriptions decide which parts of Graph answer."""

from __future__ import annotations

from azure_simulator.services.graph.store import rows
from azure_simulator.world import World

P1, P2, WORKLOAD = "AAD_PREMIUM", "AAD_PREMIUM_P2", "AAD_WRKLDID_P2"
_GOVERNANCE = "ENTRA_IDENTITY_GOVERNANCE"


def plans(world: World, tenant: str) -> set[str]:
    """The names of the service plans that the tenant may use now."""
    return {
        plan["servicePlanName"]
        for sku in rows(world, "subscribedSkus", tenant)
        if sku["capabilityStatus"] in ("Enabled", "Warning")
        for plan in sku["servicePlans"]
    }


def has(world: World, tenant: str, feature: str) -> bool:
    """Whether the tenant may use `reports` (P1 or P2), `protection` (P2), `privileged` (P2 or Governance) or `workload`."""
    if not world.directory_rules:
        return True
    owned = plans(world, tenant)
    needed = {
        "reports": {P1, P2},
        "protection": {P2},
        "privileged": {P2, _GOVERNANCE},
        "workload": {WORKLOAD},
    }[feature]
    return bool(owned & needed)
