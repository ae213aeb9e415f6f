"""Keyed pseudonyms that keep equality, case variants and order: words, GUIDs and addresses.

They are made in two goes over a bundle. First everything is collected; then pseudonyms are drawn from the key, sorted, and dealt out in the order of
what they stand for. So a list that was sorted by name is sorted by pseudonym the same way. They hold within one bundle.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Collection

from firebreak.redact.addresses import Addresses

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WIDTH = 6
_LONGEST = 60


class Pseudonyms:
    """One mapping. Until `settle` everything asked for is remembered and given back as it is; after it, replaced."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._settled = False
        self._words: dict[str, str] = {}
        self._guids: dict[str, str] = {}
        self._phones: dict[str, str] = {}
        self.addresses = Addresses(key)

    def word(self, token: str) -> str:
        """A run of letters and digits; in capitals if it was."""
        folded = token.casefold()
        if not self._settled:
            self._words[folded] = folded
            return token
        found = self._words.get(folded) or self._late(folded)
        if token.isupper():
            return found.upper()
        return found.capitalize() if token[:1].isupper() else found

    def guid(self, text: str) -> str:
        """A GUID with dashes, in the same case."""
        lowered = text.lower()
        if not self._settled:
            self._guids[lowered] = lowered
            return text
        found = self._guids.get(lowered)
        if found is None:
            found = self._guids[lowered] = str(uuid.UUID(bytes=self._chance(f"guid {lowered}")[:16], version=4))
        return found if text == lowered else found.upper()

    def address(self, text: str) -> str:
        """An IP address or network."""
        if not self._settled:
            self.addresses.note(text)
            return text
        return self.addresses.of(text)

    def phone(self, text: str) -> str:
        """A telephone number, however it is spaced."""
        digits = "".join(c for c in text if c.isdigit())
        if not self._settled:
            self._phones[digits] = ""
            return text
        drawn = str(int.from_bytes(self._chance(f"phone {digits}"), "big"))
        return f"+999{drawn[:8]}"

    def fix(self, token: str, pseudonym: str) -> None:
        """Give one token this pseudonym: it is derived from other things, and is to be derived from theirs."""
        self._words[token.casefold()] = pseudonym

    def _late(self, folded: str) -> str:
        """A word that was not met while collecting has no place in the order."""
        self._words[folded] = self._code(folded, 0) + self._filler(folded)
        return self._words[folded]

    def settle(self, avoid: Collection[str]) -> None:
        """Deal out the pseudonyms; no word becomes one of `avoid` or one that was collected."""
        taken = {*avoid, *self._words}
        drawn: set[str] = set()
        for word in self._words:
            turn = 0
            while (code := self._code(word, turn)) in taken:
                turn += 1
            taken.add(code)
            drawn.add(code)
        for word, code in zip(sorted(self._words), sorted(drawn), strict=True):
            self._words[word] = code + self._filler(word)
        guids = sorted(str(uuid.UUID(bytes=self._chance(f"guid {g}")[:16], version=4)) for g in self._guids)
        self._guids = dict(zip(sorted(self._guids), guids, strict=True))
        self.addresses.settle()
        self._settled = True

    @property
    def counts(self) -> dict[str, int]:
        """How many different things were replaced, by kind."""
        return {
            "words": len(self._words),
            "ids": len(self._guids),
            "addresses": sum(1 for _ in self.addresses.originals()),
            "telephone numbers": len(self._phones),
        }

    def table(self) -> dict[str, str]:
        """Pseudonym -> original, for whoever made the bundle; words in lower case."""
        found = {new: old for old, new in {**self._words, **self._guids}.items()}
        return found | {self.addresses.of(old): old for old in self.addresses.originals()}

    def _code(self, word: str, turn: int) -> str:
        number = int.from_bytes(self._chance(f"word {turn} {word}")[:8], "big")
        return "".join(_LETTERS[(number // 26**place) % 26] for place in range(_WIDTH))

    def _filler(self, word: str) -> str:
        missing = min(len(word), _LONGEST) - _WIDTH
        raw = self._chance(f"filler {word}") * 2
        return "".join(_LETTERS[raw[place] % 26] for place in range(max(0, missing)))

    def _chance(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode("utf-8", "surrogatepass"), hashlib.sha256)
