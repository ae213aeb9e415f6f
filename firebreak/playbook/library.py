"""Where playbooks are found, and which one answers an alert."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from firebreak.errors import PlaybookError
from firebreak.model.playbook import Playbook
from firebreak.model.step import Step
from firebreak.playbook.loader import load_playbook

SHIPPED = "playbooks"


def find_playbooks(folder: Path | None = None, *, steps: Mapping[str, Step] | None = None) -> dict[str, Playbook]:
    """Return the shipped playbooks and those of `folder` by id, in the order of ids; one of `folder` replaces a shipped one of the same id.

    Raises:
        PlaybookError: one of them does not load, or two files of one place have the same id.
    """
    shipped = {
        entry.name: entry.read_bytes()
        for entry in resources.files(SHIPPED).iterdir()
        if entry.is_file() and entry.name.endswith((".yaml", ".yml"))
    }
    own = {}
    if folder is not None and folder.is_dir():
        own = {str(path): path.read_bytes() for path in folder.iterdir() if path.suffix in (".yaml", ".yml")}
    found = _load_all({f"{SHIPPED}/{name}": data for name, data in shipped.items()}, steps) | _load_all(own, steps)
    return dict(sorted(found.items()))


def _load_all(files: dict[str, bytes], steps: Mapping[str, Step] | None) -> dict[str, Playbook]:
    found: dict[str, Playbook] = {}
    origin: dict[str, str] = {}
    for name in sorted(files):
        playbook = load_playbook(files[name], file=name, steps=steps)
        if playbook.id in found:
            message = f"Playbook id {playbook.id!r} is already taken by {origin[playbook.id]}."
            raise PlaybookError(message, file=name, line=1, column=1, hint="Rename one.")
        found[playbook.id], origin[playbook.id] = playbook, name
    return found


def choose_playbook(alert_type: str, playbooks: Mapping[str, Playbook]) -> Playbook:
    """Return the playbook whose `applies_to` fits best: the exact type, else the longest prefix ending in `*`. Case does not matter.

    Raises:
        PlaybookError: none fits; a playbook that applies to `*` takes every type.
    """
    wanted = alert_type.strip().lower()
    best: tuple[int, str] | None = None
    for name in sorted(playbooks):
        for pattern in (p.lower() for p in playbooks[name].applies_to):
            prefix = pattern.removesuffix("*")
            fits = wanted.startswith(prefix) if pattern.endswith("*") else wanted == pattern
            weight = len(prefix) if pattern.endswith("*") else 10**6
            if fits and (best is None or weight > best[0]):
                best = (weight, name)
    if best is None:
        raise PlaybookError(
            f"No playbook applies to alert type {alert_type!r}.",
            hint="Name one with --playbook, or add applies_to: ['*'].",
        )
    return playbooks[best[1]]
