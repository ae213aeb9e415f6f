"""Everything put together: the engine room (store, desk, evidence, steps, playbooks) and the engine of one incident. No Prefect here."""

from firebreak.engine.engine import Engine, Question
from firebreak.engine.gather import gather
from firebreak.engine.room import EngineRoom, open_engine_room
from firebreak.engine.undoing import Undoing
from firebreak.engine.undos import Undo

__all__ = ["Engine", "EngineRoom", "Question", "Undo", "Undoing", "gather", "open_engine_room"]
