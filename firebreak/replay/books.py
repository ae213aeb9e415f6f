"""Which playbook a bundle is replayed with: one that is named, one of the same id from a folder, or that of then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from firebreak.bundle import Bundle
from firebreak.errors import ContentError
from firebreak.model.playbook import Playbook
from firebreak.model.step import LoadedStep
from firebreak.playbook import find_playbooks, load_playbook

Chosen = Mapping[str, Playbook] | Playbook | None
_YAML = (".yaml", ".yml")


def playbooks_named(named: str, steps: Mapping[str, LoadedStep], home: Path) -> Chosen:
    """The playbook to replay with, or several by id; None for that of each bundle, when nothing is named.

    `named` is a file, a folder of playbooks, or the id of one that is shipped or in `<home>/playbooks`.

    Raises:
        ContentError, PlaybookError: it is not there, or does not load.
    """
    if not named:
        return None
    declared, path = {name: loaded.step for name, loaded in steps.items()}, Path(named)
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.suffix in _YAML]
        books = [load_playbook(file.read_bytes(), file=str(file), steps=declared) for file in files]
        if not books:
            raise ContentError(f"There is no playbook in {named}.", hint="A folder of playbooks holds .yaml files.")
        return {book.id: book for book in books}
    if path.suffix in _YAML or path.is_file():
        try:
            return load_playbook(path.read_bytes(), file=named, steps=declared)
        except OSError as error:
            raise ContentError(f"{named}: {error.strerror}.", hint="Name a playbook file.") from error
    known = find_playbooks(home / "playbooks", steps=declared)
    if named not in known:
        raise ContentError(
            f"There is no playbook {named!r}.", hint=f"Name a file or folder, or one of: {', '.join(known)}."
        )
    return known[named]


def book_for(bundle: Bundle, chosen: Chosen) -> Playbook | None:
    """The playbook for this bundle, None for its own of then."""
    return chosen.get(bundle.head.playbook.id) if isinstance(chosen, Mapping) else chosen
