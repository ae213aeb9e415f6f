"""The runner: serves one deployment per playbook, starts a process for each run, watches the gates and closed incidents, and polls for alerts. `python -m flows.serve`."""

from __future__ import annotations

import asyncio

from prefect.logging import get_logger
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from firebreak import __version__
from firebreak.playbook import find_playbooks
from firebreak.settings import Settings
from flows.aftercare import keep_aftercare
from flows.automations import put_automations
from flows.connection import FirebreakConnection
from flows.daily_digest import keep_digesting
from flows.heartbeat import beating
from flows.poll_alerts import keep_polling
from flows.replay_in_prefect import TAGS, replay
from flows.respond import respond
from flows.start import PrefectError
from flows.undo import undo
from flows.watch_gates import keep_watching
from tasks.registry import load_steps

LIMIT = 20


async def serve() -> None:
    """Register the deployments (again and again does no harm), then run what is scheduled until told to stop."""
    runner = Runner(name="firebreak", limit=LIMIT, pause_on_shutdown=False)
    settings = Settings.load()
    await FirebreakConnection.aregister_type_and_schema()
    steps = {name: loaded.step for name, loaded in load_steps().items()}
    # The runner keeps the flows in memory and runs those: what somebody writes over the API into a deployment's entrypoint or pull steps,
    # which Prefect would carry out on this machine, is never read.
    for playbook in find_playbooks(settings.home / "playbooks", steps=steps).values():
        await runner.aadd_flow(
            respond,
            name=playbook.id,
            parameters={"playbook": playbook.id},
            description=f"{playbook.title}\n\n{playbook.description}",
            tags=["firebreak"],
            version=playbook.version,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    await runner.aadd_flow(
        undo,
        name="undo",
        description="Take back what an incident did: plans the inverses and asks at a gate of its own.",
        tags=["firebreak"],
        version=__version__,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await runner.aadd_flow(
        replay,
        name="replay",
        description="Dry-run of a recorded incident: its evidence and time, today's playbook. Nothing is sent to any cloud.",
        tags=list(TAGS),
        version=__version__,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await _put_automations(settings)
    print("ready", flush=True)
    watching = asyncio.create_task(keep_watching(settings.watch_gates_every_seconds))
    polling = asyncio.create_task(keep_polling(settings.poll.every_minutes))
    digesting = asyncio.create_task(keep_digesting(settings))
    caring = asyncio.create_task(keep_aftercare(settings))
    try:
        with beating():
            await runner.start()
    finally:
        watching.cancel()
        polling.cancel()
        digesting.cancel()
        caring.cancel()


async def _put_automations(settings: Settings) -> None:
    """Runs are more urgent than who watches them: what the server does not take is told, and `firebreak notify setup` does it again."""
    log = get_logger("firebreak.notify")
    try:
        _, missing = await put_automations(settings)
    except PrefectError as error:
        log.warning("The automations are not set up: %s See: firebreak notify setup", error)
    else:
        for channel in missing:
            log.warning("The Prefect server has no block %s, so nobody is told over it.", channel)


if __name__ == "__main__":
    asyncio.run(serve())
