"""The one flow: it carries out any playbook. Order is in `flows.course`; here are the Prefect parts: tasks, gates, artifacts, log.

A gate suspends the run: no process waits. When it is resumed the body runs again from the top, and everything that was done before is
loaded from the incident store.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import acreate_markdown_artifact, acreate_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.flow_runs import asuspend_flow_run
from prefect.states import Completed, Failed
from pydantic import ValidationError

from firebreak.approval import Answer
from firebreak.clients.policies.redaction import without_secrets
from firebreak.engine import Engine, EngineRoom, Question, open_engine_room
from firebreak.engine.customers import customer_of
from firebreak.engine.messages import messages_of
from firebreak.engine.partner import open_check
from firebreak.errors import ApprovalError, ResponseError
from firebreak.logs import configure, working_on
from firebreak.model.alert import PARTNER_TENANT
from firebreak.model.ids import guid
from firebreak.model.mode import Mode
from firebreak.model.plan import Plan
from firebreak.report.told import failures_section
from firebreak.settings import Settings
from flows.connection import connected_settings
from flows.course import respond_to
from flows.gate_form import GATE_FIELDS, gate_form, left_out_ids
from flows.notices import tell_people
from flows.start import SUSPENDED_AT, PrefectError, answer_under, forget_answer, is_wake, time_of_answer
from tasks.guidance import instructions
from tasks.registry import load_steps

_GO_ON = "Nothing is lost. Look at the run's log, then go on with: firebreak respond --incident"


class PrefectRuntime:
    """One task run per step, one suspension per question, one artifact per page."""

    def __init__(self, engine_room: EngineRoom, incident: str) -> None:
        self._room = engine_room
        self._incident = incident
        self._log = get_run_logger()

    async def run(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        # The journal repeats safely; Prefect's own retries and cache would only hide what happened.
        @task(name=name, task_run_name=name, cache_policy=NO_CACHE, persist_result=False, retries=0)
        async def step() -> None:
            await work()

        await step()

    async def ask(self, question: Question) -> None:
        view = question.view
        form = gate_form(
            question.plan,
            question.gate,
            page=question.page,
            approvers=question.approvers,
            confirm=view.confirm,
            question=f"{view.id}, question {view.ask}",
        )
        values = self._room.store.values
        # run_count rises with each retry, so an answer left from an earlier attempt is never read again; the random part is known to
        # nobody before the run is suspended, so no answer can lie there in advance.
        count = int(runtime.flow_run.run_count or 1)
        key = f"{question.key}-a{count}-{self._random_part(question)}"
        asked = f"asked-{question.key}-{runtime.flow_run.id}"
        if count > int(values.get(self._incident, asked, count)):
            return self._unanswered(question, "The run was started anew while it waited, by a retry or a forced state.")
        values.set(self._incident, asked, count)
        values.set(self._incident, "flow_run", str(runtime.flow_run.id))
        values.set(
            self._incident,
            SUSPENDED_AT,
            {"gate": view.id, "ask": view.ask, "key": key, "run": str(runtime.flow_run.id)},
        )
        await tell_people(self._room, self._log.warning, incident=self._incident)
        await self._show_what_did_not_arrive()
        try:
            given: Any = await asuspend_flow_run(wait_for_input=form, key=key)
        except RecursionError as error:
            return self._unanswered(question, f"The run was resumed {_what_was_wrong(error)}.")
        except (RuntimeError, ObjectAlreadyExists) as error:
            raise PrefectError(
                f"Prefect does not let the run of {self._incident} wait at gate {view.id}: {error}",
                hint=f"Was it cancelled? Go on with: firebreak respond --incident {self._incident}",
            ) from error
        except (ValueError, TypeError, LookupError, ObjectNotFound) as error:
            return self._unanswered(question, f"The run was resumed {_what_was_wrong(error)}.")
        if is_wake(given.model_dump()):
            return self._unanswered(question, "The run was woken, and yet the question stood.")
        run_id = str(runtime.flow_run.id)
        self._hand_in(view.id, view.ask, question.plan, given.model_dump(), await self._given_at(run_id, key))
        return await self._forget(str(runtime.flow_run.id), key)

    async def _show_what_did_not_arrive(self) -> None:
        """Messages that no channel took, beside the question: whoever comes by chance sees that nobody was called."""
        records = self._room.audit.records(self._incident)
        if lines := failures_section(messages_of(records)):
            await self.show("messages", "\n".join(lines), "Messages that did not arrive")

    async def hand_in_late(self) -> None:
        """Hand in what the run was resumed with when its question had meanwhile been answered, escalated or reopened elsewhere.

        The desk refuses it, records it and uses its code up; without this the answer would vanish, since the run asks the next question.
        """
        last = self._room.store.values.get(self._incident, SUSPENDED_AT)
        if not last:
            return
        view = self._room.desk.view(last["gate"])
        if view.state in ("open", "expired") and view.ask == last["ask"]:
            return  # it is the question that is asked: its answer is read where it is asked
        try:
            given = await answer_under(last["run"], last["key"])
        except (ValueError, RecursionError):
            given = None  # written past the form, and no answer at all
        if given is not None:
            plan = self._room.store.plans.load(view.plan_digest)
            self._hand_in(view.id, last["ask"], plan, given, await self._given_at(last["run"], last["key"]))
            await self._forget(last["run"], last["key"])
        self._room.store.values.set(self._incident, SUSPENDED_AT, None)

    async def _forget(self, run_id: str, key: str) -> None:
        """Delete what was typed from Prefect's store, now that the desk has recorded it; the code in it is used up in any case."""
        try:
            await forget_answer(run_id, key)
        except PrefectError as error:
            self._log.warning("What was typed stays in Prefect's store: %s", error.message)

    async def _given_at(self, run_id: str, key: str) -> datetime | None:
        """When the answer was given; where the server does not say, its code is judged as of now."""
        try:
            return await time_of_answer(run_id, key)
        except PrefectError as error:
            self._log.warning("Prefect does not say when the answer was given: %s", error.message)
            return None

    def _hand_in(
        self, gate: str, ask: int, plan: Plan, given: Mapping[str, Any], given_at: datetime | None = None
    ) -> None:
        chosen = given.get("leave_out")
        labels = [str(label) for label in chosen] if isinstance(chosen, list) else []
        answer = Answer(
            approver=_text(given, "approver"),
            code=_text(given, "code"),
            decision=_text(given, "decision"),
            plan_digest=_text(given, "plan_digest", plan.digest),
            reason=_text(given, "reason"),
            leave_out=left_out_ids(plan, labels),
            confirm=_text(given, "confirm"),
            channel="ui",
            given_at=given_at,
        )
        self._room.store.values.set(self._incident, SUSPENDED_AT, None)
        try:
            self._room.desk.answer(gate, answer, ask=ask)
        except ApprovalError as error:
            self._log.warning("Gate %s: %s", gate, error.message)

    def _random_part(self, question: Question) -> str:
        """A part of the question's key, drawn when the question is first asked and the same for every process that asks it."""
        values, name = self._room.store.values, f"nonce-{question.key}"
        if not values.get(self._incident, name):
            values.set(self._incident, name, secrets.token_hex(8))
        return str(values.get(self._incident, name))

    def _unanswered(self, question: Question, problem: str) -> None:
        """Somebody woke the run without an answer to this question: that is recorded, and it is asked again."""
        view = question.view
        now = self._room.desk.view(view.id)
        if (
            now.state in ("open", "expired") and now.ask == view.ask
        ):  # else it was answered at the desk by the command line
            self._log.warning("Gate %s: %s Asking again.", view.id, problem)
            self._room.desk.unanswered(view.id, view.ask, f"{problem} Nobody's answer was in it.")

    async def show(self, key: str, page: str, title: str) -> None:
        name = f"{self._incident}-{key}".lower().replace("_", "-")
        await acreate_markdown_artifact(key=name, markdown=without_secrets(page), description=title)

    async def show_table(self, key: str, rows: list[dict[str, str]], title: str) -> None:
        name = f"{self._incident}-{key}".lower().replace("_", "-")
        table = [{column: without_secrets(value) for column, value in row.items()} for row in rows]
        await acreate_table_artifact(key=name, table=table, description=title)

    def say(self, text: str) -> None:
        self._log.info(text)


