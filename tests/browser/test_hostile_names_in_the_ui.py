"""Chromium, both versions of the Prefect UI and the report file, with a tenant in which every name tries to act: nothing runs, loads or links.

`tests/flows/test_hostile_names.py` reads the same pages with parsers; here the real thing draws them, and says what it did.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from azure_simulator.scenarios.hostile_names import HOST
from firebreak.cli.processes import Processes, free_port
from firebreak.cli.services import prefect_environment
from tests.flows.test_hostile_names import Watched, stop_before_deleting, watch

pytestmark = [pytest.mark.browser, pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(1800)]

ACTING = "script:not([src]), iframe, object, embed, form, [onerror], [onclick], [onload], [onfocus], [srcdoc]"
LEADING = f"a[href*='{HOST}'], a[href^='javascript'], a[href^='data'], a[href^='mailto'], img[src*='{HOST}']"


class Witness:
    """What the browser did by itself while it showed a page."""

    def __init__(self, page: Page) -> None:
        self.asked: list[str] = []
        self.dialogs: list[str] = []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def saw_nothing_act(self) -> bool:
        return self.dialogs == [] and [url for url in self.asked if HOST in url] == []


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    return watch(tmp_path_factory.mktemp("hostile") / "home", stop_before_deleting)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A Prefect server alone."""
    port = free_port(0)
    url = f"http://127.0.0.1:{port}"
    environment = prefect_environment(os.environ, tmp_path / "prefect", f"{url}/api")
    (tmp_path / "prefect").mkdir()
    words = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with Processes(tmp_path / "logs") as processes:
        processes.start("prefect-server", words, environment)
        processes.wait_for("prefect-server", f"{url}/api/health", seconds=600)
        yield url


def body_of(page: Page) -> str:
    """All text of the page, also what is folded."""
    return page.locator("body").text_content() or ""


def test_no_page_of_a_run_acts_in_either_ui(browser: Browser, server: str, watched: Watched) -> None:
    pages = {name: text for name, text in watched.seen.pages.items() if re.match("case|plan-contain|gate|report", name)}
    assert {name.split(":")[0].split("-")[0].split(" ")[0] for name in pages} == {"case", "plan", "gate", "report"}
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(120_000)
    witness = Witness(page)
    for number, (name, text) in enumerate(pages.items()):
        row = {"key": f"page-{number}", "type": "markdown", "data": text, "description": name}
        made = httpx.post(f"{server}/api/artifacts/", json=row, timeout=120).raise_for_status().json()
        for ui in ("", "/v2"):
            page.goto(f"{server}{ui}/artifacts/artifact/{made['id']}")
            page.get_by_text(watched.incident).first.wait_for()
            page.wait_for_timeout(1500)  # whatever loads by itself has begun to
            shown = page.locator("main").first if page.locator("main").count() else page.locator("#app")
            # The names are there to be read: tags and formulas as text.
            assert "alert(1)" in body_of(page), (ui, name)
            assert shown.locator(LEADING).count() == 0, (ui, name)
            assert shown.locator(ACTING).count() == 0, (ui, name)
            assert witness.saw_nothing_act(), (ui, name, witness.dialogs)


def test_the_report_file_does_not_act(browser: Browser, watched: Watched) -> None:
    page = browser.new_page()
    page.set_default_timeout(120_000)
    witness = Witness(page)
    file = watched.reports / "report.html"
    page.goto(file.as_uri())
    for folded in page.locator("details").all():
        folded.evaluate("e => { e.open = true }")
    page.wait_for_timeout(1000)
    assert "alert(1)" in body_of(page)
    assert page.locator(LEADING).count() == page.locator(ACTING).count() == 0
    assert witness.saw_nothing_act(), witness.dialogs
    assert [url for url in witness.asked if not url.startswith(("file:", "data:"))] == []


def test_the_witness_is_not_blind(browser: Browser) -> None:
    page = browser.new_page()
    witness = Witness(page)
    page.set_content(f"<img src='http://{HOST}/p.png' onerror='alert(1)'><a href='http://{HOST}'>x</a>")
    page.wait_for_timeout(1000)
    assert witness.dialogs == ["1"]
    assert any(HOST in url for url in witness.asked)
    assert page.locator(LEADING).count() == 2
    assert page.locator(ACTING).count() == 1
