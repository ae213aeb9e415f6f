"""A replay as a run of the Prefect UI: the same steps, pages and gates as a response, on recorded evidence, marked as a dry-run everywhere.

It connects to the Prefect server and to nothing else. A gate that somebody is to answer suspends the run; when it goes on, the whole replay is
made again from the record (it takes seconds and comes out the same), and what Prefect has of it already is not shown twice.
"""

# Without postponed annotations: Prefect makes the form of the parameters from the types themselves.
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from prefect import flow, get_run_logger, runtime
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectNotFound
from prefect.flow_runs import asuspend_flow_run
from prefect.states import Completed, Failed

from firebreak.bundle import Bundle, open_bundle
from firebreak.engine import Question
from firebreak.engine.gather import gather
from firebreak.errors import BundleError, ResponseError
from firebreak.logs import configure
from firebreak.replay import Policy, Staged, stage_replay
from firebreak.replay.books import book_for, playbooks_named
from firebreak.replay.page import banner, result_page
from firebreak.replay.past import Answered
from firebreak.replay.result import Replayed, result_of
from firebreak.settings import Settings
from flows.course import respond_to
from flows.gate_form import gate_form, left_out_ids
from flows.respond import PrefectRuntime, failed
from tasks.registry import load_steps

TAGS = ("firebreak", "dry-run", "replay")
_STATES = {"approve": "approved", "reject": "rejected", "skip": "skipped"}
_PAGE = 200  # how many rows the server gives at once


class PracticeRuntime(PrefectRuntime):
    """Tasks, pages and forms of a replay. `seen` counts the tasks and pages that an earlier process of this run has made."""

    def __init__(self, staged: Staged, tasks_seen: int, pages_seen: Counter[str]) -> None:
        super().__init__(staged.room, staged.incident.id)
        self._staged, self._tasks_seen, self._pages_seen = staged, tasks_seen, pages_seen
        head = staged.bundle.head.incident
        self._banner = banner(head.id, f"{head.opened_at:%Y-%m-%d %H:%M} UTC")

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        if self._tasks_seen > 0:
            self._tasks_seen -= 1
            await work()
        else:
            await super().run(name, work)

    async def ask(self, question: Question) -> None:
        """Suspend the run until somebody answers; the answer stays with Prefect and is read again whenever the replay is made anew."""
        view, plan = question.view, question.plan
        form = gate_form(
            plan,
            question.gate,
            page=self._banner + question.page,
            approvers=(),
            confirm=view.confirm,
            question=f"{view.id}, question {view.ask}",
            practice=True,
        )
        count = int(runtime.flow_run.run_count or 1)
        key = f"replay-{plan.stage}-{plan.round}-{plan.digest[:12]}-{view.ask}-a{count}"
        try:
            given: Mapping[str, Any] = (await asuspend_flow_run(wait_for_input=form, key=key)).model_dump()
        except (ValueError, TypeError, LookupError, RecursionError, ObjectNotFound):
            given = {"decision": "reject", "reason": "The run was resumed without an answer to the form."}
        answer = Answered(
            state=_STATES.get(str(given.get("decision")), "rejected"),
            by=(str(given.get("approver") or "somebody")[:80],),
            reason=str(given.get("reason") or "")[:2000],
            left_out=left_out_ids(plan, given.get("leave_out") or ()),
            at=self._staged.room.clock(),
            plan_digest=plan.digest,
        )
        self._staged.desk.give(view, plan, answer, str(given.get("confirm") or ""))

    async def show(self, key: str, page: str, title: str) -> None:
        if not self._is_shown(key):
            await super().show(key, self._banner + page, f"DRY RUN: {title}")

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        if not self._is_shown(key):
            await super().show_table(key, rows, f"DRY RUN: {title}")

    def _is_shown(self, key: str) -> bool:
        name = f"{self._incident}-{key}".lower().replace("_", "-")
        self._pages_seen[name] -= 1
        return self._pages_seen[name] >= 0


def _name() -> str:
    return f"dry-run of {Path(str(runtime.flow_run.parameters.get('bundle', ''))).name}"


@flow(name="replay", flow_run_name=_name, persist_result=False, retries=0, log_prints=False)
async def replay(
    bundle: str,
    playbook: str = "",
    decide: Literal["recorded", "approve-all", "reject-all", "person"] = "recorded",
) -> State[Any]:
    """Dry-run of a recorded incident on its evidence and at its time. Nothing is sent to any cloud.

    Args:
        bundle: the incident bundle, a folder or zip on the machine where runs are carried out.
        playbook: replay with this one: an id, or a file or folder there; empty is the playbook of then.
        decide: how gates are answered: as they were then, all in one way, or by a person in this UI.
    """
    configure((settings := Settings.load()).log_format, settings.log_level)
    log = get_run_logger()
    try:
        steps = load_steps()
        chosen = playbooks_named(playbook, steps, settings.home)
        with open_bundle(Path(bundle)) as opened:
            book = book_for(opened, chosen)
            with stage_replay(opened, steps, playbook=book, policy=Policy(decide)) as staged:
                done = await _carried_through(opened, staged, Policy(decide))
    except ResponseError as error:
        log.error("%s", error)
        return failed(error)
    except Exception as error:
        log.exception("A mistake in Firebreak ended the replay.")
        return Failed(
            message=f"A mistake in Firebreak ended the replay ({type(error).__name__}); its log has the place."
        )
    changed = sum(change.is_change for change in done.changes)
    said = f"{changed} of {len(done.changes)} plans changed" if changed else "all plans are the same"
    return Completed(message=f"Dry-run of {done.bundle.head.incident.id}: {said} against what was {done.against}")


async def _carried_through(bundle: Bundle, staged: Staged, policy: Policy) -> Replayed:
    course = PracticeRuntime(staged, *await _seen(UUID(str(runtime.flow_run.id))))
    head = bundle.head.incident
    course.say(f"DRY RUN: a replay of {head.id}, recorded on {head.opened_at:%Y-%m-%d %H:%M} UTC. Nothing is sent.")
    async with staged.engine() as engine:
        try:
            await respond_to(engine, course)
        except BundleError:
            raise
        except ResponseError as error:
            staged.room.fail(staged.incident.id, error)
            course.say(str(error))
        dossier = gather(engine, int(engine.value("last-round") or 1))
    done = result_of(Path(bundle.place).name, staged, policy, dossier)
    await course.show("result", result_page(done), "What the replay came to")
    return done


async def _seen(run_id: UUID) -> tuple[int, Counter[str]]:
    """How many tasks this run has ended, and how often it made each page, in processes before this one."""
    async with get_client() as client:
        this = FlowRunFilter(id=FlowRunFilterId(any_=[run_id]))
        tasks = pages = 0
        while rows := await client.read_task_runs(flow_run_filter=this, offset=tasks, limit=_PAGE):
            tasks += len(rows)
        names: Counter[str] = Counter()
        wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
        while made := await client.read_artifacts(artifact_filter=wanted, offset=pages, limit=_PAGE):
            pages += len(made)
            names.update(str(row.key) for row in made)
    return tasks, names
