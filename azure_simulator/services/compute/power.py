"""Power states: which there are, what a client is told of them, and what an operation makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from azure_simulator.world import Document


@dataclass(frozen=True)
class Change:
    """A power operation: the state while it runs, the state after it, and what listeners are told ("" for nothing)."""

    during: str
    after: str
    notice: str = ""


CHANGES = {
    "start": Change("starting", "running"),
    "restart": Change("running", "running"),
    "redeploy": Change("starting", "running"),
    "reimage": Change("starting", "running"),
    "powerOff": Change("stopping", "stopped", "stopped"),
    "deallocate": Change("deallocating", "deallocated", "stopped"),
}


def status(power: str) -> Document:
    """A power state as an instance view shows it."""
    return {"code": f"PowerState/{power}", "level": "Info", "displayStatus": f"VM {power}"}


def provisioning(state: str, time: str) -> Document:
    """A provisioning state as an instance view shows it."""
    return {
        "code": f"ProvisioningState/{state.lower()}",
        "level": "Info",
        "displayStatus": f"Provisioning {state.lower()}" if state in ("Succeeded", "Failed") else state,
        "time": time,
    }
