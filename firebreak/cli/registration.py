"""`firebreak webhooks`: where Partner Center sends its events. One registration serves the whole partner tenant, so a change is approved first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
import typer

from firebreak.cli.output import Json, print_json, safe, say, stdout
from firebreak.cli.respond import REQUESTED_BY, requester
from firebreak.cli.rooms import connected_settings, engine_room
from firebreak.cli.webhooks import HOOK
from firebreak.clients import Connection, connect
from firebreak.engine import EngineRoom
from firebreak.engine.registration import (
    EVENTS,
    PATH,
    TEST,
    Approval,
    Change,
    LastChange,
    Registration,
    RegistrationDesk,
    current,
    offered,
    propose,
    put_back,
)
from firebreak.errors import ContentError, ScopeError
from firebreak.intake.inbox import Inbox
from firebreak.model.mode import Mode
from firebreak.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="Where Partner Center sends its events: one address per partner tenant.", no_args_is_help=True)
_NONE = "00000000-0000-0000-0000-000000000000"
_EVERY_SECONDS = 1.0
OneApprover = typer.Option(
    "", "--approver", help="Who approves: somebody enrolled, not who asks. Without, the change is only shown."
)
OneCode = typer.Option("", "--code", help="The approver's one-time code.")
Reason = typer.Option("", help="Why; kept in the audit log.")
Confirm = typer.Option("", help="When another product loses its events: its address, as it is shown.")


@app.command("show")
def show(as_json: bool = Json) -> None:
    """Show what is registered, whose address it is, and which events can be registered."""
    settings = connected_settings()

    async def look(connection: Connection, desk: RegistrationDesk) -> dict[str, Any]:
        reader = connection.eyes.partner_center
        last = await desk.settle(reader)
        found = await current(reader)
        own = desk.own_addresses(_own_address(settings))
        return {
            "registration": _shown(found),
            "ours": found is not None and any(found.url.rstrip("/").lower() == one.rstrip("/").lower() for one in own),
            "offered": list(await offered(reader)),
            "last_change": None if last is None else msgspec.to_builtins(last),
        }

    told = _run(settings, Mode.DRY_RUN, look)
    if as_json:
        print_json(told)
        return
    registered = told["registration"]
    if registered is None:
        stdout.print("No webhook is registered for this partner.")
    else:
        whose = "this installation's" if told["ours"] else "NOT this installation's"
        stdout.print(f"{safe(registered['url'], 400)}  ({whose})\n  {safe(', '.join(registered['events']), 2000)}")
    if last := told["last_change"]:
        before = (last["change"]["before"] or {}).get("url") or "nothing"
        stdout.print(
            f"Last change here: {safe(last['at'][:19])}Z, approved by {safe(last['approver'])}, {safe(last['state'])}; before it: {safe(before, 400)}"
        )
    stdout.print(f"Offered: {safe(', '.join(told['offered']), 2000)}")


@app.command("register")
def register(
    url: str = typer.Option(
        "", help="Where events go (default: FIREBREAK_INTAKE__PUBLIC_URL with /hooks/partner-center)."
    ),
    event: list[str] = typer.Option(
        list(EVENTS), "--event", help="An event to hear of; may be given again. Those registered already stay."
    ),
    approver: str = OneApprover,
    code: str = OneCode,
    reason: str = Reason,
    confirm: str = Confirm,
    requested_by: str = typer.Option("", "--requested-by", help=REQUESTED_BY),
    as_json: bool = Json,
) -> None:
    """Create the registration, or change it. Without an approver it is only shown what would change, and the exit code is 2.

    One registration serves the whole partner tenant: when another product has it, that product hears nothing any more. The approver then types its address.
    """
    settings = connected_settings()
    address = url or _own_address(settings)
    if not address:
        raise ContentError("Where are events to go?", hint="Name it with --url, or set FIREBREAK_INTAKE__PUBLIC_URL.")

    async def change(connection: Connection, desk: RegistrationDesk) -> Change:
        reader = connection.eyes.partner_center
        await desk.settle(reader)
        own = desk.own_addresses(_own_address(settings))
        return propose(await current(reader), url=address, events=event, available=await offered(reader), own=own)

    answer = _answer(approver, code, reason, confirm, requested_by)
    _carry_out(settings, change, answer, again="register", as_json=as_json)


@app.command("restore")
def restore(
    approver: str = OneApprover,
    code: str = OneCode,
    reason: str = Reason,
    confirm: str = Confirm,
    requested_by: str = typer.Option("", "--requested-by", help=REQUESTED_BY),
    as_json: bool = Json,
) -> None:
    """Put back what was registered before this installation changed it last. Approved like a change."""
    settings = connected_settings()

    async def change(connection: Connection, desk: RegistrationDesk) -> Change:
        reader = connection.eyes.partner_center
        last = await desk.settle(reader)
        return put_back(last, await current(reader), desk.own_addresses(_own_address(settings)))

    answer = _answer(approver, code, reason, confirm, requested_by)
    _carry_out(settings, change, answer, again="restore", as_json=as_json)


@app.command("validate")
def validate(
    seconds: float = typer.Option(60, min=1, help="How long to wait for the result."),
    as_json: bool = Json,
) -> None:
    """Have Partner Center send a test event to the registered address, follow its delivery, and look whether it arrived here."""
    settings = connected_settings()

    async def follow(connection: Connection, desk: RegistrationDesk) -> dict[str, Any]:
        reader, writer = connection.eyes.partner_center, connection.hands.partner_center
        found, own = await current(reader), _own_address(settings)
        if found is None:
            raise ContentError("No webhook is registered.", hint="Register it first: firebreak webhooks register")
        if own and found.url.rstrip("/").lower() not in {one.rstrip("/").lower() for one in desk.own_addresses(own)}:
            raise ScopeError(
                f"{found.url!r:.300} is not this installation's: another product would get the test event.",
                hint="See: firebreak webhooks show",
            )
        if TEST not in found.events:
            raise ContentError(f"{TEST} is not registered.", hint="Add it: firebreak webhooks register")
        sent = await writer.post_for(f"{PATH}/validationEvents", None, request_id=f"validation {time.time_ns()}")
        identity = str(sent.get("correlationId") or "")
        deadline = time.monotonic() + seconds
        while True:
            result = await reader.get(f"{PATH}/validationEvents/{identity}") or {}
            if str(result.get("status", "")).lower() == "completed" or time.monotonic() > deadline:
                return {"id": identity, **result}
            await asyncio.sleep(_EVERY_SECONDS)

    with engine_room(settings) as room:
        result = asyncio.run(_connected(room, settings, Mode.LIVE, follow))
        arrived = [one for one in Inbox(room.store).newest(limit=200) if result["id"].encode() in one.body]
    attempts = result.get("results") or []
    told = {
        "id": result["id"],
        "status": result.get("status", "unknown"),
        "url": result.get("callbackUrl", ""),
        "attempts": attempts,
        "arrived": bool(arrived),
        "delivery": arrived[0].id if arrived else "",
    }
    if as_json:
        print_json(told)
    else:
        stdout.print(f"Test event {safe(told['id'])} to {safe(told['url'], 400)}: {safe(told['status'])}")
        for one in attempts:
            stdout.print(
                f"  {safe(one.get('dateTimeUtc', ''))}  {safe(one.get('responseCode') or 'no answer')}  {safe(one.get('responseMessage', ''))}"
            )
        stdout.print("It arrived here." if arrived else "It did not arrive in this installation's store.")
    if not arrived:
        raise typer.Exit(1)


def _carry_out(
    settings: Settings,
    change: Callable[[Connection, RegistrationDesk], Awaitable[Change]],
    answer: Approval | None,
    *,
    again: str,
    as_json: bool,
) -> None:
    async def act(connection: Connection, desk: RegistrationDesk) -> tuple[Change, LastChange | None]:
        wanted = await change(connection, desk)
        if not wanted.is_needed or answer is None:
            return wanted, None
        return wanted, await desk.carry_out(
            wanted, connection.eyes.partner_center, connection.hands.partner_center, answer
        )

    wanted, done = _run(settings, Mode.LIVE if answer else Mode.DRY_RUN, act)
    state = "unchanged" if not wanted.is_needed else "waiting" if done is None else "done"
    if as_json:
        print_json({"state": state, "confirm": wanted.confirm, **msgspec.to_builtins(wanted)})
    else:
        _print_change(wanted, state, again)
    if state == "waiting":
        raise typer.Exit(2)


def _print_change(wanted: Change, state: str, again: str) -> None:
    if state == "unchanged":
        stdout.print(f"It stands there already: {safe(wanted.after.url, 400)}")
        return
    before = wanted.before
    old, new = set(before.events if before else ()), set(wanted.after.events)
    stdout.print(f"before  {safe(before.url if before else 'nothing', 400)}\nafter   {safe(wanted.after.url, 400)}")
    for sign, events in (("+", new - old), ("-", old - new), (" ", new & old)):
        for one in sorted(events):
            stdout.print(f"      {sign} {safe(one)}")
    if wanted.taken_from:
        stdout.print(f"[yellow]Another product loses its events:[/] {safe(wanted.taken_from, 400)}")
    if state == "done":
        stdout.print("Done, and read back. Put it back with: firebreak webhooks restore")
        return
    confirm = f" --confirm {wanted.confirm}" if wanted.confirm else ""
    say(f"Nothing was changed. To do it: firebreak webhooks {again} --approver NAME --code CODE --reason TEXT{confirm}")


def _answer(approver: str, code: str, reason: str, confirm: str, requested_by: str) -> Approval | None:
    if not approver and not code:
        return None
    return Approval(approver=approver, code=code, reason=reason, confirm=confirm, requested_by=requester(requested_by))


def _own_address(settings: Settings) -> str:
    public = settings.intake.public_url.rstrip("/")
    return f"{public}{HOOK}" if public else ""


def _shown(found: Registration | None) -> dict[str, Any] | None:
    return None if found is None else msgspec.to_builtins(found)


def _run(settings: Settings, mode: Mode, act: Callable[[Connection, RegistrationDesk], Awaitable[T]]) -> T:
    with engine_room(settings) as room:
        return asyncio.run(_connected(room, settings, mode, act))


async def _connected(
    room: EngineRoom, settings: Settings, mode: Mode, act: Callable[[Connection, RegistrationDesk], Awaitable[T]]
) -> T:
    async with connect(settings, subscription_id=_NONE, mode=mode, correlation_id=_NONE) as connection:
        return await act(connection, RegistrationDesk(room))
