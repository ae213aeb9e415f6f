"""Whatever an attacker writes into a name is shown as that text, and nothing else happens."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from firebreak.report.hostile import csv_cell, markdown, plain

HOSTILE = st.text(alphabet=st.sampled_from("ab1 .:/\\`*_{}[]()#+-!|<>~&$@='\"\n\t\x1b\u202e%"), max_size=60) | st.text(
    max_size=60
)
RENDERER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


# What the newer UI makes links of, after escapes are undone and nowhere but in text: GFM's autolink literals and the www of any case.
LINKED = re.compile(r"https?://|www\.|[-.\w+]@[-\w]+\.[-\w]", re.IGNORECASE)
ADDRESSES = st.lists(
    st.sampled_from(
        [
            "a",
            "B_c",
            "+",
            "-",
            ".",
            "@",
            "@",
            "://",
            "http",
            "www",
            "WWW.",
            " ",
            "`",
            "\\",
            "*",
            "|",
            "é",
            "contoso.example",
        ]
    ),
    max_size=14,
).map("".join)


def unbroken(text: str) -> str:
    """The text with broken web addresses put together again."""
    return re.sub(r"(?<=www)\[\.\]", ".", text.replace("[:]//", "://"), flags=re.IGNORECASE)


def read(rendered: str) -> str:
    """What a person copies from a page."""
    return unbroken(html.unescape(re.sub("</?code>", "", rendered)))


@given(HOSTILE | ADDRESSES)
@example("<img src=x onerror=alert(1)>")
@example("[click](javascript:alert(1))")
@example("http://evil.example/?a=b&c=d")
@example("1. a")
@example("--- ")
@example("&lt;b&gt;")
@example("`a@b.example`|c@d.example\\")
def test_markdown_renders_as_the_text_in_a_table_cell(text: str) -> None:
    rendered = RENDERER.render(f"| x |\n|---|\n| .{markdown(text)} |\n")
    cell = re.search(r"<td>(.*?)</td>", rendered, re.DOTALL)
    assert cell is not None
    assert read(cell.group(1)) == unbroken(("." + plain(text)).strip())


@given(HOSTILE | ADDRESSES)
@example("12) a")
@example("1. a")
@example("# a")
@example("-a@b.example")
@example("0@0.@0")
def test_markdown_at_the_start_of_a_list_item_stays_one_item(text: str) -> None:
    rendered = RENDERER.render(f"- {markdown(text)}!\n")
    assert read(rendered) == f"<ul>\n<li>{unbroken(plain(text))}!</li>\n</ul>\n"


@given(HOSTILE | ADDRESSES)
@example("a@b.example")
@example("x_y+z@contoso.onmicrosoft.com.")
@example("www")
@example("a@www.b.example and www.b.example")
@example("see HTTPS://WWW.evil.example")
def test_no_text_is_left_that_an_interface_makes_a_link_of(text: str) -> None:
    for page in (f"# {markdown(text)}.", f"- by **{markdown(text)}**. Then", f"| x |\n|---|\n| {markdown(text)} |\n"):
        shown = [c.content for token in RENDERER.parse(page) for c in token.children or () if c.type == "text"]
        assert not [part for part in shown if LINKED.search(part)], shown


@pytest.mark.parametrize("text", ["http://e.example", "www.e.example", "ftp://e.example"])
def test_web_addresses_are_broken_where_they_can_be_read(text: str) -> None:
    assert re.sub(r"[\[\]]", "", RENDERER.renderInline(markdown(text))) == text
    assert re.search(r"\[[:.]\]", RENDERER.renderInline(markdown(text)))


@pytest.mark.parametrize("address", ["kim@contoso.example", "k_i.m+1@contoso.onmicrosoft.com", "k__m@contoso.example"])
@pytest.mark.parametrize("around", ["{}", "by {}, twice", "({})", "**{}**", "a|{}`"])
def test_a_mail_address_can_be_copied_as_it_is(address: str, around: str) -> None:
    assert f"<code>{address}</code>" in RENDERER.renderInline(markdown(around.format(address)))


@given(HOSTILE)
def test_plain_is_one_line_without_control_or_direction_characters(text: str) -> None:
    shown = plain(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]", shown)
    assert len(shown) <= 160


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1"])
def test_a_formula_is_quoted_in_csv(text: str) -> None:
    assert csv_cell(text).startswith("'")


def test_long_names_are_shortened_in_the_middle_and_keep_both_ends() -> None:
    assert plain("a" * 300 + "end", 21) == "aaaaaaaaaa…aaaaaaaend"
