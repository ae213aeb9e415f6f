"""Addresses in Prefect's UI, as people reach it. The older and the newer UI have addresses of their own, and neither leads to the other's pages."""

from __future__ import annotations

from prefect.context import get_settings_context

from firebreak.report.messages import Link
from firebreak.settings import Settings


def ui_address(settings: Settings) -> str:
    """Where the UI is: what the settings say, else what Prefect's own do; "" when neither knows."""
    found = settings.notify.ui_url or str(get_settings_context().settings.ui_url or "")
    return found.rstrip("/").removesuffix("/v2")


def run_links(settings: Settings, run: str) -> list[Link]:
    """The page of a flow run in both UIs, and where the button to answer is."""
    base = ui_address(settings)
    if not run or not base:
        return []
    return [
        Link("Open in Prefect (Resume is at the top right)", f"{base}/runs/flow-run/{run}"),
        Link("The same in the newer UI (Resume is in the menu)", f"{base}/v2/runs/flow-run/{run}"),
    ]
