"""What runs by itself, on a real Prefect server: the watch after closure sees the attacker come back and a response starts; the partner's check runs.

A person finds all of it in the UI, in words. What is asserted of Azure is the embedded Azure's own state.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from azure_simulator import announcement
from azure_simulator.app import assign, call_as
from azure_simulator.server import serve
from azure_simulator.services.authorization import builtin as roles
from azure_simulator.world import World
from tasks.arm import COMPUTE
from tests.browser.person import OldUi
from tests.browser.test_gates_in_the_ui import DESK
from tests.flows.stack import Azure, Stack, until
from tests.flows.test_no_secret_leaks_through_prefect import by_command
from tests.support.inprocess import subscription_of
from tests.support.planted import small_world
from tests.support.playbooks import small_playbook

pytestmark = [pytest.mark.browser, pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]
LONG = 600


@contextmanager
def watched_azure(folder: Path) -> Iterator[tuple[Azure, World]]:
    """An Azure in this process, and an installation that looks at closed incidents every half minute and signs in as a person of the partner's."""
    world = small_world("crypto-mining", datetime.now(UTC).replace(minute=0, second=0, microsecond=0), real_time=True)
    token = folder / "refresh-token"
    token.write_text(next(p.refresh_tokens[0] for p in world.principals.values() if p.refresh_tokens))
    (folder / "azure").mkdir()
    with serve(world, 0, folder / "azure") as server:
        line = announcement.write(world, folder / "azure", server.ca_bundle)
        line["env"] |= {
            "FIREBREAK_AFTERCARE__EVERY_HOURS": "0.008",
            "FIREBREAK_CREDENTIAL__KIND": "secure_application_model",
            "FIREBREAK_CREDENTIAL__REFRESH_TOKEN": f"file:{token}",
        }
        yield Azure(line), world


def runs(stack: Stack, flow: str) -> list[dict[str, Any]]:
    """The flow runs of a flow, the oldest first."""
    wanted = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
    answer = httpx.post(f"{stack.running.api_url}/flow_runs/filter", json=wanted, timeout=60)
    return list(answer.raise_for_status().json())


def come_back(world: World) -> str:
    """The attacker is an Owner again and starts a machine that the response had stopped; return it."""
    thief = next(row for row in world.truth["attackers"] if row["kind"] == "created")
    principal = world.principals[thief["principal_id"]]
    principal.enabled = True
    assign(world, principal, roles.OWNER, f"/subscriptions/{subscription_of(world)}")
    machine = next(
        str(row["id"])
        for row in world.resources.of_type("Microsoft.Compute/virtualMachines")
        if str(row["id"]).lower() in {one.lower() for one in world.truth["rogue_compute"]}
    )
    path = f"{machine}/start?api-version={COMPUTE}"
    answer = call_as(world, principal.object_id, "POST", path, address=thief["addresses"][0])
    assert answer.status < 300, answer.body
    return machine


def ui(stack: Stack) -> str:
    return stack.running.api_url.removesuffix("/api")


def artifact(stack: Stack, key: str) -> str:
    """The address of the newest artifact of a key."""
    wanted = {"artifacts": {"key": {"any_": [key]}}, "sort": "CREATED_DESC", "limit": 1}
    answer = httpx.post(f"{stack.running.api_url}/artifacts/filter", json=wanted, timeout=60)
    (found,) = answer.raise_for_status().json()
    return f"{ui(stack)}/artifacts/artifact/{found['id']}"


def at(page: Page, stack: Stack, run: str, tab: str = "") -> None:
    """Open a run's page in the UI, at one of its tabs."""
    page.goto(f"{ui(stack)}/runs/flow-run/{run}")
    if tab:
        page.get_by_role("tab", name=tab).or_(page.locator(".p-tab", has_text=tab)).first.click()


def test_what_comes_back_and_the_partners_check_are_seen_in_the_ui(
    browser: Browser, album: Any, tmp_path: Path
) -> None:
    (tmp_path / "home" / "playbooks").mkdir(parents=True)
    (tmp_path / "home" / "playbooks" / "small.yaml").write_text(small_playbook("compromised-subscription"))
    with watched_azure(tmp_path) as (azure, world), Stack.start(tmp_path, azure=azure) as stack:
        incident = str(stack.deliver().json()["incident"])
        for stage, person in (("contain", 0), ("eradicate", 0), ("eradicate", 1)):
            by_command(stack, incident, stage, person)
        until("the response to end", lambda: stack.run_state(incident) == "Completed", seconds=LONG)

        def quiet() -> list[dict[str, Any]]:
            said = "1 closed incident looked at; 0 came back"
            return [run for run in runs(stack, "watch-closed") if said in (run["state"]["message"] or "")]

        until("a look that finds nothing", quiet, seconds=LONG)
        assert len(runs(stack, "respond")) == 1

        machine = come_back(world)
        since = len(world.requests)

        def noticed() -> list[dict[str, Any]]:
            return [run for run in runs(stack, "watch-closed") if "1 came back" in (run["state"]["message"] or "")]

        (look,) = until("a look that sees it", noticed, seconds=LONG)
        new = next(row for row in (run["parameters"]["incident"] for run in runs(stack, "respond")) if row != incident)
        assert not [row for row in world.requests[since:] if row.method in ("PUT", "PATCH", "DELETE")]
        stack.until_asked(new, "contain", seconds=LONG)

        page = browser.new_page(viewport=DESK, color_scheme="light")
        page.set_default_timeout(60_000)
        at(page, stack, look["id"], "Logs")
        expect(page.get_by_text(re.compile(f"{incident} came back as {new}")).first).to_be_visible()
        album.keep(page, "watch-logs")
        at(page, stack, look["id"], "Details")
        expect(page.get_by_text(f"1 closed incident looked at; 1 came back: {incident} as {new}").first).to_be_visible()
        page.goto(artifact(stack, f"{new.lower()}-case"))
        expect(page.get_by_text("The watch after closure saw it").first).to_be_visible()
        expect(page.get_by_text(f"Came back after {incident} was closed").first).to_be_visible()
        assert page.get_by_text("Microsoft's alert came").count() == 0
        album.keep(page, "watch-case")
        by_command(stack, new, "contain", 0)
        until(
            "the machine to be stopped again", lambda: world.resources[machine]["_power"] == "deallocated", seconds=LONG
        )

        started = stack.firebreak("posture")
        check = re.search(r"INC-\w+", started.stdout)
        assert check, started.stderr
        ended = ("Suspended", "Completed")
        until("the check to ask or to end", lambda: stack.run_state(check[0]) in ended, seconds=LONG)
        page.goto(artifact(stack, f"{check[0].lower()}-case"))
        expect(page.get_by_text("Check of the partner's own tenant").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"\d+ of \d+ checks found something wrong")).first).to_be_visible()
        album.keep(page, "check-case")
        dialog = OldUi().open(page, f"{ui(stack)}/runs/flow-run/{stack.flow_run(check[0])}")
        expect(dialog.get_by_text("second factor").first).to_be_visible()
        album.keep(page, "check-gate")
