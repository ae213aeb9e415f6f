"""How actions speak to an approver at three in the morning: names, money and reasons in few words, without tricks in them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Final

from firebreak.model.facts import Judgement
from firebreak.model.texts import cut

SENTENCE: Final = 2000  # nothing the engine says is so long: what is listed in it is counted, and names in it are cut
_UNSAFE = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def plain(text: str, most: int = 120) -> str:
    """Return text of others on one line, without control and direction characters, cut to `most`."""
    shown = "".join(" " if unicodedata.category(c) in _UNSAFE else c for c in text)
    shown = re.sub(r"\s+", " ", shown).strip()
    return cut(shown, most)


def name_of(resource_id: str) -> str:
    """Return the last segment of an id, for titles."""
    return plain(resource_id.rstrip("/").rsplit("/", 1)[-1])


def group_of(resource_id: str) -> str:
    """Return the resource group in an id, "" when there is none. Never fails: one odd id must not end a whole step's planning."""
    parts = resource_id.split("/")
    return parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else ""


def per_hour(amount: Decimal | None, currency: str) -> str:
    """Return ", 3.40 USD per hour", or "" when the price is not known."""
    return "" if amount is None else f", {amount:.2f} {currency} per hour"


def reasons_of(judgement: Judgement, most: int = 4) -> tuple[str, ...]:
    """Return the strongest reasons that speak for the attacker, each with the events that prove it."""
    weighty = sorted((r for r in judgement.reasons if r.points > 0), key=lambda r: (-r.points, r.text))
    said = []
    for reason in weighty[:most]:
        proof = ", ".join(plain(event, 40) for event in reason.event_ids[:2])
        more = f" and {len(reason.event_ids) - 2} more" if len(reason.event_ids) > 2 else ""
        said.append(plain(reason.text, SENTENCE) + (f" (activity log {proof}{more})" if proof else ""))
    return tuple(said) or (f"Judged the attacker's with a score of {judgement.score}.",)


def slug(text: str, most: int = 40) -> str:
    """Return `text` as lower-case letters, digits and dashes: safe in any Azure name."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:most].strip("-") or "case"
