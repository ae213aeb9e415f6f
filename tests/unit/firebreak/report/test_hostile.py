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


@given(HOSTILE)
@example("<img src=x onerror=alert(1)>")
@example("[click](javascript:alert(1))")
@example("http://evil.example/?a=b&c=d")
@example("1. a")
@example("--- ")
@example("&lt;b&gt;")
def test_markdown_renders_as_the_plain_text_in_a_table_cell(text: str) -> None:
    rendered = RENDERER.render(f"| x |\n|---|\n| a{markdown(text)} |\n")
    cell = re.search(r"<td>(.*?)</td>", rendered, re.DOTALL)
    assert cell is not None
    assert html.unescape(cell.group(1)) == ("a" + plain(text)).strip()


@given(HOSTILE)
@example("12) a")
@example("1. a")
@example("# a")
def test_markdown_at_the_start_of_a_list_item_stays_one_item(text: str) -> None:
    rendered = RENDERER.render(f"- {markdown(text)}x\n")
    assert html.unescape(rendered) == f"<ul>\n<li>{plain(text)}x</li>\n</ul>\n"


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
