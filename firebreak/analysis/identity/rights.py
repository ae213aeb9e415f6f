"""What leads to everything else in a directory: roles and rights of applications. The lists are data, in `playbooks/detections/directory_rights.json`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources

import msgspec

_SEPARATORS = re.compile(r"[\s,;\[\]\"'{}]+")


class _Data(msgspec.Struct, frozen=True):
    full: dict[str, str]
    privileged: dict[str, str]
    strong_rights: frozenset[str]
    harmless_rights: frozenset[str]


@lru_cache(maxsize=1)
def _data() -> _Data:
    text = (resources.files("playbooks") / "detections" / "directory_rights.json").read_bytes()
    found = msgspec.json.decode(text, type=_Data)
    return _Data(
        full=found.full,
        privileged=found.privileged,
        strong_rights=frozenset(right.lower() for right in found.strong_rights),
        harmless_rights=frozenset(right.lower() for right in found.harmless_rights),
    )


def role_name(template_id: str) -> str:
    """The name of a built-in role that matters, "" for others."""
    data, wanted = _data(), template_id.lower()
    return data.full.get(wanted) or data.privileged.get(wanted, "")


def is_full(role: str) -> bool:
    """Whether a directory role, by template id or name, leads to every other one."""
    return _is_in(_data().full, role)


def is_privileged(role: str) -> bool:
    """Whether a directory role, by template id or name, rules sign-ins, policies, applications or roles."""
    return is_full(role) or _is_in(_data().privileged, role)


def is_strong(right: str) -> bool:
    """Whether a right of an application leads to roles, applications, sign-in methods, mail or files of everybody."""
    return right.lower() in _data().strong_rights


def is_harmless(right: str) -> bool:
    return right.lower() in _data().harmless_rights


def rights_in(text: str) -> tuple[str, ...]:
    """The rights that a text of the audit log names, strong ones first: `Scope: Mail.Read offline_access` and the like."""
    words = dict.fromkeys(
        word for word in _SEPARATORS.split(text) if is_strong(word) or is_harmless(word) or "." in word
    )
    return tuple(sorted(words, key=lambda word: (not is_strong(word), word.lower())))


def strongest(rights: Iterable[str]) -> str:
    """strong, some or harmless, by the strongest right; "" when there is none."""
    known = list(rights)
    if any(is_strong(right) for right in known):
        return "strong"
    return "" if not known else "harmless" if all(is_harmless(right) for right in known) else "some"


def _is_in(roles: dict[str, str], role: str) -> bool:
    wanted = role.strip().lower()
    # The old directory called the first of them so, and the audit log at times still does.
    wanted = {"company administrator": "global administrator"}.get(wanted, wanted)
    return wanted in roles or wanted in {name.lower() for name in roles.values()}
