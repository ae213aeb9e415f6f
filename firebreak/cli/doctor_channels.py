"""What `firebreak doctor` says of the channels that people are told over: does each take messages, do their links lead anywhere."""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from firebreak.approval import notices, tellings
from firebreak.cli.services import Running
from firebreak.clients import Check
from firebreak.errors import ResponseError
from firebreak.settings import Settings
from firebreak.store import Store

_LATE = timedelta(minutes=10)
_TRY = "Correct the block in the Prefect UI, then: firebreak notify test"


def channel_checks(settings: Settings, services: Running | None) -> list[Check]:
    """One check for each channel, by its last message, and those for what waits and for the links. Sends nothing."""
    if not settings.notify.all_channels:
        said = "None is set, so nobody is told when a gate waits. See FIREBREAK_NOTIFY__CHANNELS."
        return [Check(name="channels", ok=True, detail=said)]
    try:
        with Store.open(settings.database_url) as store:
            last = tellings.newest_by_channel(store)
            number, oldest = notices.untold(store)
            late = oldest is not None and store.clock() - oldest > _LATE
    except ResponseError as error:
        return [Check(name="channels", ok=False, detail=error.message, hint=error.hint)]
    checks = [_channel(name, last.get(name)) for name in settings.notify.all_channels]
    waiting = f"{number} to be told" + (f", the oldest since {oldest:%Y-%m-%d %H:%M} UTC." if oldest else ".")
    hint = "Is the runner up, or the deployment watch-gates? See the channels above."
    checks.append(Check(name="messages", ok=not late, detail=waiting, hint=hint if late else ""))
    return [*checks, _links(settings, services)]


def _channel(name: str, last: tellings.Telling | None) -> Check:
    if last is None:
        return Check(name=f"channel {name}", ok=True, detail="Nothing was sent over it yet; try: firebreak notify test")
    ok = last.state == tellings.DELIVERED
    detail = f"{'Took' if ok else 'Did not take'} a message at {last.at:%Y-%m-%d %H:%M} UTC. {last.problem}".strip()
    return Check(name=f"channel {name}", ok=ok, detail=detail, hint="" if ok else _TRY)


def _links(settings: Settings, services: Running | None) -> Check:
    address = settings.notify.ui_url or os.environ.get("PREFECT_UI_URL", "") or (services.ui_url if services else "")
    guessed = not settings.notify.ui_url
    if guessed and _is_this_machine(address):
        detail = f"Messages link to {address or 'no address'}, which opens on this machine only."
        hint = "Set FIREBREAK_NOTIFY__UI_URL to the address under which people reach the Prefect UI."
        return Check(name="links in messages", ok=False, detail=detail, hint=hint)
    return Check(name="links in messages", ok=True, detail=address)


def _is_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")
