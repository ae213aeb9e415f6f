"""The runner: serves one deployment per playbook and starts a process for each run. `python -m flows.serve`."""

from __future__ import annotations

import asyncio

from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from firebreak.playbook import find_playbooks
from firebreak.settings import Settings
from flows.respond import respond
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
    print("ready", flush=True)
    await runner.start()


if __name__ == "__main__":
    asyncio.run(serve())
