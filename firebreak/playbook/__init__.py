"""Playbooks from YAML: strict, with every error at its file, line and column. Out comes `firebreak.model.playbook.Playbook`.

    playbook = load_playbook(Path("playbooks/compromised-subscription.yaml"), steps={id: loaded.step, ...})

`read_playbook` gives the problems as values instead of raising; `find_playbooks` collects the shipped ones and a folder's;
`choose_playbook` picks the one for an alert type.
"""

from firebreak.playbook.library import choose_playbook, find_playbooks
from firebreak.playbook.loader import InvalidPlaybookError, load_playbook, read_playbook
from firebreak.playbook.shape import json_schema

__all__ = [
    "InvalidPlaybookError",
    "choose_playbook",
    "find_playbooks",
    "json_schema",
    "load_playbook",
    "read_playbook",
]
