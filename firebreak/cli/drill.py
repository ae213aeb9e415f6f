"""`firebreak drill`: an incident that nobody knows, on the embedded Azure, for people to work through in the Prefect UI; ends with a score sheet.

What happened and what is whose stays in the embedded Azure until the run has ended: its routes ask for a key that only this process has.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
from rich.table import Column, Table

from firebreak.cli.demo import DemoPeople, deliver, follow, linger, services_on, truth_of
from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.processes import Processes
from firebreak.cli.rooms import dossier_of, engine_room
from firebreak.cli.services import Running, start_simulator
from firebreak.cli.simulate import SCENARIOS, check_scenario
from firebreak.cli.up import interrupt
from firebreak.replay.drill import Sheet, sheet_json, sheet_of, sheet_page
from firebreak.settings import Settings

_SEEDS = 1_000_000


def drill(
    seed: int = typer.Option(0, min=0, help="The same seed gives the same incident; 0 draws one, which is shown."),
    scenario: str = typer.Option(
        "", help="For trainers: this scenario instead of one that the seed draws. See firebreak simulate --help."
    ),
    port: int = typer.Option(4200, help="Port of the Prefect UI; the next free one if taken."),
    home: Path | None = typer.Option(None, help="Where the drill keeps its state (default: a fresh folder in .demo)."),
    as_json: bool = Json,
) -> None:
    """Practise: an incident that you do not know arrives, and you answer its gates in the Prefect UI. Ends with a score sheet.

    Everything is real but the cloud: Prefect, gates, one-time codes, the engine. What happened, and whether it is an attack at all, is told at the
    end: minutes to each gate and decision, people's time apart from the machine's, what was missed or wrongly hit, money lost while waiting.
    """
    number = seed or 1 + secrets.randbelow(_SEEDS)
    chosen = check_scenario(scenario) if scenario else random.Random(number).choice(SCENARIOS)  # noqa: S311 - repeatable, and no secret
    folder = (home or Path(".demo") / time.strftime("drill-%Y%m%d-%H%M%S")).absolute()
    signal.signal(signal.SIGTERM, interrupt)
    with Processes(folder / "logs") as processes:
        say(f"Drill with seed {number}. Starting the embedded Azure ...")
        key = secrets.token_urlsafe(24)
        azure = start_simulator(processes, folder / "azure", scenario=chosen, seed=number, sealed_with=key)
        with services_on(processes, azure, folder, port=port) as services:
            sheet = _run(processes, services, azure, seed=number, scenario=chosen, key=key)
        (folder / "score.md").write_text(sheet_page(sheet), encoding="utf-8")
        (folder / "score.json").write_text(json.dumps(sheet_json(sheet), default=str, indent=2), encoding="utf-8")
        if as_json:
            print_json(sheet_json(sheet))
            return
        _print(sheet)
        say(f"The sheet is also in {folder / 'score.md'}, and among the artifacts of the run.")
        linger(processes, services)


def _run(
    processes: Processes, services: Running, azure: dict[str, Any], *, seed: int, scenario: str, key: str
) -> Sheet:
    from flows.start import show_page

    people = DemoPeople({p["name"]: p["totp_secret"] for p in azure["approvers"]})
    settings = Settings.load()
    with engine_room(settings) as room:
        began = datetime.now(UTC)
        incident = deliver(settings, services, room)
        say(f"An alert came in: {incident}. The clock runs.")
        run_id = str(room.store.values.get(incident, "flow_run"))
        say(f"Watch it: {services.run_url(run_id)}")
        follow(processes, room, services, incident, people, headless=False, suggests=False)
        ended = datetime.now(UTC)
        sheet = sheet_of(
            room.audit.records(incident),
            dossier_of(room, incident),
            truth_of(azure, key=key),
            seed=seed,
            scenario=scenario,
            began=began,
            ended=ended,
        )
    asyncio.run(show_page(run_id, f"{incident}-score".lower(), sheet_page(sheet), "Score sheet of the drill"))
    return sheet


def _print(sheet: Sheet) -> None:
    kind = "an attack" if sheet.truth == "fraud" else "a false alarm"
    stdout.print(f"[bold]Score sheet[/]: {safe(sheet.scenario)}, seed {sheet.seed}: {kind}")
    stdout.print(
        "[green]People acted as the truth asked.[/]"
        if sheet.was_right
        else "[red]People did not act as the truth asked.[/]"
    )
    contained = "never" if sheet.minutes_to_contain is None else f"after {sheet.minutes_to_contain:.1f} min"
    stdout.print(
        f"{sheet.minutes:.1f} min from alert to end: {sheet.people_minutes:.1f} of people, {sheet.machine_minutes:.1f} of the machine; contained {contained}."
    )
    stdout.print(
        f"At {sheet.attacker_per_hour:,.2f} {safe(sheet.currency)} an hour, {sheet.lost_while_waiting:,.2f} were lost while people were asked and "
        f"{sheet.lost_to_the_machine:,.2f} while the machine worked."
    )
    right = {"justify": "right"}
    table = Table(
        "gate", Column("asked after", **right), Column("decided after", **right), "decision", "by", Column("left out", **right),  # type: ignore[arg-type]
        Column("answers refused", **right), Column("cost of waiting", **right), box=None,  # type: ignore[arg-type]
    )  # fmt: skip
    for gate in sheet.gates:
        table.add_row(
            safe(gate.stage), f"{gate.minutes_to_gate:.1f} min", f"{gate.minutes_to_decision:.1f} min", gate.decision or "nobody decided",
            safe(", ".join(gate.by), 80), str(gate.left_out), str(gate.refused_answers), f"{gate.waiting_cost:,.2f}",
        )  # fmt: skip
    stdout.print(table)
    for one in sheet.missed:
        stdout.print(f"[yellow]missed[/] {safe(one.id, 300)}: {one.why}{', still billed' if one.is_billed else ''}")
    for hit in sheet.wrong:
        stdout.print(f"[red]wrongly hit[/] {safe(hit['id'], 300)}: {safe(hit['what'], 200)}")
    for way in sheet.access_left:
        stdout.print(f"[yellow]a way in is left[/] {safe(way, 200)}")
    if sheet.came_back:
        stdout.print(f"The attacker came back {sheet.came_back} times.")
