"""The looking part of the course, for a subscription that had no run: every read of the playbook and the plans that a dry run would make."""

from __future__ import annotations

from collections.abc import Callable

from firebreak.engine import Engine
from firebreak.engine.capture import Capture

_ROUND = _ATTEMPT = 1
Progress = Callable[[str, int, int], None]  # what happens now, how many steps are through, of how many


async def record_into(capture: Capture, tell: Progress) -> None:
    """Read everything once and plan from it; what an earlier process read is not read again. Nothing can be written: the mode is a dry run's.

    Raises:
        ResponseError: the subscription cannot be looked at (credentials, network); the same call goes on later.
    """
    room, incident = capture.room, capture.incident
    async with room.connect(incident.id) as clouds:
        engine = Engine(room, incident.id, clouds, run_id="capture")
        stages = engine.playbook.stages
        total, done = sum(len(engine.reads(stage)) for stage in stages), 0
        engine.begin_run()
        engine.set_state("investigating", "Recording")
        for stage in stages:
            if engine.reads(stage):
                engine.begin_round(_ROUND)
            for step in engine.reads(stage):
                tell(engine.title(step), done, total)
                await engine.reading(stage, step, _ROUND)()
                done += 1
            engine.note_looked(stage, _ROUND)
            if engine.changes(stage):
                # Also where it could not see everything: the reads of the stages after it are wanted all the same.
                engine.plan(stage, _ATTEMPT, _ROUND)
                engine.note_stage(stage, _ATTEMPT, "skipped", "recorded only")
        engine.set_state("done", "Recorded; nobody was asked and nothing was changed.")
        tell("Recorded", total, total)
