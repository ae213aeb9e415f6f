"""What a seed changes in a scenario's script: who is hit, in which order and at what pace, which steps there are, how many of everything.

A script says what may vary: a list of actors is a choice, `maybe` a probability, `addresses: [1, 3]` and `regions: [2, 4]` are ranges, steps with
`any_order` change places, `tempo` stretches all times. Script and chance in, a script without choices out.
"""

from __future__ import annotations

from typing import Any

from azure_simulator.chance import Chance
from azure_simulator.world import Document

_JITTER = 0.04  # by how much of its time a step is early or late; too little to overtake the next


def chosen(script: Document, chance: Chance) -> Document:
    """One variation of a script; a script without choices comes back as it is."""
    attackers = {kind: _attacker(row, chance.child(kind)) for kind, row in script["attackers"].items()}
    victim = next((row["actor"] for row in attackers.values() if "actor" in row), "")
    regions = script.get("regions")
    tempo = _tempo(script, chance.child("tempo"))
    return {
        **script,
        "attackers": attackers,
        "regions": chance.child("regions").randint(*regions) if isinstance(regions, list) else regions,
        "hides": chance.child("hides").random() < script.get("hides", 0),
        "home_too": chance.child("home too").random() < script.get("home_too", 0),
        "steps": _steps(script, chance.child("steps"), victim, tempo),
        "identity": [
            {**row, "after": row["after"] * tempo} if "after" in row else dict(row)
            for row in script.get("identity", ())
        ],
        "legitimate": [
            _without_choice(row, chance, victim)
            for number, row in enumerate(script["legitimate"])
            if chance.child(f"legitimate {number}").random() < row.get("maybe", 1)
        ],
    }


def _attacker(row: Document, chance: Chance) -> Document:
    found = dict(row)
    if isinstance(row.get("actor"), list):
        found["actor"] = chance.choice(row["actor"])
    for key in ("addresses", "jobs"):
        if isinstance(row.get(key), list):
            found[key] = chance.randint(*row[key])
    found["second_factor"] = chance.random() < row.get("second_factor", 0)
    return found


def _tempo(script: Document, chance: Chance) -> float:
    low, high = script.get("tempo", (1, 1))
    return float(low + (high - low) * chance.random())


def _steps(script: Document, chance: Chance, victim: str, tempo: float) -> list[Document]:
    kept = [dict(row) for row in script["steps"] if chance.random() < row.get("maybe", 1)]
    movable = [row for row in kept if row.get("any_order")]
    times = [row["after"] for row in movable]
    chance.shuffle(times)
    for row, after in zip(movable, times, strict=True):
        row["after"] = after
    for row in kept:
        if "tempo" in script:
            row["after"] = row["after"] * tempo * (1 + _JITTER * (2 * chance.random() - 1))
        if len(row.get("sizes", ())) > 1 and "tempo" in script:
            row["sizes"] = chance.sample(row["sizes"], len(row["sizes"]))
    if kept:
        # The attack begins with its first step, also where the one that the script has there was left out.
        min(kept, key=lambda row: float(row["after"]))["after"] = 0
    return [_without_choice(row, chance, victim) for row in kept]


def _without_choice(row: Document, chance: Chance, victim: str) -> Document:
    """A row with its names settled: a list of actors is a choice, `victim` is whoever was hit; by name that one is in no list."""
    found: dict[str, Any] = dict(row)
    if "of" in found:
        found["of"] = [name for name in found["of"] if name != victim]
    if found.get("by") == "victim":
        found["by"] = victim
    elif isinstance(found.get("by"), list):
        names = [victim if name == "victim" else name for name in found["by"] if name != victim]
        found["by"] = chance.child(f"by {found['do']}").choice(names)
    return found
