"""The runner: serves one deployment per playbook and starts a process for each run. `python -m flows.serve`."""

from __future__ import annotations

import asyncio

from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from firebreak.playbook import find_playbooks
from flows.respond import respond

LIMIT = 20


async def serve() -> None:
    """Register the deployments (again and again does no harm), then run what is scheduled until told to stop."""
    runner = Runner(name="firebreak", limit=LIMIT, pause_on_shutdown=False)
    for playbook in find_playbooks().values():
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