def failed(error: ResponseError) -> State[Any]:
    """The final state of a run that cannot go on; its message is kept by Prefect and shown beside the run."""
    return Failed(message=without_secrets(str(error)))


def _text(given: Mapping[str, Any], name: str, default: str = "") -> str:
    """A text of an answer; a late one was not checked against the form, and may hold anything."""
    value = given.get(name, default)
    return value if isinstance(value, str) else ""


def _what_was_wrong(error: Exception) -> str:
    """In our own words: what was given may be hostile and long."""
    if isinstance(error, ValidationError):
        wrong = [e for e in error.errors(include_url=False, include_input=False) if e["type"] != "missing"]
        fields = sorted({str(e["loc"][0]) for e in wrong if e["loc"]} & GATE_FIELDS)
        if fields:
            return f"past the form, with what its checks refuse ({', '.join(fields)})"
        if wrong:
            return "past the form, with what it does not ask for"
    elif not isinstance(error, ObjectNotFound):
        return "past the form, with what is no answer at all"
    return "without an answer, by an automation or a bare call of Prefect's API"


def _name() -> str:
    given = runtime.flow_run.parameters
    return f"{given.get('incident') or given.get('subscription') or 'incident'}"


@flow(name="respond", flow_run_name=_name, persist_result=False, retries=0, log_prints=False)
async def respond(
    incident: str = "",
    subscription: str = "",
    reason: str = "",
    playbook: str = "compromised-subscription",
    dry_run: bool = False,
) -> State[Any]:
    """Respond to a compromised Azure subscription: investigate, ask, act, prove, report.

    Args:
        incident: an incident that the intake or the command line has opened, e.g. INC-1a2b3c4d.
        subscription: or: the Azure subscription id to open an incident for, here and now; none for the check of the partner's own tenant.
        reason: why, when you start it by hand.
        playbook: which playbook.
        dry_run: with `subscription`: look and plan, change nothing.
    """
    settings = Settings.load()
    configure(settings.log_format, settings.log_level)
    log = get_run_logger()
    try:
        settings = await connected_settings(settings)
    except ResponseError as error:
        log.error("%s", error)
        return failed(error)
    with open_engine_room(settings, load_steps(), instructions=instructions()) as room:
        name = incident
        try:
            name = incident or await _open_by_hand(room, subscription, reason, playbook, dry_run)
            async with room.connect(name) as clouds:
                engine = Engine(room, name, clouds, run_id=f"{runtime.flow_run.id}:{runtime.flow_run.run_count}")
                if why := engine.why_undo_goes_first():
                    raise why  # before this run takes the place of the undo's, which the gate wakes
                room.store.values.set(name, "flow_run", str(runtime.flow_run.id))
                course = PrefectRuntime(room, name)
                with working_on(incident=name):
                    await course.hand_in_late()
                    state = await respond_to(engine, course)
        except ResponseError as error:
            log.error("%s", error)
            room.fail(name, error)
            return failed(error)
        except Exception as error:
            log.exception("%s: a mistake in Firebreak ended the run.", name)
            room.fail(
                name, ResponseError(f"A mistake in Firebreak ended the run ({type(error).__name__}).", hint=_GO_ON)
            )
            return Failed(
                message=f"A mistake in Firebreak ended the run ({type(error).__name__}); its log has the place."
            )
    if state == "failed":
        return Failed(message=f"{name}: the attack goes on; see the report.")
    return Completed(message=f"{name}: {state}")


async def _open_by_hand(room: EngineRoom, subscription: str, reason: str, playbook: str, dry_run: bool) -> str:
    known = room.store.values.get("", f"by-hand-{runtime.flow_run.id}")
    if known:
        return str(known)
    mode = Mode.DRY_RUN if dry_run else Mode.LIVE
    if not subscription and room.playbook(playbook).applies_to == (PARTNER_TENANT,):
        opened = open_check(room, mode=mode, requested_by="prefect-ui", playbook=playbook)
        room.store.values.set("", f"by-hand-{runtime.flow_run.id}", opened.incident.id)
        return opened.incident.id
    alert = {
        "id": str(runtime.flow_run.id),
        "type": "manual",
        "title": reason or "Started by hand in the Prefect UI",
        "subscriptionId": subscription,
        "customerTenantId": await customer_of(room, guid(subscription, "Subscription")),
    }
    opened = room.open(
        json.dumps(alert).encode(), place="Prefect UI", mode=mode, requested_by="prefect-ui", playbook=playbook
    )
    room.store.values.set("", f"by-hand-{runtime.flow_run.id}", opened.incident.id)
    return opened.incident.id
