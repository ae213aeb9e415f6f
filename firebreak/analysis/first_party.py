"""Microsoft's own applications: what they do of themselves is nobody's deed. The list is data, in `playbooks/detections/first_party.json`."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import msgspec


def first_party(app_id: str, caller: str) -> str:
    """The name of the Microsoft application that acted by itself, else "".

    An application that acts for a signed-in user has the user's name as caller: then it was the user.
    """
    return "" if "@" in caller else _applications().get(app_id.lower(), "")


@lru_cache(maxsize=1)
def _applications() -> dict[str, str]:
    text = (resources.files("playbooks") / "detections" / "first_party.json").read_bytes()
    found: dict[str, str] = msgspec.json.decode(text)["applications"]
    return found
