"""Tell people what there is to tell: as a Prefect event, over the channels of the settings, and as a line in the log.

A notice stays until its event is out and, where channels are set, one of each route took the message. What no channel takes is tried again,
at longer and longer intervals, for a day; each channel's first failure is in the incident's audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from firebreak.approval import GateView, Notice, notices, tellings
from firebreak.engine import EngineRoom
from firebreak.model.facts import BurnRate
from firebreak.model.mode import Mode
from firebreak.report.hostile import plain
from firebreak.report.messages import Message, gate_message, incident_message, open_alerts_message, refused_message
from flows.channels import send
from flows.events import tell_prefect, tell_prefect_that_people_know
from flows.links import run_links
from flows.start import SUSPENDED_AT, wake

_GIVEN_UP_AFTER: Final = timedelta(hours=24)
_WAITING_EVERY: Final = timedelta(
    minutes=2
)  # somebody who types wrong codes shall not ring everybody's phone each time
_PRICES = "investigate.burn_rate"


async def tell_people(room: EngineRoom, warn: Callable[[str], None], *, incident: str = "") -> int:
    """Tell every notice, of one incident or of all, that nobody has told, and return how many. What cannot be told now stays for the next teller."""
    told = 0
    for notice in notices.claim(room.store, incident=incident):
        try:
            told += await _tell(room, notice, warn)
        except Exception as error:  # noqa: BLE001 - whatever Prefect's client raises: a gate must not fail because it cannot be told
            warn(f"{plain(notice.about)}: {notice.kind} could not be told ({type(error).__name__}); tried again later.")
    return told


async def _tell(room: EngineRoom, notice: Notice, warn: Callable[[str], None]) -> bool:
    view = room.desk.view(notice.about) if notice.kind in notices.ABOUT_GATES else None
    if view is not None and _is_overtaken(notice, view):
        notices.note_told(room.store, notice)
        return False
    if view is not None and notice.kind in (notices.ESCALATED, notices.EXPIRED):
        await _ask_anew(room, view)
    people = _people(room, view)
    await tell_prefect(room, notice, view, people)
    message = _message(room, notice, view, people)
    if message is not None and not await _deliver(room, notice, message, warn):
        return False
    notices.note_told(room.store, notice)
    if notice.kind != notices.WAITING:
        warn(f"{'Gate ' if view else ''}{plain(notice.about)}: {notice.kind}: {plain(notice.text, 400)}")
    return True


def _is_overtaken(notice: Notice, view: GateView) -> bool:
    """Whether a notice says what is no longer true, such as a question that was answered meanwhile."""
    if notice.kind == notices.PRE_AUTHORISED:
        return False
    of_this_question = notice.kind in (notices.WAITING, notices.EXPIRING)
    return view.state not in ("open", "expired") or (of_this_question and notice.number != view.ask)


async def _ask_anew(room: EngineRoom, view: GateView) -> None:
    """Let the suspended run show the new question's form, unless it shows it already."""
    at = room.store.values.get(view.incident, SUSPENDED_AT) or {}
    if (at.get("gate"), at.get("ask")) != (view.id, view.ask):
        await wake(room, view.incident)


def _people(room: EngineRoom, view: GateView | None) -> list[str]:
    if view is None:
        return []
    incident = room.store.incidents.get(view.incident)
    return [person.name for person in room.approvers.who_may_answer(view.roles, incident)]


def _message(room: EngineRoom, notice: Notice, view: GateView | None, people: list[str]) -> Message | None:
    """What people read; None where nobody is to be told: no channel is set, another message says it, or it is an exercise."""
    if not room.settings.notify.all_channels or notices.is_said_otherwise(room.store, notice):
        return None
    if notice.kind == notices.REFUSED:
        return refused_message(text=notice.text, channel=notice.about.removeprefix("intake."))
    if notice.kind in (notices.DIGEST, notices.DUE):
        return open_alerts_message(notice.kind, text=notice.text)
    incident = room.store.incidents.get(notice.incident)
    if incident.mode is not Mode.LIVE:
        return None
    links = run_links(room.settings, str(room.store.values.get(notice.incident, "flow_run") or ""))
    if view is None:
        return incident_message(
            notice.kind, text=notice.text, incident=incident, burn=_burn(room, notice.incident), links=links
        )
    return gate_message(
        notice.kind,
        text=notice.text,
        incident=incident,
        gate=view.id,
        title=view.title,
        people=people,
        required=max(0, view.required - len(view.approvals)),
        expires_at=view.expires_at,
        burn=_burn(room, notice.incident),
        links=links,
    )


def _burn(room: EngineRoom, incident: str) -> BurnRate | None:
    """The prices of the newest round that has any."""
    rounds = {row.round for row in room.store.steps.list(incident) if row.step == _PRICES}
    for number in sorted(rounds, reverse=True):
        if (found := room.store.facts.load(incident, number, _PRICES, BurnRate)) is not None:
            return found
    return None


async def _deliver(room: EngineRoom, notice: Notice, message: Message, warn: Callable[[str], None]) -> bool:
    """Send over every route that nobody took the notice on yet; True when nothing is left to try."""
    store, now = room.store, room.store.clock()
    tries = tellings.of_notice(store, notice)
    routes = {"channels": room.settings.notify.channels}
    if message.urgent:
        routes["urgent"] = room.settings.notify.urgent
    wanted = [(name, found) for name, found in routes.items() if found and not tellings.is_through(tries, name)]
    if wanted and _is_too_soon(room, notice):
        return False
    if wanted and now - notice.at > _GIVEN_UP_AFTER:
        _record(room, notice, "notice.given_up", {"routes": [name for name, _ in wanted]})
        return True
    through = True
    for route, channels in wanted:
        if not tellings.is_due(tries, route, now) or not await _over(room, notice, message, route, channels, warn):
            through = False
    if through and wanted and notice.kind in notices.ABOUT_GATES:
        await tell_prefect_that_people_know(notice)
    return through


def _is_too_soon(room: EngineRoom, notice: Notice) -> bool:
    """Whether people were told a moment ago that the same gate waits."""
    if notice.kind != notices.WAITING:
        return False
    last = tellings.last_delivered_before(room.store, notice)
    return last is not None and room.store.clock() - last < _WAITING_EVERY


async def _over(
    room: EngineRoom,
    notice: Notice,
    message: Message,
    route: str,
    channels: tuple[str, ...],
    warn: Callable[[str], None],
) -> bool:
    """Send over the first channel of a route that takes it; one that took it for another route is not told twice."""
    for channel in channels:
        taken = [one for one in tellings.of_notice(room.store, notice) if one.state == tellings.DELIVERED]
        if any(one.channel == channel for one in taken):
            return True
        problem = await send(channel, message)
        tried = tellings.note(room.store, notice, channel=channel, route=route, problem=problem)
        what = {"channel": channel, "route": route}
        if not problem:
            _record(room, notice, "notice.delivered", what)
            return True
        if tried.attempts == 1:
            warn(f"{plain(notice.about)}: {notice.kind} was not told over {channel}: {problem}")
            _record(room, notice, "notice.undelivered", {**what, "problem": problem})
    return False


def _record(room: EngineRoom, notice: Notice, kind: str, data: Mapping[str, object]) -> None:
    """In the incident's audit log; what is about no incident is in the store alone."""
    if notice.incident:
        about = {"about": notice.about, "notice": notice.kind, "number": notice.number}
        room.audit.append(notice.incident, kind, who="engine", data={**about, **data})
