"""P11 with real processes: a whole run, its gates answered in Prefect's form and by command line; nothing planted is left behind in
Prefect's API or database, a log, the incident store, the evidence, the report, the bundle or what the commands print.

Once with SQLite and a client secret, once with the incident store on PostgreSQL and a refresh token. The cloud is served over TLS from this
process, so that its answers can be spoilt and every token that passes is known.
"""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from azure_simulator import announcement
from azure_simulator.server import serve
from firebreak.approval import GateView
from tests.flows.stack import Azure, Stack, until
from tests.support.canaries import Canaries
from tests.support.planted import NOT_ASKED_FOR, PLAYBOOK, Planted, small_world
from tests.unit.firebreak.store.databases import POSTGRES

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]
LONG = 900
PASSWORD = "cAnArYdAtAbAsEpAsSwOrD0123"
REFRESH_TOKEN = "cAnArYrEfReShToKeN0123456789"
# The operator's own files, where these secrets belong.
NOT_IN = ("secret.key", "intake.key")
KINDS = ("flow_runs", "task_runs", "logs", "artifacts", "deployments", "flow_run_states", "variables", "flows")


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of the installation, beside those that point at the simulator."""
    loud = {"FIREBREAK_LOG_LEVEL": "debug", "FIREBREAK_LOG_FORMAT": "json"}
    if request.param == "sqlite":
        yield loud | {"FIREBREAK_CREDENTIAL__REFRESH_TOKEN": REFRESH_TOKEN}
        return
    schema = f"firebreak_{uuid.uuid4().hex}"
    url = f"postgresql+psycopg://postgres:{PASSWORD}@127.0.0.1:5432/test?options=-csearch_path%3D{schema}"
    model = {
        "FIREBREAK_CREDENTIAL__KIND": "secure_application_model",
        "FIREBREAK_CREDENTIAL__REFRESH_TOKEN": f"file:{tmp_path / 'refresh-token'}",
    }
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True)
    except psycopg.OperationalError:
        pytest.skip("no PostgreSQL at 127.0.0.1:5432, database test, user postgres")
    with connection:
        connection.execute(f"CREATE SCHEMA {schema}")
        try:
            yield loud | model | {"FIREBREAK_DATABASE_URL": url}
        finally:
            connection.execute(f"DROP SCHEMA {schema} CASCADE")


@contextmanager
def planted_azure(folder: Path, environment: dict[str, str]) -> Iterator[tuple[Azure, Planted]]:
    """The simulator over TLS in this process, with its secrets planted."""
    folder.mkdir()
    world = small_world("crypto-mining", datetime.now(UTC).replace(minute=0, second=0, microsecond=0), real_time=True)
    cloud = Planted(world)
    token = next(p.refresh_tokens[0] for p in world.principals.values() if p.refresh_tokens)
    (folder.parent / "refresh-token").write_text(token)
    cloud.remember(token)
    with serve(world, 0, folder, around=cloud.around) as server:
        line = announcement.write(world, folder, server.ca_bundle)
        Path(line["alert_file"]).write_bytes(cloud.alert())
        line["env"] |= environment
        yield Azure(line), cloud


def in_prefect(stack: Stack, incident: str) -> dict[str, str]:
    """What Prefect's API tells, by kind, every page of it."""
    told: dict[str, str] = {}

    def page(path: str, body: dict[str, Any]) -> list[Any]:
        answer = httpx.post(f"{stack.running.api_url}/{path}", json=body, timeout=60).raise_for_status()
        return list(answer.json())

    for kind in KINDS:
        rows, offset = list[Any](), 0
        path = f"{kind}/filter"
        if kind == "flow_run_states":
            runs = stack.flow_runs(incident)
            url = f"{stack.running.api_url}/flow_run_states/"
            rows = [
                httpx.get(url, params={"flow_run_id": run["id"]}, timeout=60).raise_for_status().json() for run in runs
            ]
        else:
            while found := page(path, {"limit": 200, "offset": offset}):
                rows, offset = rows + found, offset + len(found)
        told[kind] = json.dumps(rows)
    events = httpx.post(f"{stack.running.api_url}/events/filter", json={}, timeout=60)
    told["events"] = events.raise_for_status().text
    run = stack.flow_run(incident)
    for kind in ("gate-", "suspended-"):
        told[f"inputs {kind}"] = json.dumps(page(f"flow_runs/{run}/input/filter", {"prefix": kind, "limit": 200}))
    return told


def in_the_form(stack: Stack, incident: str) -> str:
    """Approve containment in Prefect's form, after one wrong code; again when the code went stale on a busy machine. Returns the code."""
    view = stack.until_asked(incident, "contain", seconds=LONG)
    stack.resume(incident, stack.form(view, code="000000"))
    for _ in range(3):
        view = stack.until_asked(incident, "contain", ask=view.ask + 1, seconds=LONG)
        typed = stack.code()
        stack.resume(incident, stack.form(view, code=typed))

        def answered(view: GateView = view) -> GateView | None:
            now = stack.gate(view.id)
            return now if now is not None and (now.state == "approved" or now.ask > view.ask) else None

        now = until("the answer to be recorded", answered, seconds=LONG)
        if now is not None and now.state == "approved":
            return typed
    raise AssertionError("No code was taken.")


