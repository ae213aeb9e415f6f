"""A playbook of every shipped step that contains, evicts and gives back, in the order of a whole response: made from the shipped playbooks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

SHIPPED = ("identity-containment", "platform-compute", "compromised-subscription")
NAME = "whole-response"
# They need what the others read.
_LAST = tuple(
    f"investigate.{name}"
    for name in ("attribution", "intruders", "removals", "footholds", "listed_keys", "vaults", "burn_rate")
)
_ACCOUNTS = ("close-doors", "evict")
_LEFT_OUT = ("contain.cancel_entitlement", "recover.reactivate_entitlement", "harden.reduce_quota")


def _shipped() -> dict[str, Any]:
    return {name: YAML(typ="safe").load(files("playbooks").joinpath(f"{name}.yaml").read_text()) for name in SHIPPED}


def whole_response() -> str:
    """The playbook as JSON, which is YAML. Every step of the shipped playbooks once, but for the last resorts; new compute may be built again after it."""
    books = _shipped()
    steps = list(dict.fromkeys(step for book in books.values() for stage in book["stages"] for step in stage["steps"]))
    doors = {
        stage["id"]: list(stage["steps"])
        for stage in books["identity-containment"]["stages"]
        if stage["id"] in _ACCOUNTS
    }
    placed = {step for chosen in doors.values() for step in chosen} | set(_LEFT_OUT)
    free = [step for step in steps if step not in placed]
    reads = [step for step in free if step.startswith("investigate.")]
    # Azure refuses to change what is of a denied type, so pools are stopped first.
    stops = ("contain.stop_batch_pools", "contain.stop_machine_learning")
    back = [step for step in free if step.startswith(("contain.restore_", "recover.")) and "lift_block" not in step]
    contain = [step for step in free if step.startswith("contain.") and step not in back]
    stages = [
        _stage("investigate", [*(step for step in reads if step not in _LAST), *(s for s in _LAST if s in reads)]),
        _stage("close-doors", doors["close-doors"], 2),
        _stage("evict", doors["evict"], two=True),
        _stage("contain", [*stops, *(step for step in contain if step not in stops)], 2),
        _stage("eradicate", [step for step in free if step.startswith("eradicate.")], 2, two=True),
        _stage("give-back", back),
        _stage("recover", ["recover.lift_block"]),
    ]
    parameters = dict(books["platform-compute"]["parameters"]) | {"recover.lift_block": {"lift": True}}
    return json.dumps(
        {
            "id": NAME,
            "version": "1.0",
            "title": "A whole response",
            "description": "Every shipped step, in one run.",
            "applies_to": ["*"],
            "stages": [stage for stage, _ in stages],
            "gates": {gate["id"]: gate["form"] for _, gate in stages if gate},
            "parameters": parameters,
            "guard_rails": {"limits": {"max_actions": 3000, "max_share": 1, "max_per_hour": 100000, "max_regions": 60}},
        },
        indent=1,
    )


def _stage(
    name: str, steps: Iterable[str], rounds: int = 1, *, two: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    stage: dict[str, Any] = {"id": name, "title": name, "steps": list(steps)}
    if name == "investigate":
        return stage, {}
    stage["gate"] = name
    if rounds > 1:
        stage["rounds"] = rounds
    form: dict[str, Any] = {"title": f"{name}?", "approvers": ["responder", "lead"]}
    return stage, {"id": name, "form": form | ({"required": 2, "confirm": True} if two else {})}
