"""A long document is printed as it is walked, and reads as any other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from firebreak.cli.output import print_json, print_long_json


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1234])
def test_a_long_document_is_printed_as_a_short_one_is(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"id": number, "name": "evil\u202e\x7f\U0010ffff\u2028]\n  ]\n}", "of": []} for number in range(count)]
    print_json({"first": [], "items": items, "last": {"a": None}})
    whole = capsys.readouterr().out
    print_long_json({"first": iter(()), "items": iter(items), "last": {"a": None}})
    assert capsys.readouterr().out == whole
    assert json.loads(whole)["items"] == items
    assert "\u202e" not in whole
    assert "\x7f" not in whole


def test_a_long_list_is_printed_while_it_is_walked(capsys: pytest.CaptureFixture[str]) -> None:
    written = []

    def items() -> Iterator[Any]:
        for number in itertools.count():
            if number == 2000:
                written.append(capsys.readouterr().out)
                return
            yield {"id": number}

    print_long_json({"items": items()})
    assert '"id": 1499' in written[0]