def by_command(stack: Stack, incident: str, stage: str, person: int) -> str:
    """Approve at the command line; what the command said."""
    view, said = stack.until_asked(incident, stage, seconds=LONG), ""
    confirm = ["--confirm", view.confirm] if view.confirm else []
    for _ in range(3):
        who = ["--approver", stack.azure.line["approvers"][person]["name"], "--code", stack.code(person)]
        given = stack.firebreak("gates", "approve", view.id, *who, "--reason", "exercise", *confirm)
        said += given.stdout + given.stderr
        if given.returncode in (0, 2) and "code is wrong" not in given.stderr:
            return said
    raise AssertionError(said)


def respond(stack: Stack, incident: str) -> tuple[str, str]:
    """The whole run, the first gate in the form, the others by command: the code typed into the form, and what the commands printed."""
    typed = in_the_form(stack, incident)
    answers = (("eradicate", 0), ("eradicate", 1), ("close", 0))
    printed = "".join(by_command(stack, incident, stage, person) for stage, person in answers)
    until("the run to end", lambda: stack.run_state(incident) in ("Completed", "Failed", "Crashed"), seconds=LONG)
    return typed, printed


def test_nothing_planted_is_left_behind(tmp_path: Path, environment: dict[str, str]) -> None:
    home = tmp_path / "home"
    (home / "playbooks").mkdir(parents=True)
    (home / "playbooks" / "small.yaml").write_text(PLAYBOOK)
    with planted_azure(tmp_path / "azure", environment) as (azure, cloud):
        with Stack.start(tmp_path, azure=azure) as stack:
            incident = str(stack.deliver().json()["incident"])
            typed, printed = respond(stack, incident)
            assert all(cloud.refused.values()), cloud.refused
            canaries = Canaries(planted_in(stack, cloud))
            with stack.room() as room:
                assert room.store.incidents.state(incident) in ("done", "failed")
                raw, database = room.store.incidents.raw_alert_digest(incident), room.settings.database_url
            for words in (("incidents", "show", incident), ("incidents", "show", incident, "--json"), ("doctor",)):
                given = stack.firebreak(*words)
                printed += given.stdout + given.stderr
            (alert,) = home.rglob(f"*{raw}*")
            exported = stack.firebreak("incidents", "export", incident, "--out", str(tmp_path / "b.zip"))
            assert exported.returncode == 0, exported.stderr
            canaries.look("what the commands printed", printed + exported.stdout + exported.stderr)
            canaries.look("bundle", (tmp_path / "b.zip").read_bytes())
            # From here on: evidence and inbox keep the alert's bytes as they came (P12).
            canaries.kept_as_it_came = gzip.decompress(alert.read_bytes())
            told = in_prefect(stack, incident)
            assert all(json.loads(told[kind]) for kind in ("flow_runs", "task_runs", "logs", "artifacts"))
            for kind, text in told.items():
                canaries.look(f"Prefect's {kind}", text)
                assert NOT_ASKED_FOR not in text, kind
            # The schema of each question stays, and what woke the run; what people typed does not.
            inputs = {row["key"]: row["value"] for row in json.loads(told["inputs suspended-"])}
            assert any(key.endswith("-schema") for key in inputs)
            answers = [value for key, value in inputs.items() if key.endswith("-response")]
            assert all("(the run is woken" in answer and typed not in answer for answer in answers), answers
            look_at_files(canaries, home, raw, "while it runs")
            canaries.look_into_database(database)
        look_at_files(canaries, home, raw, "afterwards")
        (prefect,) = (home / "prefect").glob("*.db")
        canaries.look_into_database(f"sqlite:///{prefect}")
    logs = "".join(path.read_text() for path in (home / "logs").iterdir())
    assert f'"incident": "{incident}"' in logs
    assert canaries.looked_at > 300
    assert canaries.found == [], "; ".join(canaries.found)


def planted_in(stack: Stack, cloud: Planted) -> dict[str, str]:
    """Every secret of this installation and its cloud."""
    line = stack.azure.line
    people = {f"TOTP seed of {person['name']}": person["totp_secret"] for person in line["approvers"]}
    keys = {name: (stack.home / name).read_text().strip() for name in NOT_IN}
    own = {"client secret": line["client_secret"], "refresh token": REFRESH_TOKEN, "password of the database": PASSWORD}
    return {**own, **people, **keys, **cloud.secrets()}


def look_at_files(canaries: Canaries, home: Path, raw: str, when: str) -> None:
    """Every file of the installation, as bytes: Prefect's database with its log of writes, process logs, evidence, reports."""
    files = [p for p in home.rglob("*") if p.is_file() and p.name not in NOT_IN and raw not in p.name]
    names = {path.name for path in files}
    assert {"prefect.db", "runner.log", "intake.log", "prefect-server.log", "report.html", "report.json"} <= names
    for path in files:
        canaries.look(f"{path.relative_to(home)} {when}", path.read_bytes())
