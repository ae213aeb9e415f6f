"""`firebreak demo`: the main job on the embedded Azure: a signed webhook arrives, the run stops at its gates, a person answers, a report ends it.

Nothing here knows more than a responder would, save the last lines: they ask the simulator for the truth.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyotp
import typer
from rich.panel import Panel

from firebreak.approval import GateView
from firebreak.cli.gates import answer_gate
from firebreak.cli.output import Json, print_json, safe, say, stderr
from firebreak.cli.processes import Processes, ServiceError
from firebreak.cli.rooms import dossier_of, engine_room
from firebreak.cli.services import Running, forget_services, start_services, start_simulator, use_services
from firebreak.cli.simulate import SCENARIOS, check_scenario
from firebreak.cli.up import interrupt
from firebreak.cli.webhooks import own_intake, send, settled, signed_event
from firebreak.engine import EngineRoom
from firebreak.errors import ApprovalError
from firebreak.report.dossier import Dossier, money, run_json
from firebreak.settings import Settings

_ENDED = ("done", "stopped", "failed")
_STEP_SECONDS = 30
_POLL_SECONDS = 0.7
# Stages that may be skipped so that compute never waits for them, and that the demo's approvers want all the same.
_WANTED = ("close-doors", "evict")
CONTACT = {
    "FIREBREAKCONTACT__FIRST_NAME": "Alice",
    "FIREBREAKCONTACT__LAST_NAME": "Example",
    "FIREBREAKCONTACT__EMAIL": "alice@partner.example",
    "FIREBREAKCONTACT__COUNTRY": "NLD",
    "FIREBREAKCONTACT__TIME_ZONE": "W. Europe Standard Time",
}


@dataclass
class DemoPeople:
    """The invented approvers of the demo. Each code works once, so the one before, the one now and the next are tried in turn."""

    seeds: dict[str, str]
    used: set[tuple[str, int]] = field(default_factory=set)

    def code(self, name: str, now: float) -> str | None:
        """A code of this person that was not used yet, None when all three of this moment were."""
        step = int(now) // _STEP_SECONDS
        for candidate in (step, step - 1, step + 1):
            if (name, candidate) not in self.used:
                self.used.add((name, candidate))
                return pyotp.TOTP(self.seeds[name]).at(candidate * _STEP_SECONDS)
        return None

    def shown(self, name: str) -> str:
        """The code that an authenticator would show now."""
        return pyotp.TOTP(self.seeds[name]).now()

    def all_shown(self) -> str:
        return ", ".join(f"{name} {self.shown(name)}" for name in self.seeds)


def demo(
    scenario: str = typer.Option("crypto-mining", help=f"What happened: {', '.join(SCENARIOS)}."),
    headless: bool = typer.Option(False, "--headless", help="The invented approvers answer the gates by themselves."),
    seed: int = typer.Option(7, help="Another seed makes another tenant and another attack."),
    scale: int = typer.Option(1, min=1, max=20, help="Multiplies the tenant's resources and events."),
    port: int = typer.Option(4200, help="Port of the Prefect UI; the next free one if taken."),
    home: Path | None = typer.Option(None, help="Where the demo keeps its state (default: a fresh folder in .demo)."),
    as_json: bool = Json,
) -> None:
    """Contain a compromised subscription on the embedded Azure, with the real Prefect server and UI.

    Starts the embedded Azure, Prefect and the intake, delivers a signed webhook, and waits for you at each gate in the Prefect UI. No Azure account
    is needed and nothing outside this machine is contacted.
    """
    check_scenario(scenario)
    folder = (home or Path(".demo") / time.strftime("%Y%m%d-%H%M%S")).absolute()
    signal.signal(signal.SIGTERM, interrupt)
    with Processes(folder / "logs") as processes:
        say(f"Starting the embedded Azure with the scenario {scenario} ...")
        azure = start_simulator(processes, folder / "azure", scenario=scenario, seed=seed, scale=scale)
        with services_on(processes, azure, folder, port=port) as services:
            result = _run(processes, services, azure, headless=headless, quiet=as_json)
        if as_json:
            print_json(result)
        rejected = any(gate["state"] == "rejected" for gate in result["gates"])
        if not headless and result["state"] in ("done", "stopped") and not rejected:
            linger(processes, services)
    if result["state"] != "done":
        raise typer.Exit(3 if result["state"] == "stopped" else 1)


@contextmanager
def services_on(processes: Processes, azure: dict[str, Any], folder: Path, *, port: int) -> Iterator[Running]:
    """Prefect server, runner and intake in `folder`, pointed at an embedded Azure that runs; this process speaks to them, too."""
    os.environ.update({name: str(value) for name, value in azure["env"].items()})
    os.environ["FIREBREAK_HOME"] = str(folder)
    os.environ.update(CONTACT)
    say("Starting the Prefect server, the runner and the intake ...")
    services = start_services(processes, folder, {}, port=port)
    use_services(services)
    try:
        yield services
    finally:
        forget_services(folder, services)


def _run(
    processes: Processes, services: Running, azure: dict[str, Any], *, headless: bool, quiet: bool
) -> dict[str, Any]:
    people = DemoPeople({p["name"]: p["totp_secret"] for p in azure["approvers"]})
    settings = Settings.load()
    with engine_room(settings) as room:
        incident = deliver(settings, services, room)
        say(f"The intake accepted the signed webhook and opened {incident}.")
        run_id = str(room.store.values.get(incident, "flow_run"))
        say(f"Watch it: {services.run_url(run_id)}")
        follow(processes, room, services, incident, people, headless=headless)
        dossier = dossier_of(room, incident)
    truth = truth_of(azure)
    result = run_json(dossier)
    result["protected_touched"] = truth["protected_touched"]
    result["truth"] = truth
    result["timeline"] = [{"at": t.at, "kind": t.kind, "id": t.id} for t in dossier.timeline]
    if not quiet:
        _tell(dossier, truth, services.run_url(run_id))
    return result


def deliver(settings: Settings, services: Running, room: EngineRoom) -> str:
    """Deliver the alert as Microsoft does: a signed webhook of Partner Center, which the intake confirms in Graph."""
    webhook = signed_event(settings, "azure-fraud-event-detected", "")
    status, answer = send(own_intake(settings, services.intake_url), webhook, trusted=settings)
    if status != 202:
        raise ServiceError(f"The intake answered {status}: {str(answer)[:400]}", hint="See the intake's log.")
    found = settled(room, str(answer["delivery"]))
    if not found.incident:
        raise ServiceError(f"The alert opened no incident: {found.reason}", hint="See the intake's log.")
    return found.incident


def follow(
    processes: Processes,
    room: EngineRoom,
    services: Running,
    incident: str,
    people: DemoPeople,
    *,
    headless: bool,
    suggests: bool = True,
) -> None:
    """Until the incident has ended: show each new question, and let the invented approvers answer when nobody else is to.

    `suggests` names the answer that goes on, as a tour does; a drill does not.
    """
    asked: set[tuple[str, int]] = set()
    note = codes = ""
    while True:
        run, ended = _run_state(room, incident)
        state = room.store.incidents.state(incident)
        if ended and state in _ENDED:
            return
        if ended:
            raise ServiceError(
                f"The run of {incident} ended as {run}.",
                hint=f"The runner's log ends with:\n{processes.tail('runner')}",
            )
        if dead := processes.dead():
            raise ServiceError(f"{dead} ended by itself.", hint=f"Its log ends with:\n{processes.tail(dead)}")
        fresh = f"{state} {room.store.incidents.row(incident).note}".strip()
        if fresh != note:
            note = fresh
            say(note)
        # Only a suspended run has a form to answer.
        waiting = [v for v in room.desk.list(open_only=True) if v.incident == incident] if run == "Suspended" else []
        for view in waiting:
            if headless:
                _answer(room, view, people)
            elif (view.id, view.ask) not in asked:
                asked.add((view.id, view.ask))
                _explain(room, view, people, services, suggests=suggests)
                codes = people.all_shown()
            elif (fresh_codes := people.all_shown()) != codes:
                codes = fresh_codes
                stderr.print(f"[dim]codes now:[/] {codes}")
        time.sleep(_POLL_SECONDS)


def _run_state(room: EngineRoom, incident: str) -> tuple[str, bool]:
    """The state of the incident's run, and whether it has ended."""
    from flows.start import run_state

    return asyncio.run(run_state(str(room.store.values.get(incident, "flow_run"))))


