"""Log lines name incident, step and action, are one JSON object each when asked for, and hold no secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from firebreak.logs import RUN_LOGGERS, configure, work, working_on

LOG = logging.getLogger("firebreak.test")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    ours = logging.getLogger("firebreak")
    handlers, level, propagates = list(ours.handlers), ours.level, ours.propagate
    runs = {name: list(logging.getLogger(name).filters) for name in RUN_LOGGERS}
    yield
    ours.handlers[:], ours.propagate = handlers, propagates
    ours.setLevel(level)
    for name, filters in runs.items():
        logging.getLogger(name).filters[:] = filters


def test_json_lines_carry_the_ids_of_what_is_worked_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    with working_on(incident="INC-7"):
        LOG.info("begins")
        with working_on(step="contain", action="machine.deallocate:1"):
            LOG.warning("sent to %s\nand on", "azure")
    LOG.info("after")
    LOG.debug("not asked for")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    told = [{k: v for k, v in line.items() if k not in ("at", "logger")} for line in lines]
    assert told == [
        {"level": "info", "incident": "INC-7", "message": "begins"},
        {
            "level": "warning",
            "incident": "INC-7",
            "step": "contain",
            "action": "machine.deallocate:1",
            "message": "sent to azure\nand on",
        },
        {"level": "info", "message": "after"},
    ]


def test_actions_side_by_side_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")

    async def send(number: int) -> None:
        with working_on(action=f"a{number}"):
            await asyncio.sleep(0.001 * (5 - number))
            LOG.info("%s", number)

    async def all_of_them() -> None:
        with working_on(incident="INC-7"):
            await asyncio.gather(*(send(number) for number in range(5)))

    asyncio.run(all_of_them())
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert sorted((line["action"], line["message"]) for line in lines) == [(f"a{n}", str(n)) for n in range(5)]
    assert work() == {}


def test_text_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure("text", "warning")
    with working_on(incident="INC-7", action="a1"):
        LOG.info("no")
        LOG.warning("yes")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("WARNING INC-7 a1 firebreak.test: yes")


@pytest.mark.parametrize("shape", ["json", "text"])
def test_no_secret_is_in_a_message_or_a_traceback(capsys: pytest.CaptureFixture[str], shape: str) -> None:
    configure(shape, "info")
    try:
        raise ValueError("Authorization: Bearer topsecrettopsecret")
    except ValueError:
        LOG.exception("https://x/?sig=%s", "topsecrettopsecret")
    said = capsys.readouterr().err
    assert "topsecret" not in said
    assert "ValueError" in said
    assert said.count("[redacted]") == 3  # the message, the line of source, the error


def test_prefects_run_log_gets_the_ids_and_no_secret() -> None:
    configure("text", "warning")
    configure("text", "warning")
    seen: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    runs = logging.getLogger("prefect.flow_runs")
    handler = Keep()
    runs.addHandler(handler)
    try:
        with working_on(incident="INC-7", step="contain"):
            logging.LoggerAdapter(runs, {"flow_run_id": "x"}).warning("key %s", "AccountKey=topsecret==")
    finally:
        runs.removeHandler(handler)
    assert seen == ["[INC-7 contain] key AccountKey=[redacted]"]
