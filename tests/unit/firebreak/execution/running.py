"""One call that carries out an approved plan against the double, as a flow run would."""

from __future__ import annotations

from typing import Any

from firebreak.execution import Lease, Patience, execute
from firebreak.model.alert import Incident
from firebreak.model.approval import ApprovedPlan
from firebreak.model.case import Case
from firebreak.model.outcome import Outcome
from tests.unit.firebreak.execution.builders import Office, make_case, make_incident
from tests.unit.firebreak.execution.cloud_double import Cloud


async def run(
    office: Office,
    approved: ApprovedPlan,
    cloud: Cloud,
    *,
    run_id: str = "run-1",
    incident: Incident | None = None,
    case: Case | None = None,
    lease: Lease | None = None,
    patience: Patience | None = None,
    steps: Any = None,
    concurrency: int = 32,
    progress: Any = None,
    recheck: Any = None,
) -> tuple[Outcome, ...]:
    incident = incident or make_incident()
    lease = lease or Lease.acquire(office.store, incident.id, run_id, clock=office.clock, take_over=True)
    return await execute(
        approved,
        case=case or make_case(incident=incident),
        steps=steps or cloud.steps(),
        eyes=cloud,  # type: ignore[arg-type]
        hands=cloud,  # type: ignore[arg-type]
        store=office.store,
        lease=lease,
        audit=office.audit,
        clock=office.clock,
        sleep=office.clock.sleep,
        concurrency=concurrency,
        progress=progress,
        patience=patience,
        recheck=recheck,
    )