def _answer(room: EngineRoom, view: GateView, people: DemoPeople) -> None:
    done = {a.approver for a in view.approvals}
    for name in people.seeds:
        if name in done:
            continue
        code = people.code(name, time.time())
        if code is None:
            continue
        decision = "skip" if view.optional and view.stage not in _WANTED else "approve"
        try:
            answer_gate(
                room, view.id, decision, name, code, reason="demo", confirm=view.confirm, channel="demo", wake_run=True
            )
        except ApprovalError as error:
            say(f"{view.id}: {error.message}")
        else:
            say(f"{name} answers {view.id}: {decision}")
        return
    time.sleep(1)


def _explain(room: EngineRoom, view: GateView, people: DemoPeople, services: Running, *, suggests: bool = True) -> None:
    run_id = str(room.store.values.get(view.incident, "flow_run"))
    done = {a.approver for a in view.approvals}
    name = next((n for n in people.seeds if n not in done), next(iter(people.seeds)))
    confirm = f"\n  Confirm       {view.confirm}" if view.confirm else ""
    again = f"\n[yellow]Asked again: {safe(view.last_problem, 300)}[/]" if view.last_problem else ""
    skip = " (or skip: go on without this)" if view.optional else ""
    decision = f"approve{skip}" if suggests else f"yours: approve, reject{', skip' if view.optional else ''}"
    stderr.print(
        Panel(
            f"{safe(view.title)}{again}\n\n"
            f"1. Open {services.run_url(run_id)}\n"
            f"2. Click [bold]Resume[/] (top right; in the new UI: the menu with three dots, then Resume)\n"
            f"3. Read the plan and fill in:\n"
            f"  Decision      {decision}\n"
            f"  Approver      {safe(name)}\n"
            f"  Code          [bold]{people.shown(name)}[/]  (changes every 30 s; the newest is printed below)\n"
            f"  Leave Out     machines that should go on running, if any{confirm}\n"
            f"4. Click Submit",
            title=f"Gate {view.id}, question {view.ask}: {len(view.approvals)} of {view.required} approvals",
            expand=False,
        )
    )


