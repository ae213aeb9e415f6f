"""JSON from strangers, read so that everybody reads the same: no key twice, no depth without end, no text that cannot be stored. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import AlertError, ScopeError
from firebreak.model.ids import ResourceId

LARGEST: Final = 1024 * 1024
DEEPEST: Final = 64
_HINT = "Save the alert as it came from its sender, as one JSON object in UTF-8."


def read_json(raw: bytes, place: str) -> Any:
    """Return the value in `raw`; secrets of known shapes are taken out of it, NUL characters are replaced.

    Raises:
        AlertError: too large, not JSON in UTF-8, a key twice in one object, nested too deep.
    """
    if len(raw) > LARGEST:
        raise AlertError(
            f"{place}: the alert is {len(raw):,} bytes; at most {LARGEST:,} are read.", hint="Is this the right file?"
        )
    try:
        value = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)
        _check_depth(value)
        # Titles and details go on every page; the raw bytes are kept beside.
        text = without_secrets(json.dumps(value)).replace("\\u0000", "\\ufffd")
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        # A half of a surrogate pair is in no text that can be stored.
        reason = "it holds half a character" if isinstance(exc, UnicodeEncodeError) else str(exc)[:200]
        raise AlertError(f"{place}: not JSON ({reason}).", hint=_HINT) from exc
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is there twice")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = inner


def is_resource_id(text: str) -> bool:
    """Whether a stranger's text is a plain Azure resource id."""
    try:
        ResourceId.parse(text)
    except ScopeError:
        return False
    return True
