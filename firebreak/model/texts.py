"""How much of a text of others stands in a sentence, measured so that a redacted bundle is cut where the original was.

A pseudonym of a redacted bundle is as long as its word, but never shorter than `SHORTEST`. So a word counts as at least so many characters, and stands
whole or not at all unless it is longer than names are.
"""

from __future__ import annotations

import re
from typing import Final

SHORTEST: Final = 4
WORD: Final = re.compile(r"[^\W_]+")

_LONGEST_WHOLE = 40
_PIECE = re.compile(rf"{WORD.pattern}|.", re.DOTALL)


def cut(text: str, most: int) -> str:
    """Return `text`, or as much of it as counts `most` characters with the "…" at its end; `most` has room for two short words.

    >>> cut("worker-01 of the build farm", 20)
    'worker-01 of…'
    """
    if len(text) * SHORTEST <= most:  # nearly every name is so short
        return text
    counted, end = 0, 0
    for found in _PIECE.finditer(text):
        piece = found.group()
        counts = max(SHORTEST, len(piece)) if piece[0].isalnum() else 1
        if counted + counts > most or (counted + counts == most and found.end() < len(text)):
            if len(piece) > min(_LONGEST_WHOLE, most // 2):
                end = found.start() + most - 1 - counted
            return f"{text[:end].rstrip()}…"
        counted += counts
        if counted < most:
            end = found.end()
    return text