def truth_of(azure: dict[str, Any], *, key: str = "") -> dict[str, Any]:
    """The score by the simulator's own truth; `key` opens a sealed one."""
    trusted = ssl.create_default_context(cafile=azure["ca_bundle"])
    url = f"{azure['resource_manager']}/_simulator/truth"
    asked = urllib.request.Request(url, headers={"X-Simulator-Key": key} if key else {})  # noqa: S310 - the simulator we started
    with urllib.request.urlopen(asked, context=trusted, timeout=60) as answer:  # noqa: S310
        return dict(json.load(answer))


def _tell(dossier: Dossier, truth: dict[str, Any], url: str) -> None:
    before, after = dossier.burn_before, dossier.burn_after
    good = sum(1 for a in dossier.actions if a.is_good)
    lines = [
        f"{dossier.incident.id} is {dossier.state}; verdict {dossier.verdict}; {good} of {len(dossier.actions)} actions ended well."
    ]
    if before:
        now = money(after.rogue_per_hour, after.currency) if after else "not measured again"
        lines.append(
            f"The attacker's compute cost {money(before.rogue_per_hour, before.currency)} per hour, now {now}; {money(before.lost, before.currency)} lost."
        )
    lines.append(
        f"The simulator's truth: {len(truth['rogue_running'])} rogue machines still run, {len(truth['protected_touched'])} legitimate things touched."
    )
    lines += [f"Report: {dossier.report_files.get('html', '')}", f"Run: {url}"]
    stderr.print(Panel("\n".join(safe(line, 1000) for line in lines), title="The end", expand=False))


def linger(processes: Processes, services: Running) -> None:
    """Keep the UI for as long as the person wants to look around."""
    say(f"The Prefect UI stays at {services.ui_url} until you press Ctrl-C.")
    try:
        while not processes.dead():
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("Stopping.")
