"""Many texts in little room: ids as sixteen bytes, resource ids by their shared beginnings. Append, then read back by number.

A text of Python costs 50 bytes beside its letters; a log of a million events holds some millions of them.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

_DASHES = (8, 13, 18, 23)
_UUID = 36


class PackedIds:
    """Texts, most of which are UUIDs in Azure's spelling (lower case, with dashes); any other text is kept as it is."""

    def __init__(self) -> None:
        self._raw = bytearray()  # sixteen bytes of each: the UUID itself, or where its text lies and how long it is
        self._odd = bytearray()  # one byte of each: whether it is kept as a text
        self._texts = bytearray()
        self.some_odd = False  # whether any is kept as a text

    def __len__(self) -> int:
        return len(self._odd)

    def bytes_kept(self) -> int:
        return len(self._raw) + len(self._odd) + len(self._texts)

    def extend(self, texts: Sequence[str]) -> None:
        joined = "".join(texts)
        hexadecimal = joined.replace("-", "")
        if len(joined) == _UUID * len(texts) and all(joined[place::_UUID] == "-" * len(texts) for place in _DASHES):
            raw = _bytes_of(hexadecimal, 32 * len(texts))
            if raw is not None:
                self._raw += raw
                self._odd += bytes(len(texts))
                return
        for text in texts:
            self._append(text)

    def _append(self, text: str) -> None:
        if len(text) == _UUID and all(text[place] == "-" for place in _DASHES):
            raw = _bytes_of(text.replace("-", ""), 32)
            if raw is not None:
                self._raw += raw
                self._odd.append(0)
                return
        letters = text.encode("utf-8", "surrogatepass")
        self._raw += len(self._texts).to_bytes(8, "big") + len(letters).to_bytes(8, "big")
        self._texts += letters
        self._odd.append(1)
        self.some_odd = True

    def __getitem__(self, number: int) -> str:
        """The text of that number."""
        raw = self._raw[16 * number : 16 * number + 16]
        if self._odd[number]:
            start, length = int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big")
            return self._texts[start : start + length].decode("utf-8", "surrogatepass")
        found = raw.hex()
        return f"{found[:8]}-{found[8:12]}-{found[12:16]}-{found[16:20]}-{found[20:]}"

    def says(self, number: int) -> bool:
        """Whether the text of that number is not empty."""
        return not self._odd[number] or self._raw[16 * number + 8 : 16 * number + 16] != bytes(8)

    def halves(self) -> array[int]:
        """A number for each text, equal ones for equal texts: those of different ones may be equal too."""
        with memoryview(self._raw) as raw:
            return array("Q", raw.tobytes())[1::2]

    def differ(self, numbers: Sequence[int]) -> bool:
        """Whether the texts of those numbers are all different."""
        if not self.some_odd:
            with memoryview(self._raw) as raw, raw.cast("Q") as halves:
                if len({halves[2 * number + 1] for number in numbers}) == len(numbers):
                    return True
        return len(set(map(self.key, numbers))) == len(numbers)

    def key(self, number: int) -> int | str:
        """The same for equal texts, and for no others; quicker to have than the text."""
        if self._odd[number]:
            return self[number]
        return int.from_bytes(self._raw[16 * number : 16 * number + 16], "big")


def _bytes_of(hexadecimal: str, length: int) -> bytes | None:
    """The bytes of that many lower-case digits; None when it is anything else, which would not read back the same."""
    if len(hexadecimal) != length:
        return None
    try:
        raw = bytes.fromhex(hexadecimal)
    except ValueError:
        return None
    return raw if raw.hex() == hexadecimal else None


class PackedPaths:
    """Resource ids, taken apart at the last slash: what stands before it is shared by many."""

    def __init__(self) -> None:
        self._parents: list[str] = []
        self._numbers: dict[str, int] = {}
        self.parent_of = array("I")  # the number of what stands before the last slash, of each
        self._ends = array("Q", [0])
        self._leaves = bytearray()

    def __len__(self) -> int:
        return len(self.parent_of)

    def bytes_kept(self) -> int:
        """The room of what each has for itself, without what they share."""
        return len(self.parent_of) * self.parent_of.itemsize + len(self._ends) * self._ends.itemsize + len(self._leaves)

    def extend(self, paths: Sequence[str]) -> None:
        numbers, parent, ends = self._numbers, self.parent_of, self._ends
        leaves = self._leaves
        for path in paths:
            above, slash, leaf = path.rpartition("/")
            number = numbers.get(above + slash)
            if number is None:
                number = numbers[above + slash] = len(numbers)
                self._parents.append(above + slash)
            parent.append(number)
            leaves += leaf.encode("utf-8", "surrogatepass")
            ends.append(len(leaves))

    def __getitem__(self, number: int) -> str:
        return self._parents[self.parent_of[number]] + self.leaf(number)

    def folded_leaf(self, number: int) -> str | bytes:
        """The same for what differs in case alone, and for nothing else: what stands behind the last slash."""
        leaf = self._leaves[self._ends[number] : self._ends[number + 1]].lower()
        return bytes(leaf) if leaf.isascii() else self.leaf(number).lower()

    def leaf(self, number: int) -> str:
        return self._leaves[self._ends[number] : self._ends[number + 1]].decode("utf-8", "surrogatepass")

    @property
    def parents(self) -> Sequence[str]:
        """What stands before the last slash of any, by number, with that slash."""
        return self._parents
