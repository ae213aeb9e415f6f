"""Names, tags and messages from Azure may be written by an attacker. Here they become plain text for each place they are shown in."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 160
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
# Only what could act: mail addresses, web addresses, what begins a heading, list or rule, emphasis, code, links, tables, templates, HTML.
# The newer UI looks for addresses in the text that is left when escapes are undone, so escapes alone do not stop it: a mail address becomes
# a code span, which nobody links and which is copied as it stands. https://github.github.com/gfm/#autolinks-extension-
_MARKDOWN = re.compile(
    r"(?P<code>(?:[-.\w+]+@[-\w]+(?:\.[-\w]+)*)+|www$)|(?P<broken>:(?=//)|(?<=www)\.)|^(?P<number>\d+)(?=[.)])"
    r"|[\\`*_{}\[\]|~@&<>]|^[-+#=]",
    re.IGNORECASE,
)
# Full-width signs count as well; a semicolon or comma ends a cell where a spreadsheet was told so, quotes or not.
_FORMULA = re.compile(r"(^|[;,])([=+\-@\uff1d\uff0b\uff0d\uff20])")
_BEYOND_ASCII = re.compile("[\x7f-\U0010ffff]")
# Underscores within a word are no emphasis anywhere, and names are full of them.
_ACTS_IN_CHAT = re.compile(r":(?=//)|(?<=\bwww)\.|[<>&*`~\[\]{}|\\@#]|(?<![^\W_])_|_(?![^\W_])", re.IGNORECASE)
_LOOK_ALIKE = dict(zip("<>&*`~[]{}|\\@#_", "‹›＆∗ˋ∼［］｛｝¦＼＠＃＿", strict=True))
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def plain(text: object, longest: int = _LONGEST) -> str:
    """One line without control, format (bidirectional, zero-width) or surrogate characters; shortened in the middle.

    >>> plain("a\\x1b[31mb\\n")
    'a[31mb'
    """
    kept = str(text)
    if not (kept.isascii() and kept.isprintable()):  # nearly every name is, and there are hundreds of thousands
        spaced = "".join(" " if c.isspace() else c for c in kept)
        kept = "".join(c for c in spaced if unicodedata.category(c) not in _FORBIDDEN_CATEGORIES)
    kept = " ".join(kept.split())
    if len(kept) <= longest:
        return kept
    half = (longest - 1) // 2
    return f"{kept[:half]}…{kept[-half:]}"


def markdown(text: object, longest: int = _LONGEST) -> str:
    """`plain`, with everything that Markdown, HTML or a template could act on escaped, and nothing left that a UI makes a link of.

    Web addresses read http[:]//x and www[.]x; mail addresses, which people copy, stay whole in a code span.

    >>> markdown("<b>[x](http://e)|{{7}}")
    '&lt;b&gt;\\\\[x\\\\](http\\\\[:\\\\]//e)\\\\|\\\\{\\\\{7\\\\}\\\\}'
    >>> markdown("by a_b@contoso.example")
    'by `a_b@contoso.example`'
    """
    return _MARKDOWN.sub(_harmless, plain(text, longest))


def _harmless(match: re.Match[str]) -> str:
    found = match.group(0)
    if match["code"]:
        return f"`{found}`"
    if match["broken"]:
        return f"\\[{found}\\]"
    if match["number"]:
        return f"{found}\\"
    return _HTML.get(found, f"\\{found}")


def inert(text: object, longest: int = _LONGEST) -> str:
    """`plain`, with look-alikes for every sign that a chat, a mail or a template could act on: nothing in it mentions, links or formats.

    For messages to people, where the escapes of one channel are the accidents of the next; the report has the name as it is.

    >>> inert("<!channel> [x](http://e) {{ 7 }} @all rg_prod_1")
    '‹!channel› ［x］(http(:)//e) ｛｛ 7 ｝｝ ＠all rg_prod_1'
    """
    return _ACTS_IN_CHAT.sub(lambda found: _LOOK_ALIKE.get(found[0], f"({found[0]})"), plain(text, longest))


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
    return _BEYOND_ASCII.sub(lambda found: _escaped(found[0]) if _acts(found[0]) else found[0], document.decode())


def _acts(character: str) -> bool:
    """Whether a terminal may act on it. Line feeds are the document's own: inside strings JSON has none."""
    if character.isascii():
        return character == "\x7f"
    return unicodedata.category(character) in _FORBIDDEN_CATEGORIES


def _escaped(character: str) -> str:
    """A character as JSON escapes; those beyond the first 65,536 are two."""
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
