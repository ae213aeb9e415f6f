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

from firebreak.analysis.logs import events_of
from firebreak.analysis.operations import LogReview
from firebreak.analysis.skim import Seen
from firebreak.errors import ContentError

PIECE = 1 << 20
_LONGEST_EVENT = 64 << 20
_TRIES = 40
_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[|\{\s*"(?:value|records|events)"\s*:\s*\[)\s*')
_AFTER = re.compile(rb"\]\s*\}?\s*")
_HINT = "Expected what Azure sent: a reply with its list `value`, exported records, or one event a line."


_quick = msgspec.json.Decoder(list[Seen])
_quick_line = msgspec.json.Decoder(Seen)


def review_file(stream: BinaryIO, name: str, review: LogReview) -> None:
    """Take in all events of a file.

    Raises:
        ContentError: it is no JSON, or holds no events; the message has file, line and column.
    """
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
        if review.skim(_quick_line.decode_lines(piece)):
            return
    except msgspec.MsgspecError:
        pass  # Not the REST form, or broken: the slow way tells.
    for number, text in enumerate(piece.split(b"\n")):
        if not text.strip():
            continue
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _broken(name, error, line + number, 1) from error
        review.add(events_of(document) if isinstance(document, (dict, list)) else [document])


class _Elements:
    """The elements of one list, piece by piece."""

    def __init__(self, stream: BinaryIO, name: str, review: LogReview) -> None:
        self._stream, self._name, self._review = stream, name, review
        self._line = 1
        self._column = 1
        self._between = b""

    def read(self, data: bytes, start: int) -> None:
        self._advance(data[:start])
        data = data[start:]
        at_end = False
        while True:
            more = b"" if at_end else self._stream.read(PIECE)
            at_end = not more
            data += more
            if at_end:
                self._rest(data)
                return
            if not self._between:
                data = self._first(data)
                continue
            data = self._most(data)

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

    def _most(self, data: bytes) -> bytes:
        """Take in as many whole elements as there are, and return what is left."""
        end = len(data)
        for _ in range(_TRIES):
            end = data.rfind(self._between, 0, end)
            if end < 0:
                break
            piece = data[: end + 1]
            if self._take(piece):
                comma = data.index(b",", end) + 1
                self._advance(data[:comma])
                return data[comma:]
        if len(data) > _LONGEST_EVENT:
            return self._one_by_one(data, last=False)
        return data

    def _take(self, piece: bytes) -> bool:
        piece = b"[" + piece + b"]"
        try:
            if self._review.skim(_quick.decode(piece)):
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
