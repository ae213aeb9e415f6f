"""The course over a recorded incident, in this process: no server, no socket, no waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from firebreak.engine import Question
from firebreak.engine.gather import gather
from firebreak.errors import BundleError, IntegrityError, ResponseError, WaitingError
from firebreak.replay import Staged
from firebreak.report.dossier import Dossier
from flows.course import respond_to


class QuietRuntime:
    """Steps run here and now; gates are answered before they are asked; pages are in the report."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:  # noqa: ARG002
        await work()

    async def ask(self, question: Question) -> None:
        raise WaitingError(
            f"Gate {question.view.id} has no answer, and a replay asks nobody.", hint="This is a mistake of the engine."
        )

    async def show(self, key: str, page: str, title: str) -> None:
        """The report holds the same."""

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        """The report holds the same."""

    def say(self, text: str) -> None:
        self._say(text)


async def replay(staged: Staged, say: Callable[[str], None]) -> Dossier:
    """Run the course over the record and return everything about it; a run that could not go on says so in its note.

    Raises:
        BundleError, IntegrityError: the bundle turns out to be damaged.
    """
    async with staged.engine() as engine:
        try:
            await respond_to(engine, QuietRuntime(say))
        except (BundleError, IntegrityError):
            raise
        except ResponseError as error:
            staged.room.fail(staged.incident.id, error)
        return gather(engine, int(engine.value("last-round") or 1))
