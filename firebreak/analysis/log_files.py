"""Reads an activity log from a file in pieces: an object with a list of events, a list, one event a line, or a single event.

The file is never held as a whole where it is a list or lines. A piece that is cut out is a whole number of elements exactly when it decodes,
so a wrong guess at a boundary costs time and never an event.

    review_file(open("log.json", "rb"), "log.json", LogReview(strict=False))
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from firebreak.analysis.log_review import LogReview
from firebreak.analysis.logs import events_of
from firebreak.analysis.skim import Seen
from firebreak.analysis.uncollected import uncollected
from firebreak.errors import ContentError

PIECE = 1 << 18  # what is made of it stays within a processor's cache
_LONGEST_EVENT = 64 << 20
_TRIES = 40
_CLOSE = ord("]")
_TEXT = rb'"(?:[^"\\]|\\.)*+"'
_BEFORE = rb"(?:%b\s*:\s*(?:%b|[-+.\w]++)\s*,\s*)*+" % (
    _TEXT,
    _TEXT,
)  # what may stand before the list: a next link, a count
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[|\{\s*%b"(?:value|records|events)"\s*:\s*\[)\s*' % _BEFORE, re.DOTALL)
_AFTER = re.compile(rb"\]\s*\}?\s*")
_HINT = "Expected what Azure sent: a reply with its list `value`, exported records, or one event a line."


_quick_line = msgspec.json.Decoder(Seen)


def review_file(stream: BinaryIO, name: str, review: LogReview) -> None:
    """Take in all events of a file.

    Raises:
        ContentError: it is no JSON, or holds no events; the message has file, line and column.
    """
    with uncollected():
        _review(stream, name, review)


def _review(stream: BinaryIO, name: str, review: LogReview) -> None:
    head = stream.read(PIECE)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if not text:
        raise ContentError(f"{name} is empty.", hint=_HINT)
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        stripped = (head + stream.read()).decode("utf-16")
        _whole(stripped.encode(), name, review)
        return
    found = _HEAD.match(head)
    if _is_lines(text):
        _lines(stream, head, name, review)
    elif found:
        _Elements(stream, name, review).read(head, found.end())
    else:
        _whole(head + stream.read(), name, review)


def _whole(data: bytes, name: str, review: LogReview) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _broken(name, error, 1, 1) from error
    review.add(events_of(document))


def _is_lines(text: bytes) -> bool:
    first, _, rest = text.partition(b"\n")
    if not rest.strip():
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def _lines(stream: BinaryIO, data: bytes, name: str, review: LogReview) -> None:
    """One document a line; each may be an event or hold several."""
    line = 1
    while data:
        more = stream.read(PIECE)
        cut = data.rfind(b"\n") + 1 if more else len(data)
        if cut:
            _line_piece(data[:cut], line, name, review)
            line += data.count(b"\n", 0, cut)
        data = data[cut:] + more


def _line_piece(piece: bytes, line: int, name: str, review: LogReview) -> None:
    try:
        page = _quick_line.decode_lines(piece)
    except msgspec.MsgspecError:
        pass  # Not the REST form, or broken: the slow way tells.
    else:
        left = review.skim(page)
        if left:
            lines = [text for text in piece.split(b"\n") if text.strip()]
            review.add_left(len(page), {place: msgspec.json.decode(lines[place]) for place in left})
        return
    for number, text in enumerate(piece.split(b"\n")):
        if not text.strip():
            continue
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _broken(name, error, line + number, 1) from error
        review.add(events_of(document) if isinstance(document, (dict, list)) else [document])


class _Elements:
    """The elements of one list, piece by piece, in a buffer that is filled again and again."""

    def __init__(self, stream: BinaryIO, name: str, review: LogReview) -> None:
        self._stream, self._name, self._review = stream, name, review
        self._line = 1
        self._column = 1
        self._between = b""

    def read(self, data: bytes, start: int) -> None:
        self._advance(data[:start])
        data = data[start:]
        while not self._between:
            more = self._stream.read(PIECE)
            data += more
            if not more:
                self._rest(data)
                return
            data = self._first(data)
        self._others(data)

    def _first(self, data: bytes) -> bytes:
        """Read the first element alone: what stands behind it is what stands between elements."""
        text = data.decode("utf-8", "ignore")
        try:
            document, end = json.JSONDecoder().raw_decode(text)
        except ValueError as error:
            if len(data) < _LONGEST_EVENT:
                return data
            raise _broken(self._name, error, self._line, self._column) from error
        except RecursionError as error:
            raise _broken(self._name, error, self._line, self._column) from error
        used = len(text[:end].encode())
        key = re.match(rb'\s*,\s*\{\s*"[^"]{1,80}"', data[used : used + 400])
        if not key or data[used - 1 : used] != b"}":
            # The end of the list is near, or the list holds something else than objects: one by one.
            if len(data) < _LONGEST_EVENT and b"]" not in data[used : used + 8]:
                return data
            self._between = b"\x00"
            return data
        self._between = b"}" + key[0]
        self._review.add(events_of([document]))
        comma = data.index(b",", used) + 1
        self._advance(data[:comma])
        return data[comma:]

    def _others(self, data: bytes) -> None:
        # The first letter opens the list that every piece is; where a piece ends, its comma is made to close it.
        buffer = bytearray(b"[" + data)
        filled = len(buffer)
        while True:
            if len(buffer) < filled + PIECE:
                buffer += bytes(filled + PIECE - len(buffer))
            with memoryview(buffer) as whole, whole[filled:] as room:
                count = self._stream.readinto(room)  # type: ignore[attr-defined]  # every binary stream has it
            if not count:
                self._rest(bytes(buffer[1:filled]))
                return
            filled = self._most(buffer, filled + count)

    def _most(self, buffer: bytearray, filled: int) -> int:
        """Take in as many whole elements as there are, move what is left to the front, and return where it ends."""
        end = filled
        for _ in range(_TRIES):
            end = buffer.rfind(self._between, 1, end)
            if end < 0:
                break
            if self._take(buffer, end + 1):
                return self._move(buffer, buffer.index(b",", end) + 1, filled)
        if filled > _LONGEST_EVENT:
            left = self._one_by_one(bytes(buffer[1:filled]), last=False)
            buffer[1 : 1 + len(left)] = left
            return 1 + len(left)
        return filled

    def _move(self, buffer: bytearray, start: int, filled: int) -> int:
        if buffer.find(b"\n", 1, start) < 0:
            self._column += start - 1
        else:
            self._advance(bytes(buffer[1:start]))
        left = filled - start
        buffer[1 : 1 + left] = buffer[start:filled]
        return 1 + left

    def _take(self, buffer: bytearray, end: int) -> bool:
        """Take in the elements before `end`; False when they are none, so that the cut was wrong."""
        kept = buffer[end]
        buffer[end] = _CLOSE
        whole = memoryview(buffer)
        piece = whole[: end + 1]
        # Not by `with`: after an unexpected error its traceback still holds what was read of the piece, and a piece that is in use cannot
        # be let go. That refusal would be told in place of the error.
        found = self._taken(piece)
        piece.release()
        whole.release()
        buffer[end] = kept
        return found

    def _taken(self, piece: memoryview) -> bool:
        try:
            self._review.add_json(piece)
            return True
        except msgspec.ValidationError:
            pass  # Not the REST form, or nothing that is cut right: the slow way tells.
        except msgspec.DecodeError:
            return False
        try:
            found = msgspec.json.decode(piece)
        except msgspec.DecodeError:
            return False
        self._review.add(events_of(found))
        return True

    def _rest(self, data: bytes) -> None:
        left = self._one_by_one(data, last=True).lstrip()
        if left[:1] != b"]":
            error = ValueError("the list does not end")
            raise _broken(self._name, error, self._line, self._column, at_end=True) from error
        # Exports write several such objects, one behind the other.
        after = _AFTER.match(left)
        further = _HEAD.match(left, after.end()) if after else None
        if further:
            self._advance(left[: further.end()])
            self._rest(left[further.end() :])

    def _one_by_one(self, data: bytes, *, last: bool) -> bytes:
        """Read element after element with the plain parser: the tail of a file, and what the quick way does not understand."""
        text = data.decode("utf-8", "replace")
        decode = json.JSONDecoder().raw_decode
        skip: Callable[[str, int], Any] = re.compile(r"[\s,]*").match
        at = skip(text, 0).end()
        found: list[Any] = []
        while at < len(text) and text[at] != "]":
            try:
                document, at = decode(text, at)
            except (ValueError, RecursionError) as error:
                if last:
                    self._advance(text[:at].encode())
                    ended = getattr(error, "pos", 0) >= len(text.rstrip())
                    raise _broken(self._name, error, self._line, self._column, at_end=ended) from error
                break
            found.append(document)
            at = skip(text, at).end()
        self._review.add(events_of(found))
        self._advance(text[:at].encode())
        return text[at:].encode()

    def _advance(self, data: bytes) -> None:
        lines = data.count(b"\n")
        self._line += lines
        self._column = len(data) - data.rfind(b"\n") if lines else self._column + len(data)


def _broken(name: str, error: Exception, line: int, column: int, *, at_end: bool = False) -> ContentError:
    if isinstance(error, RecursionError):
        return ContentError(f"{name}:{line}:{column}: nested too deep to be an activity log.", hint=_HINT)
    said = str(error)
    if isinstance(error, json.JSONDecodeError):
        said = error.msg
        if line == 1 or error.lineno > 1:
            line, column = (error.lineno, error.colno) if line == 1 and column == 1 else (line, column)
    what = "the file ends in the middle" if at_end or "Unterminated" in said else f"this is no JSON: {said}"
    return ContentError(
        f"{name}:{line}:{column}: {what}.",
        hint="Everything before that place could be read. Fetch the file again, or cut it off there.",
    )
