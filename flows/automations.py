"""The automations of the Prefect server, declared here and put there by `firebreak up` and `firebreak notify setup`; as often as you like.

- runs that fell silent are marked as crashed;
- a gate waits and no channel took the message: every channel is tried by the server itself;
- nobody watches the gates: likewise.

Firebreak tells people itself, with a fallback and a record (`flows.notices`). The last two stand behind it, in another process, for the case
that it does not. Their texts hold nothing from Azure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ActionTypes, ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from firebreak.settings import Settings
from flows.blocks import Mail
from flows.events import LOOKED, TOLD, WAITING
from flows.heartbeat import SILENT_SECONDS
from flows.links import ui_address
from flows.start import prefect_client

TAG: Final = "firebreak"
_HEARTBEAT: Final = "prefect.flow-run.heartbeat"
_ENDS: Final = ("Completed", "Failed", "Cancelled", "Crashed", "Suspended", "Paused")
_UNTOLD_AFTER: Final = timedelta(minutes=10)
_UNWATCHED_AFTER: Final = timedelta(minutes=10)


def silent_runs(seconds: int = SILENT_SECONDS) -> AutomationCore:
    """Mark a run of ours as crashed that showed no sign of life for so long. Runs of others on the same server have no such tag."""
    return AutomationCore(
        name="firebreak: silent runs are crashed",
        description="A host or process died. The incident store has everything; start a new run.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={_HEARTBEAT},
            expect={_HEARTBEAT, *(f"prefect.flow-run.{state}" for state in _ENDS)},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            match_related=ResourceSpecification({"prefect.resource.id": [f"prefect.tag.{TAG}"]}),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, name="Crashed", force=False, message=f"No sign of life for {seconds} seconds."
            )
        ],
    )


def untold_gates(blocks: Sequence[UUID], ui_url: str) -> AutomationCore:
    """Tell over every channel that a gate waits, when Firebreak said so to Prefect and to nobody else."""
    return AutomationCore(
        name="firebreak: a gate waits and nobody was told",
        description="Stands behind Firebreak's own messages.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={WAITING},
            expect={TOLD},
            match=ResourceSpecification({"prefect.resource.id": ["firebreak.gate.*"]}),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=_UNTOLD_AFTER,
        ),
        actions=_shout(
            blocks,
            "Firebreak: a gate waits and no channel took the message",
            f"See which with: firebreak gates list. Then look at the channels with: firebreak doctor. {ui_url}/runs",
        ),
    )


def unwatched_gates(blocks: Sequence[UUID], ui_url: str) -> AutomationCore:
    """Tell over every channel that nobody watches the gates: the runner or its schedule is dead, and no reminder will come."""
    return AutomationCore(
        name="firebreak: nobody watches the gates",
        description="Stands behind the runner of firebreak up, or the deployment watch-gates.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={LOOKED},
            expect={LOOKED},
            match=ResourceSpecification({"prefect.resource.id": ["firebreak.watch"]}),
            for_each={"prefect.resource.id"},
            threshold=1,
            within=_UNWATCHED_AFTER,
        ),
        actions=_shout(
            blocks,
            "Firebreak: nobody watches the gates",
            f"The runner has shown no sign of life for ten minutes. Start it again with: firebreak up. {ui_url}/runs",
        ),
    )


def _shout(blocks: Sequence[UUID], subject: str, body: str) -> list[ActionTypes]:
    """Every channel at once: the server has no fallback of its own."""
    return [SendNotification(block_document_id=block, subject=subject, body=body) for block in blocks]


async def put_automations(settings: Settings) -> tuple[list[str], list[str]]:
    """Create or correct the automations of this installation, and make our block type known; return the names of the automations, and the
    channels that the server has no block for.

    Without channels nobody can be told, and those that tell are removed.

    Raises:
        PrefectError: the server does not do it.
    """
    ui_url = ui_address(settings)
    async with prefect_client() as client:
        await Mail.aregister_type_and_schema(client=client)
        blocks, missing = await _blocks(client, settings.notify.all_channels)
        wanted = [silent_runs()]
        telling = [untold_gates(blocks, ui_url), unwatched_gates(blocks, ui_url)]
        if blocks:
            wanted += telling
        else:
            for one in telling:
                for found in await client.read_automations_by_name(one.name):
                    await client.delete_automation(found.id)
        for one in wanted:
            await _put(client, one)
    return [one.name for one in wanted], missing


async def _put(client: PrefectClient, wanted: AutomationCore) -> None:
    """One automation of this name, as declared: whoever edited it in the UI did so until the next start."""
    there = await client.read_automations_by_name(wanted.name)
    if not there:
        await client.create_automation(wanted)
        return
    first, *more = sorted(there, key=lambda one: str(one.id))
    for spare in more:
        await client.delete_automation(spare.id)
    if AutomationCore(**first.model_dump(include=set(AutomationCore.model_fields))) != wanted:
        await client.update_automation(first.id, wanted)


async def _blocks(client: PrefectClient, channels: Sequence[str]) -> tuple[list[UUID], list[str]]:
    found, missing = [], []
    for channel in channels:
        kind, _, name = channel.partition("/")
        try:
            document = await client.read_block_document_by_name(name, kind, include_secrets=False)
        except ObjectNotFound:
            missing.append(channel)
        else:
            found.append(document.id)
    return found, missing
