"""Who was told of an incident, and over which channels nobody could be: lines for the case page, the report and the command line. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from firebreak.report.hostile import markdown

_WORDS: Final = {
    "waiting": "waits for an answer",
    "reminder": "still waits",
    "expiring": "expires soon",
    "escalated": "was escalated",
    "expired": "expired and is asked again",
    "pre_authorised": "was approved without asking anybody",
    "opened": "was opened",
    "contained": "is contained",
    "stopped": "was stopped by people",
    "failed": "has failed",
    "crashed": "lost its run",
}


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message: what it was about (a gate or the incident), the channels that took it, and those that did not with the last reason.

    `given_up`: nobody tries any more.
    """

    about: str
    kind: str
    number: int
    at: datetime
    told_over: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    given_up: bool = False

    @property
    def is_untold(self) -> bool:
        """Whether no channel took it."""
        return not self.told_over

    def as_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "kind": self.kind,
            "number": self.number,
            "at": self.at.isoformat(),
            "told_over": list(self.told_over),
            "failed": [{"channel": channel, "problem": problem} for channel, problem in self.failed],
            "given_up": self.given_up,
        }


def failures(messages: Sequence[MessageRow]) -> list[str]:
    """One plain line for each message that some channel did not take, those that reached nobody first."""
    wrong = [one for one in messages if one.failed or one.given_up]
    return [_line(one) for one in sorted(wrong, key=lambda one: (not one.is_untold, one.at))]


def failures_section(messages: Sequence[MessageRow]) -> list[str]:
    """The same as Markdown, under a heading; nothing when every message arrived at once."""
    lines = [f"- {markdown(line, 600)}" for line in failures(messages)]
    return ["### Messages that did not arrive", "", *lines, ""] if lines else []


def _line(one: MessageRow) -> str:
    over = "; ".join(f"{channel}: {problem}" for channel, problem in one.failed)
    question = f" (question {one.number})" if one.kind in ("waiting", "expired", "expiring") else ""
    said = f"{one.at:%m-%d %H:%M} UTC: that {one.about} {_WORDS.get(one.kind, one.kind)}{question}"
    if one.is_untold:
        again = "Nobody tries any more." if one.given_up else "It is tried again."
        return f"NOBODY WAS TOLD, {said}. {over or 'No channel took it'} {again}"
    return f"{said} was told over {', '.join(one.told_over)} only. {over}"
