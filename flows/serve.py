"""The runner: serves one deployment per playbook and the clock of the gates, and starts a process for each run. `python -m flows.serve`."""

from __future__ import annotations

import asyncio

from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from firebreak import __version__
from firebreak.playbook import find_playbooks
from firebreak.settings import Settings
from flows.respond import respond
from flows.undo import undo
from flows.watch_gates import watch_gates
from tasks.registry import load_steps

LIMIT = 20


async def serve() -> None:
    """Register the deployments (again and again does no harm), then run what is scheduled until told to stop."""
    runner = Runner(name="firebreak", limit=LIMIT, pause_on_shutdown=False)
    settings = Settings.load()
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    for playbook in find_playbooks(settings.home / "playbooks", steps=steps).values():
        deployment = await respond.ato_deployment(
            name=playbook.id,
            parameters={"playbook": playbook.id},
            description=f"{playbook.title}\n\n{playbook.description}",
            tags=["firebreak"],
            version=playbook.version,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        await runner.aadd_deployment(deployment)
    taking_back = await undo.ato_deployment(
        name="undo",
        description="Take back what an incident did: plans the inverses and asks at a gate of its own.",
        tags=["firebreak"],
        version=__version__,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_deployment(taking_back)
    await runner.aadd_deployment(await _watcher(settings.watch_gates_every_seconds))
    print("ready", flush=True)
    await runner.start()


async def _watcher(every_seconds: int) -> RunnerDeployment:
    """The clock of the gates. After a night without a runner only one of the missed runs is carried out, not all."""
    return await watch_gates.ato_deployment(
        name="watch-gates",
        interval=every_seconds or None,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
        description="Looks whether a gate has to remind, escalate or ask again.",
        tags=["firebreak"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


if __name__ == "__main__":
    asyncio.run(serve())
