"""One token under its several names."""

from __future__ import annotations

import base64
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from firebreak.analysis.identity.tokens import names_of


@given(st.uuids(), st.uuids())
def test_names_meet_for_one_token_in_every_spelling_and_never_for_two(one: UUID, other: UUID) -> None:
    claim = base64.urlsafe_b64encode(one.bytes_le).decode().rstrip("=")
    spellings = [claim, str(one), str(one).upper(), base64.b64encode(str(one).encode()).decode()]
    assert all(names_of(spelling) & names_of(claim) for spelling in spellings)
    if one != other:
        foreign = base64.urlsafe_b64encode(other.bytes_le).decode().rstrip("=")
        swapped = {str(UUID(bytes=other.bytes_le)), str(UUID(bytes_le=other.bytes))}
        if str(one) not in swapped:
            assert not any(names_of(spelling) & names_of(foreign) for spelling in spellings)


@given(st.text(max_size=60))
def test_any_text_has_itself_as_name_and_nothing_falls_over(text: str) -> None:
    assert (text.strip() in names_of(text)) == bool(text.strip())


def test_case_counts_since_the_claim_is_case_sensitive() -> None:
    assert not names_of("AbCdEf-opaque") & names_of("abcdef-opaque")
