"""Debian's Chromium for the browser tests, and where screenshots go: `SCREENSHOTS=docs/images pytest tests/browser`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = os.environ.get("SCREENSHOTS", "")  # read at import: the tests themselves get a clean environment
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@pytest.fixture
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}; on Debian: apt-get install chromium, or set CHROMIUM")
    with sync_playwright() as playwright:
        expect.set_options(timeout=45_000)  # a server beside other tests answers slowly
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield chromium
        chromium.close()


class Album:
    """Keeps screenshots when asked to, else does nothing."""

    def keep(self, page: Page, name: str) -> None:
        """One picture of what is visible; a size above 300 KB is an error, the README shows them."""
        if SCREENSHOTS:
            folder = Path(__file__).parents[2] / SCREENSHOTS
            folder.mkdir(parents=True, exist_ok=True)
            page.wait_for_timeout(800)
            picture = page.screenshot(path=folder / f"{name}.png")
            assert len(picture) < 300_000, f"{name}.png has {len(picture)} bytes"


@pytest.fixture
def album() -> Album:
    return Album()
