"""The example test of the simulator's page is taken from the page and run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parent.parent.parent / "docs/guide/simulator.md").read_text(encoding="utf-8")


async def test_the_example_of_the_page_passes() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {"__name__": "simulator_page"}
    exec(compile(block, "docs/guide/simulator.md", "exec"), names)  # noqa: S102 - our own page
    await names["test_a_list_is_asked_for_again_after_a_503"]()
