"""Runs the reading steps of the product over a simulated world, in the order in which a playbook would."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from azure_simulator.world import World
from firebreak.model.alert import Alert, Incident
from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.finding import Finding
from firebreak.model.mode import Mode
from firebreak.model.plan import Limits
from firebreak.model.playbook import GuardRails, Playbook, Stage
from tasks.registry import load_steps

IDENTITY_STEPS = (
    "investigate.tenant_protection",
    "investigate.directory_changes",
    "investigate.administrators",
    "investigate.applications",
    "investigate.sign_ins",
    "investigate.identity_risk",
    "investigate.delegated_access",
)
ORDER = (
    "investigate.subscription",
    "investigate.alerts",
    "investigate.inventory",
    "investigate.activity_log",
    "investigate.access",
    *IDENTITY_STEPS,
    "investigate.spend",
    "investigate.unattached_disks",
    "investigate.quota",
    "investigate.prices",
    "investigate.attribution",
    "investigate.burn_rate",
)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def alert_of(world: World) -> Alert:
    """The world's newest alert in the engine's terms."""
    raw = list(world.alerts.values())[-1]
    return Alert(
        id=raw["id"],
        source="graph",
        type=raw["alertType"],
        title=raw["displayName"],
        severity=raw["severity"],
        subscription_id=raw["subscriptionId"],
        customer_tenant_id=raw["customerTenantId"],
        detected_at=moment(raw["detectedDateTime"]),
        first_observed_at=moment(raw["firstObservedDateTime"]),
        last_observed_at=moment(raw["lastObservedDateTime"]),
        affected_resources=tuple(row["resourceId"] for row in raw["affectedResources"]),
    )


def incident_for(alert: Alert, opened_at: datetime) -> Incident:
    return Incident(
        id="INC-00000001",
        case="case-1",
        alert=alert,
        playbook="test",
        mode=Mode.DRY_RUN,
        opened_at=opened_at,
        requested_by="tests",
    )


def playbook_with(parameters: Mapping[str, Mapping[str, Any]] | None = None) -> Playbook:
    limits = Limits(max_actions=500, max_share=Decimal("0.5"), max_per_hour=Decimal(10000), max_regions=60)
    return Playbook(
        id="test",
        version="1",
        title="Test",
        description="For tests.",
        applies_to=("*",),
        stages=(Stage(id="investigate", title="Investigate", steps=ORDER),),
        gates={},
        guard_rails=GuardRails(limits=limits),
        parameters={step: dict(values) for step, values in (parameters or {}).items()},
    )


async def investigate(
    eyes: Eyes,
    alert: Alert,
    *,
    steps: tuple[str, ...] = ORDER,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Case, list[Finding]]:
    """Run the steps in order and return the case with all facts, and all findings."""
    now, loaded = eyes.now(), load_steps()
    facts: dict[type[Any], Any] = {}

    def case() -> Case:
        return Case(incident=incident_for(alert, now), playbook=playbook_with(parameters), now=now, facts=facts)

    findings: list[Finding] = []
    for name in steps:
        step = loaded[name]
        made = await step.collect(eyes, case()) if step.collect else step.conclude(case())  # type: ignore[misc]
        facts[type(made)] = made
    for name in steps:
        step = loaded[name]
        if step.assess and step.step.produces in facts:
            findings += step.assess(facts[step.step.produces], case())
    return case(), findings
