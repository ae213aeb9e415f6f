"""The services and problem classifications that a ticket can name. Their ids differ from world to world: read them, never keep them."""

from __future__ import annotations

from azure_simulator.world import Document, World

QUOTA, BILLING, SUBSCRIPTION = "quota", "billing", "subscription"
_SERVICES: tuple[tuple[str, str, tuple[str, ...], tuple[tuple[str, str], ...]], ...] = (
    (
        QUOTA,
        "Service and subscription limits (quotas)",
        (),
        (
            ("cores", "Compute-VM (cores-vCPUs) subscription limit increases"),
            ("batch", "Batch"),
            ("machine-learning", "Machine Learning service"),
        ),
    ),
    (
        BILLING,
        "Billing",
        (),
        (
            ("refund", "Refund request / Dispute a charge"),
            ("unexpected-charges", "Unexpected charges / Fraudulent usage"),
        ),
    ),
    (
        SUBSCRIPTION,
        "Subscription management",
        (),
        (("cancel", "Cancel my subscription"), ("compromise", "Compromised subscription / Unauthorized usage")),
    ),
    (
        "virtual-machine",
        "Virtual Machine running Linux",
        ("MICROSOFT.COMPUTE/VIRTUALMACHINES",),
        (
            ("security", "Security / My VM is compromised"),
            ("connect", "Cannot connect to my VM"),
        ),
    ),
    (
        "entra",
        "Microsoft Entra Sign-in and Multifactor Authentication",
        (),
        (("unauthorized-access", "Unauthorized access / Compromised account"),),
    ),
)


def services(world: World) -> list[Document]:
    """Every service, as `GET /providers/Microsoft.Support/services` lists them."""
    return [
        {
            "id": f"/providers/Microsoft.Support/services/{_guid(world, key)}",
            "name": _guid(world, key),
            "type": "Microsoft.Support/services",
            "properties": {"displayName": title, "resourceTypes": list(types)},
            "_key": key,
        }
        for key, title, types, _ in _SERVICES
    ]


def classifications(world: World, service: Document) -> list[Document]:
    """A service's problem classifications."""
    problems = next(problems for key, _, _, problems in _SERVICES if key == service["_key"])
    found = []
    for key, title in problems:
        name = _guid(world, f"{service['_key']}/{key}")
        found.append(
            {
                "id": f"{service['id']}/problemClassifications/{name}",
                "name": name,
                "type": "Microsoft.Support/problemClassifications",
                "properties": {"displayName": title, "secondaryConsentEnabled": []},
                "_key": key,
            }
        )
    return found


def _guid(world: World, key: str) -> str:
    return world.chance.child(f"support/{key}").guid()
