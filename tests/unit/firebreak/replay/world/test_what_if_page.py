"""The what-if as a section of the report's HTML: names from Azure are text there, what is long is folded, and it stands at the end of the page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from firebreak.replay.world.aftermath import Again
from firebreak.replay.world.effects import Dependent, Effects, Stopped
from firebreak.replay.world.page import html_section, with_section
from firebreak.replay.world.result import Times, WhatIf

HOSTILE = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
RG = "/subscriptions/33333333-3333-4333-8333-333333333333/resourceGroups/rg"
VM = f"{RG}/providers/Microsoft.Compute/virtualMachines/{HOSTILE}"
BALANCER = f"{RG}/providers/Microsoft.Network/loadBalancers/{HOSTILE}"
AT = datetime(2026, 11, 20, 3, tzinfo=UTC)
TRIED = Again(
    at=AT,
    operation=f"Microsoft.Compute/{HOSTILE}/write",
    target=VM,
    caller=HOSTILE,
    then="succeeded",
    now="refused",
    because=HOSTILE,
)
TIMES = Times(
    to_block=1.0, to_contain=5.0, to_end=9.0, floor=0.0, writes=3, deletes=1, throttled=0, recorded_to_contain=None
)
DEPENDENT = Dependent(id=BALANCER, type="Microsoft.Network/loadBalancers", of=VM, how=HOSTILE, whose="legitimate")


def what_if(*, many: int = 1) -> WhatIf:
    return WhatIf(
        held={"by_name": {HOSTILE: 2}, "not_held": {HOSTILE: 1}},
        since=AT,
        mode="later",
        carried=(),
        effects=Effects(
            stopped=(Stopped(id=VM, type="Microsoft.Compute/virtualMachines", what="stopped", whose="legitimate"),),
            dependents=tuple(replace(DEPENDENT, of=f"{VM}-{number}") for number in range(many)),
            access=(),
        ),
        aftermath=(TRIED,),
        times=TIMES,
        money=None,
    )


def test_names_from_azure_are_text() -> None:
    page = html_section(what_if())
    assert "<img" not in page
    assert "\u202e" not in page
    assert "49" not in page
    assert page.count("&lt;img") >= 7  # each place shows the name


def test_what_was_the_customers_is_marked() -> None:
    page = html_section(what_if())
    assert '1 virtualMachines stopped, taken for: <span class="alarm">legitimate</span>' in page
    assert "Contained 5 s after the approval" in page


@pytest.mark.parametrize(("many", "folds"), [(20, 0), (21, 1)])
def test_long_lists_are_folded_and_whole(many: int, folds: int) -> None:
    page = html_section(what_if(many=many))
    assert page.count("<details>") == folds
    assert page.count("<td>loadBalancers</td>") == many


def test_it_stands_at_the_end_of_the_page_with_a_link_above() -> None:
    told = with_section('<nav><a href="#evidence">Evidence</a></nav><p>x</main></body></html>', what_if())
    assert told.startswith('<nav><a href="#what-if">What if</a> <a href="#evidence">')
    assert told.index('<h2 id="what-if">') < told.index("</main>")
    assert told.endswith("</main></body></html>")
