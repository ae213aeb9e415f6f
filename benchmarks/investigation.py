"""One investigation in this process: the shipped playbook's reading steps over the real clients against the embedded Azure, then every plan.

    world = build("crypto-mining", seed=7, now=...)
    case = await look(world)
    plans = plans_of(case)          # by stage; nothing is carried out

No socket, no store, no Prefect. What the question does not need is not read: by default prices, spend and quota.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from azure_simulator import AsgiApp
from azure_simulator.world import World
from benchmarks.simulated import settings_of, sleeping
from firebreak.clients import connect
from firebreak.clients.inprocess import in_process
from firebreak.intake.alerts import open_incident, parse_alert
from firebreak.model.case import Case
from firebreak.model.mode import Mode
from firebreak.model.plan import Plan
from firebreak.planning import make_plan
from firebreak.playbook import choose_playbook, find_playbooks
from tasks.registry import load_steps

NOT_READ = frozenset(
    {
        "investigate.prices",
        "investigate.spend",
        "investigate.quota",
        "investigate.burn_rate",
        "notify.support_catalogue",
    }
)
# What is read of the directory, of sign-ins and of risk.
IDENTITY = frozenset(
    {
        "investigate.tenant_protection",
        "investigate.directory_changes",
        "investigate.administrators",
        "investigate.applications",
        "investigate.sign_ins",
        "investigate.identity_risk",
        "investigate.delegated_access",
    }
)


async def look(world: World, *, leave_out: Collection[str] = NOT_READ) -> Case:
    """Read the world as the playbook for its alert would, in dry-run mode, and return the case with all facts."""
    steps = load_steps()
    now = world.clock.now()
    alert = parse_alert(json.dumps(next(reversed(world.alerts.values()))).encode(), place="the alert", now=now)
    playbook = choose_playbook(alert.type, find_playbooks(steps={name: loaded.step for name, loaded in steps.items()}))
    incident = open_incident(alert, playbook=playbook.id, mode=Mode.DRY_RUN, now=now, requested_by="benchmark")
    case = Case(incident=incident, playbook=playbook, now=now, facts={})
    async with connect(
        settings_of(world),
        subscription_id=incident.subscription_id,
        mode=Mode.DRY_RUN,
        correlation_id=incident.id,
        transport=in_process(AsgiApp(world)),
        clock=world.clock.now,
        sleep=sleeping(world),
        monotonic=lambda: world.clock.now().timestamp(),
    ) as connection:
        for stage in playbook.stages:
            for name in stage.steps:
                step = steps[name]
                if name in leave_out or not (step.collect or step.conclude):
                    continue
                made: Any = await step.collect(connection.eyes, case) if step.collect else step.conclude(case)  # type: ignore[misc]
                case = case.with_facts(made)
    return case


def plans_of(case: Case) -> dict[str, Plan]:
    """The plan of every stage that changes something, each made from the same facts."""
    steps = load_steps()
    found = {}
    for stage in case.playbook.stages:
        changing = [steps[name] for name in stage.steps if steps[name].plan is not None]
        if changing:
            found[stage.id] = make_plan(case, stage=stage.id, steps=changing, round=1, engine_version="benchmark")
    return found
