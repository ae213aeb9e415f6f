"""Read what Microsoft's support can be asked about: its ids change, so a ticket names those of today and the approver sees them."""

from __future__ import annotations

from firebreak.model.case import Case
from firebreak.model.clouds import Eyes
from firebreak.model.facts import SupportFacts, SupportProblem
from firebreak.model.step import Effect, Step
from tasks.arm import SUPPORT, text_at
from tasks.reading import Notes

SERVICES = ("quota", "subscription management", "billing")

STEP = Step(
    id="notify.support_catalogue",
    title="Read the catalogue of Azure support",
    effect=Effect.READ,
    description="Lists the support services for quota, subscription and billing with their problem classifications.",
    permissions=("Microsoft.Support/services/read",),
    guidance=("S61",),
    produces=SupportFacts,
)


async def collect(eyes: Eyes, case: Case) -> SupportFacts:  # noqa: ARG001 - one signature for all reading steps
    notes = Notes()
    path = "/providers/Microsoft.Support/services"
    services = await notes.attempt("the catalogue of Azure support", eyes.arm.list(path, SUPPORT), [])
    problems: list[SupportProblem] = []
    for service in services:
        name, service_id = text_at(service, "properties", "displayName"), text_at(service, "id")
        if not any(word in name.lower() for word in SERVICES):
            continue
        listing = eyes.arm.list(f"{service_id}/problemClassifications", SUPPORT)
        for problem in await notes.attempt(f"the support problems of {name}", listing, []):
            problems.append(
                SupportProblem(
                    id=text_at(problem, "id"),
                    title=text_at(problem, "properties", "displayName"),
                    service_id=service_id,
                    service=name,
                )
            )
    return SupportFacts(problems=tuple(sorted(problems, key=lambda p: p.id)), not_looked_at=notes.all)
