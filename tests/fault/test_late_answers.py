"""An answer at the form of a suspended run is read when a process has started, which on a busy host takes longer than a code lives."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.flows.stack import CODE_SECONDS, Stack, until

pytestmark = [pytest.mark.flows, pytest.mark.slow, pytest.mark.timeout(2400)]


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack.start(tmp_path_factory.mktemp("late")) as stack:
        yield stack


def test_a_code_that_was_right_when_it_was_given_counts_when_no_process_was_there_to_read_it(stack: Stack) -> None:
    incident = str(stack.deliver().json()["incident"])
    view = stack.until_asked(incident, "contain", seconds=300)
    stack.kill_runner()
    assert stack.resume(incident, stack.form(view, code=stack.code()))["status"] == "ACCEPT"
    time.sleep(3 * CODE_SECONDS)
    assert stack.azure.writes() == []
    stack.start_runner()

    def closed() -> bool:
        gate = stack.gate(view.id)
        assert gate is not None
        assert gate.ask == view.ask, gate.last_problem
        return gate.state == "approved"

    until("the answer to be read", closed, seconds=300)
