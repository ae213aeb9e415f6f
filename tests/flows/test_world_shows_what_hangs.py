"""What-if on a record of the network: the load balancer, the public address and the interface that hang on a machine are told when it stops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from azure_simulator.services.network import models as network
from azure_simulator.world import Document, World
from firebreak.engine import Question
from tasks.contain.deallocate_machines import DEALLOCATE
from tests.support.recorded import record, small_world

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
TOP = Path(__file__).parents[2]
CHANGED = 2


def only_containment(question: Question) -> str:
    return "skip" if question.view.optional else "reject" if question.view.stage == "eradicate" else "approve"


def behind_the_customers_balancer(world: World) -> tuple[Document, Document, Document]:
    """The customer's load balancer leads to a machine of the attacker's that has a public address of its own, too."""
    (balancer,) = world.resources.of_type(network.LOAD_BALANCER)
    rogue = {name.lower() for name in world.truth["rogue"]}
    for interface in world.resources.of_type(network.INTERFACE):
        addresses = network.addresses(world, interface)
        if interface["id"].lower() in rogue and addresses:
            pool = balancer["properties"]["backendAddressPools"][0]
            configuration = interface["properties"]["ipConfigurations"][0]
            configuration["properties"]["loadBalancerBackendAddressPools"] = [{"id": pool["id"]}]
            network.fill_pools(world, {pool["id"].lower()})
            return balancer, interface, addresses[0]
    raise AssertionError("no machine of the attacker's has a public address")


def what_if(bundle: Path) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from firebreak.cli.main import main; main()",
            "replay",
            str(bundle),
            "--world",
            "--json",
        ],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP), "HOME": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode in (0, CHANGED), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["what_if"]
    return found


def test_what_hangs_on_a_stopped_machine_is_told(tmp_path: Path) -> None:
    world = small_world("crypto-mining")
    balancer, interface, address = behind_the_customers_balancer(world)
    machine = interface["properties"]["virtualMachine"]["id"].lower()
    bundle, ran = record(world, tmp_path, decide=only_containment)
    stops = {row.action.target.lower(): row.action for row in ran.dossier.actions if row.action.kind == DEALLOCATE}
    stop = stops[machine]
    assert f"Public address: {address['properties']['ipAddress']}." in stop.reasons
    assert any(said.startswith(f"Behind the load balancer: {balancer['name']} (") for said in stop.reasons)
    told = what_if(bundle)
    assert {one["id"].lower(): one["what"] for one in told["stops"]}[machine] == "stopped"
    hung = {one["id"].lower(): one for one in told["dependents"] if one["of"].lower() == machine}
    assert {balancer["id"].lower(), interface["id"].lower(), address["id"].lower()} <= set(hung)
    assert hung[balancer["id"].lower()]["whose"] == "legitimate"
    assert "backendIPConfigurations" in hung[balancer["id"].lower()]["how"]
    kinds = {kind.lower() for kind in told["world"]["by_name"]}
    assert not kinds & {kind.lower() for kind in (network.INTERFACE, network.PUBLIC_ADDRESS, network.LOAD_BALANCER)}
