"""The shortest playbook that changes things: what an exercise takes when the course of a response matters and not each of its steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def small_playbook(
    name: str,
    *,
    reads: Sequence[str] = (),
    hunts: Sequence[str] = (),
    first: Sequence[str] = (),
    stops: Sequence[str] = (),
    deletes: Sequence[str] = (),
    closes: Sequence[str] = (),
    parameters: Mapping[str, Mapping[str, object]] | None = None,
) -> str:
    """A playbook (JSON, which is YAML) that investigates, contains at one gate and eradicates at a gate of two; with `closes` it ends at a third.

    `reads`, `stops` and `deletes` are steps beside those of every such playbook, `hunts` reads that need the attribution, `first` ones that stand before the block of new compute.
    """
    stages = [
        {
            "id": "investigate",
            "title": "Find out what happened",
            "steps": [
                "investigate.subscription",
                "investigate.activity_log",
                "investigate.access",
                "investigate.inventory",
                "investigate.unattached_disks",
                *reads,
                "investigate.attribution",
                *hunts,
            ],
        },
        {
            "id": "contain",
            "title": "Stop the attack",
            "gate": "containment",
            "steps": [
                *first,
                "contain.block_creation",
                "contain.remove_access",
                "contain.remove_locks",
                "contain.disable_autoscale",
                "contain.deallocate_machines",
                "contain.deallocate_scale_sets",
                *stops,
            ],
        },
        {
            "id": "eradicate",
            "title": "Remove what the attacker left",
            "gate": "eradication",
            "steps": ["eradicate.delete_unattached_disks", *deletes],
        },
    ]
    gates: dict[str, object] = {
        "containment": {"title": "Stop these?", "approvers": ["responder", "lead"]},
        "eradication": {"title": "Delete these?", "approvers": ["lead"], "required": 2, "confirm": True},
    }
    if closes:
        stages.append({"id": "close", "title": "Close", "gate": "closing", "steps": list(closes)})
        gates["closing"] = {"title": "Resolve the alert?", "approvers": ["responder", "lead"]}
    return json.dumps(
        {
            "id": name,
            "version": "1.0",
            "title": "Small",
            "description": "The shortest playbook that changes things.",
            "applies_to": ["*"],
            "stages": stages,
            "gates": gates,
            "parameters": dict(parameters or {}),
            "guard_rails": {"limits": {"max_actions": 3000, "max_share": 1, "max_per_hour": 100000, "max_regions": 60}},
        },
        indent=1,
    )
