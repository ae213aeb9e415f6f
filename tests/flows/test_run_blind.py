"""Nothing found is not nothing there: a run that could not read the inventory stops, changes nothing, and goes on when it can."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from azure_simulator import build
from azure_simulator.faults import Fault
from azure_simulator.truth import score
from firebreak.errors import ResponseError
from tests.flows.room_in_process import alert_bytes, engine_room_of, go_on, respond_in, writes


@pytest.mark.slow  # two runs in one; single reads that fail are in the steps' cases
@pytest.mark.timeout(420)
def test_a_run_that_cannot_read_the_inventory_stops_and_a_later_run_reads_it(tmp_path: Path) -> None:
    world = build("service-principal-abuse", seed=7, now=datetime(2026, 11, 20, 3, tzinfo=UTC))
    fault = Fault(
        kind="status", method="GET", url=r"Microsoft\.Compute/virtualMachines\?", status=403, code="AuthorizationFailed"
    )
    world.faults.append(fault)
    with engine_room_of(world, tmp_path) as room:
        with pytest.raises(ResponseError, match=r"contain of INC-.* could not be planned") as caught:
            respond_in(room, world, alert_bytes(world))
        incident = room.store.incidents.list()[0].incident.id
        room.fail(incident, caught.value)
        assert f"firebreak respond --incident {incident}" in caught.value.hint
        assert writes(world) == []

        world.faults.remove(fault)
        ran = go_on(room, world, incident)
    assert ran.state == "done"
    assert score(world)["rogue_running"] == []
    assert score(world)["protected_touched"] == []
