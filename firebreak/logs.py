"""Log lines that say which incident, step and action they belong to, and hold no secret.

    configure("json", "info")                              # once for each process
    with working_on(incident="INC-7"), working_on(action="machine.deallocate:1a2b"):
        logging.getLogger("firebreak").info("sent")        # {"at": ..., "incident": "INC-7", "action": ..., "message": "sent"}

What is being worked on travels with the asyncio task (contextvars): actions that are sent side by side do not mix.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from firebreak.clients.policies.redaction import without_secrets

IDS: Final = ("incident", "step", "action")
_WORK: ContextVar[Mapping[str, str]] = ContextVar("firebreak_work", default={})  # noqa: B039 - never changed in place
# Prefect hands the records of a run to its console and its server; these two loggers are where all of them begin.
RUN_LOGGERS: Final = ("prefect.flow_runs", "prefect.task_runs")


@contextmanager
def working_on(**ids: str) -> Iterator[None]:
    """Name what log lines within belong to: `incident`, `step` or `action`. Nested ones add up."""
    token = _WORK.set({**_WORK.get(), **{name: ids[name] for name in IDS if ids.get(name)}})
    try:
        yield
    finally:
        _WORK.reset(token)


def work() -> dict[str, str]:
    """What is being worked on here, by name."""
    return dict(_WORK.get())


class WorkFilter(logging.Filter):
    """Adds the ids to a record and takes secrets out of its message and traceback; it never drops one.

    With `in_message` the ids also stand before the message, for logs whose shape is not ours.
    """

    def __init__(self, *, in_message: bool = False) -> None:
        super().__init__()
        self._in_message = in_message

    def filter(self, record: logging.LogRecord) -> bool:
        found = work()
        for name in IDS:
            setattr(record, name, found.get(name, ""))
        message = without_secrets(record.getMessage())
        shown = " ".join(found.values())
        record.msg = f"[{shown}] {message}" if self._in_message and shown else message
        record.args = ()
        if record.exc_info:
            record.exc_text = without_secrets(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


class JsonLines(logging.Formatter):
    """One JSON object for each line: `at` (UTC), `level`, `logger`, the ids that are known, `message`, `error` (a traceback)."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            **{name: value for name in IDS if (value := getattr(record, name, ""))},
            "message": record.getMessage(),
        }
        if record.exc_text:
            line["error"] = record.exc_text
        return json.dumps(line)


class TextLines(logging.Formatter):
    """For people: time, level, ids, message."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(value for name in IDS if (value := getattr(record, name, "")))
        line = " ".join(filter(None, (_at(record), record.levelname, ids, record.name))) + f": {record.getMessage()}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


def configure(shape: str, level: str) -> None:
    """Send the log of this process to standard error as `shape` (text or json), from `level` up; and clean the log of Prefect's runs.

    Calling it again replaces what it did before.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if shape == "json" else TextLines())
    handler.addFilter(WorkFilter())
    logger = logging.getLogger("firebreak")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    for name in RUN_LOGGERS:
        runs = logging.getLogger(name)
        if not any(isinstance(item, WorkFilter) for item in runs.filters):
            runs.addFilter(WorkFilter(in_message=True))


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
