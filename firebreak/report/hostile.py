"""Names, tags and messages from Azure may be written by an attacker. Here they become plain text for each place they are shown in."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 160
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Only what could act: emphasis, code, links, tables, templates, autolinks, and what begins a heading, list or rule.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]|~@]|:(?=//)|(?<=www)\.|^[-+#=]", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)(?=[.)])")
_ESCAPED_SCHEME = re.compile(r"\\:(?=//)")
_ESCAPED_WWW = re.compile(r"(?<=www)\\\.", re.IGNORECASE)
# Full-width signs count as well; a semicolon or comma ends a cell where a spreadsheet was told so, quotes or not.
_FORMULA = re.compile(r"(^|[;,])([=+\-@\uff1d\uff0b\uff0d\uff20])")
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: object, longest: int = _LONGEST) -> str:
    """One line without control, format (bidirectional, zero-width) or surrogate characters; shortened in the middle.

    >>> plain("a\\x1b[31mb\\n")
    'a[31mb'
    """
    spaced = "".join(" " if c.isspace() else c for c in str(text))
    kept = " ".join("".join(c for c in spaced if unicodedata.category(c) not in _FORBIDDEN_CATEGORIES).split())
    if len(kept) <= longest:
        return kept
    half = (longest - 1) // 2
    return f"{kept[:half]}…{kept[-half:]}"


def markdown(text: object, longest: int = _LONGEST) -> str:
    """`plain`, with everything that Markdown, HTML, an autolink or a template could act on escaped.

    >>> markdown("<b>[x](http://e)|{{7}}")
    '&lt;b&gt;\\\\[x\\\\](http\\\\://e)\\\\|\\\\{\\\\{7\\\\}\\\\}'
    """
    escaped = _NUMBERED.sub(r"\1\\", _MARKDOWN.sub(lambda match: "\\" + match.group(0), plain(text, longest)))
    return "".join(_HTML.get(c, c) for c in escaped)


def without_links(page: str) -> str:
    """A page made with `markdown`, its foreign web addresses written as http[:]//x and www[.]x: some UIs link them in spite of escapes.

    >>> without_links(markdown("http://e www.e"))
    'http\\\\[:\\\\]//e www\\\\[.\\\\]e'
    """
    return _ESCAPED_WWW.sub(r"\\[.\\]", _ESCAPED_SCHEME.sub(r"\\[:\\]", page))


def csv_cell(text: object, longest: int = _LONGEST) -> str:
    """`plain`, with a leading quote where a spreadsheet would take the cell, or what it takes for the next cell, for a formula.

    >>> csv_cell("=1+1"), csv_cell("a;=1")
    ("'=1+1", "a;'=1")
    """
    return _FORMULA.sub(r"\1'\2", plain(text, longest))


def printable_json(document: bytes) -> str:
    """A JSON document as text whose strings have control and direction characters as \\u escapes: the same value, harmless in a terminal.

    >>> printable_json('{"a":"\u202eb"}'.encode())
    '{"a":"\\\\u202eb"}'
    """
    return "".join(_escaped(c) if _acts(c) else c for c in document.decode())


def _acts(character: str) -> bool:
    """Whether a terminal may act on it. Line feeds are the document's own: inside strings JSON has none."""
    if character.isascii():
        return character == "\x7f"
    return unicodedata.category(character) in _FORBIDDEN_CATEGORIES


def _escaped(character: str) -> str:
    """A character as JSON escapes; those beyond the first 65,536 are two."""
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
