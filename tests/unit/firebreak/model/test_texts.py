"""Texts of others are cut where the same text with pseudonyms is cut, so that a redacted bundle gives the same plans."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from firebreak.model.texts import SHORTEST, WORD, cut
from firebreak.redact.pseudonyms import Pseudonyms

NAMES = st.text(st.sampled_from("aB01 -_./|\u202e\u4e2d"), max_size=80)


@given(NAMES, st.integers(min_value=1, max_value=90))
def test_a_cut_text_is_short_enough_and_the_beginning_of_the_whole(text: str, most: int) -> None:
    told = cut(text, most)
    assert len(told) <= most
    assert told == text or (told.endswith("…") and text.startswith(told[:-1]))


@given(st.lists(NAMES, min_size=1, max_size=5), st.integers(min_value=2 * SHORTEST, max_value=90))
def test_a_text_with_pseudonyms_is_cut_at_the_same_word(texts: list[str], most: int) -> None:
    names = Pseudonyms(b"k" * 32)
    for text in texts:
        redacted(text, names)
    names.settle(frozenset())
    whole = {new: old for new, old in names.table().items() if len(old) >= SHORTEST}
    for text in texts:
        one, other = cut(text, most), cut(redacted(text, names), most)
        assert WORD.split(one) == WORD.split(other)
        for old, new in zip(WORD.findall(one.lower()), WORD.findall(other.lower()), strict=True):
            assert names.word(old) == new or any(w.startswith(new) and whole[w].startswith(old) for w in whole)


def redacted(text: str, names: Pseudonyms) -> str:
    return WORD.sub(lambda found: names.word(found.group()), text)


def test_names_as_azure_allows_them_are_shown_whole() -> None:
    for name in ("aks-nodepool1-12345678-vmss_000001", "rg-prod-weu-app-01-vm-01-nic-01-pip-a", "x" * 80):
        assert cut(name, 120) == name


def test_a_word_stands_whole_or_not_at_all_unless_it_fills_the_room() -> None:
    assert cut("worker-01 of the build farm", 20) == "worker-01 of…"
    assert cut("a" * 300, 10) == "a" * 9 + "…"
    assert cut("abcd", 4) == "abcd"
