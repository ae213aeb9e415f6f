"""What people are told over chat, mail and pager: one message for each notice, without anything that a channel could act upon. Pure.

    message = gate_message("waiting", text=..., incident=..., ...)
    subject, body = written(message, Style.SLACK)

Everything in it that came from Azure, from an alert or from a person went through `hostile.inert`; links are our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from firebreak.model.alert import Incident
from firebreak.model.facts import BurnRate
from firebreak.report.dossier import money
from firebreak.report.hostile import inert

_LONG = 600
_PAGER = 1024  # https://developer.pagerduty.com/docs/send-alert-event#pd-cef-payload
_GATE = {
    "waiting": "waits for an answer",
    "reminder": "still waits for an answer",
    "expiring": "expires soon",
    "escalated": "was escalated",
    "expired": "expired and is asked again",
    "pre_authorised": "was approved without asking anybody",
}
_INCIDENT = {
    "opened": "was opened",
    "contained": "is contained",
    "stopped": "was stopped by people",
    "failed": "has failed: a person has to look",
    "crashed": "lost its run: a person has to start it again",
}
_URGENT = frozenset({"waiting", "reminder", "expiring", "escalated", "expired", "failed", "crashed"})


class Style(StrEnum):
    """How a channel writes links and lines."""

    TEXT = "text"
    MARKDOWN = "markdown"
    SLACK = "slack"
    PAGER = "pager"


class Link(msgspec.Struct, frozen=True):
    """A link of our own: what it leads to, and its address."""

    label: str
    url: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message to people. `urgent`: it needs a person at once."""

    subject: str
    lines: tuple[str, ...]
    links: tuple[Link, ...] = ()
    urgent: bool = False


def gate_message(
    kind: str,
    *,
    text: str,
    incident: Incident,
    gate: str,
    title: str,
    people: Sequence[str],
    required: int,
    expires_at: datetime,
    burn: BurnRate | None,
    links: Sequence[Link],
) -> Message:
    """A message about a gate. `people` may answer now, `required` of them have to; `burn` is what runs while it waits."""
    lines = [inert(text, _LONG), _subscription(incident)]
    if kind != "pre_authorised":
        if burn is not None:
            lines.append(
                f"Waiting costs {money(burn.rogue_per_hour, burn.currency)} an hour; lost so far {money(burn.lost, burn.currency)}."
            )
        who = inert(", ".join(people), _LONG) or "nobody who is enrolled: see firebreak approvers list"
        lines += [
            f"May answer: {who} ({required} needed), until {expires_at:%Y-%m-%d %H:%M} UTC.",
            f"Or: firebreak gates show {gate}",
        ]
    subject = f"{incident.id}: {inert(title, 80)} {_GATE.get(kind, kind)}"
    return Message(subject=subject, lines=tuple(lines), links=tuple(links), urgent=kind in _URGENT)


def incident_message(
    kind: str, *, text: str, incident: Incident, burn: BurnRate | None, links: Sequence[Link]
) -> Message:
    """A message about an incident as a whole."""
    lines = [inert(text, _LONG) if text else "", _subscription(incident), f"Playbook: {inert(incident.playbook)}"]
    if burn is not None and kind != "opened":
        lines.append(f"Lost so far {money(burn.lost, burn.currency)}, as of the last look.")
    then = "respond --incident" if kind in ("failed", "crashed") else "incidents show"
    lines.append(f"Then: firebreak {then} {incident.id}")
    subject = f"{incident.id} {_INCIDENT.get(kind, kind)}"
    return Message(subject=subject, lines=tuple(filter(None, lines)), links=tuple(links), urgent=kind in _URGENT)


def refused_message(*, text: str, channel: str) -> Message:
    """A message about a delivery that opened no incident."""
    lines = (
        inert(text, _LONG),
        "The bytes are kept. Further ones over this channel are not told for ten minutes.",
        "All of them: firebreak intake list --state kept",
    )
    return Message(subject=f"An alert over {inert(channel, 80)} opened no incident", lines=lines)


def open_alerts_message(kind: str, *, text: str) -> Message:
    """A message about Microsoft's open alerts: the digest of a day, or one alert that has to be answered soon."""
    is_due = kind == "due"
    subject = "An alert of Microsoft's has to be answered" if is_due else "Microsoft's open alerts today"
    lines = (inert(text, _LONG), "All of them: firebreak intake unresolved")
    return Message(subject=subject, lines=lines, urgent=is_due)


def trial_message(installation: str) -> Message:
    """A message that asks for nothing, to see whether a channel works."""
    lines = ("This is a test of the channel. Nothing is to be done.", f"Sent by Firebreak on {inert(installation)}.")
    return Message(subject="Firebreak: test message", lines=lines)


def written(message: Message, style: Style) -> tuple[str, str]:
    """Subject and body of a message for a channel of this style. A pager has one line and no subject."""
    links = [_link(link, style) for link in message.links]
    if style is Style.PAGER:
        # The links last whole: a cut address leads nowhere.
        tail = " ".join(["", *links])
        said = " ".join((f"{message.subject}.", *message.lines))
        return "", said[: max(0, _PAGER - len(tail))] + tail
    between = "\n\n" if style is Style.MARKDOWN else "\n"
    return message.subject, between.join((*message.lines, *links))


def _link(link: Link, style: Style) -> str:
    if style is Style.MARKDOWN:
        return f"[{link.label}]({link.url})"
    if style is Style.SLACK:
        return f"<{link.url}|{link.label}>"
    return f"{link.label}: {link.url}"


def _subscription(incident: Incident) -> str:
    return f"Subscription: {inert(incident.subscription_id)}"
