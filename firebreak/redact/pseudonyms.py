"""Keyed pseudonyms that keep equality, case variants, length and order: words, GUIDs and addresses.

They are made in two goes over a bundle. First everything is collected; then pseudonyms are drawn from the key, sorted, and dealt out in the order of
what they stand for. So a list that was sorted by name is sorted by pseudonym the same way. A word of fewer than `SHORTEST` letters gets that many, or
there would not be enough of them. They hold within one bundle.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import uuid
from collections.abc import Collection

from firebreak.model.texts import SHORTEST
from firebreak.redact.addresses import Addresses

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROOM = 8  # so many beginnings for each word, or drawing them takes long


class Pseudonyms:
    """One mapping. Until `settle` everything asked for is remembered and given back as it is; after it, replaced."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._settled = False
        self._words: dict[str, str] = {}
        self._guids: dict[str, str] = {}
        self._phones: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self.hints: dict[str, str] = {}  # of numbers and addresses, as Firebreak shows them
        self._width = SHORTEST
        self._beginnings: set[str] = set()
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

    def token_id(self, text: str) -> str:
        """An access token's id, which is a GUID in 22 characters of base64 and is compared in both spellings."""
        old = str(uuid.UUID(bytes_le=base64.urlsafe_b64decode(text + "==")))
        new = base64.urlsafe_b64encode(uuid.UUID(self.guid(old)).bytes_le).decode().rstrip("=")
        self._tokens[new] = text
        return new

    def address(self, text: str) -> str:
        """An IP address or network."""
        if not self._settled:
            self.addresses.note(text)
            return text
        return self.addresses.of(text)

    def phone(self, text: str) -> str:
        """A telephone number: other digits, spaced as it was."""
        digits = "".join(c for c in text if c.isdigit())
        if not self._settled:
            self._phones[digits] = ""
            return text
        drawn = itertools.cycle(f"999{int.from_bytes(self._chance(f'phone {digits}'), 'big')}")
        new = "".join(next(drawn) if c.isdigit() else c for c in text)
        self._tokens[new] = text
        return new

    def fix(self, token: str, pseudonym: str) -> None:
        """Give one token this pseudonym: it is derived from other things, and is to be derived from theirs."""
        self._words[token.casefold()] = pseudonym

    def _late(self, folded: str) -> str:
        """A word that was not met while collecting has no place in the order."""
        self._words[folded] = self._whole(folded, self._beginning(folded, self._beginnings), self._beginnings)
        return self._words[folded]

    def settle(self, avoid: Collection[str]) -> None:
        """Deal out the pseudonyms; no word becomes one of `avoid` or one that was collected."""
        taken = {*avoid, *self._words}
        self._beginnings = set(taken)
        while len(_LETTERS) ** self._width < _ROOM * len(self._words):
            self._width += 1
        drawn = [self._beginning(word, self._beginnings) for word in self._words]
        for word, beginning in zip(sorted(self._words), sorted(drawn), strict=True):
            self._words[word] = self._whole(word, beginning, taken)
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
        """Pseudonym -> original, for whoever made the bundle; words in lower case, ids of tokens and telephone numbers as they were met."""
        found = {new: old for old, new in {**self._words, **self._guids, **self.hints}.items()} | self._tokens
        return found | {self.addresses.of(old): old for old in self.addresses.originals()}

    def _beginning(self, word: str, taken: set[str]) -> str:
        drawn = (self._letters(f"word {turn} {word}", self._width) for turn in itertools.count())
        found = next(one for one in drawn if one not in taken)
        taken.add(found)
        return found

    def _whole(self, word: str, beginning: str, taken: Collection[str]) -> str:
        """`beginning`, which no other pseudonym has, with letters up to the length of the word."""
        missing = len(word) - len(beginning)
        if missing <= 0:
            return beginning
        drawn = (beginning + self._letters(f"rest {turn} {word}", missing) for turn in itertools.count())
        return next(one for one in drawn if one not in taken)

    def _letters(self, what: str, many: int) -> str:
        return "".join(_LETTERS[byte % 26] for byte in hashlib.shake_256(self._chance(what)).digest(many))

    def _chance(self, what: str) -> bytes:
        return hmac.digest(self._key, what.encode("utf-8", "surrogatepass"), hashlib.sha256)
