"""The webhook registration of a partner tenant: read, changed after a person's approval, put back.

There is one per partner tenant, so whoever puts another takes the events away from the product that had them:
https://learn.microsoft.com/partner-center/developer/partner-center-webhooks

    change = propose(await current(reader), url=..., events=..., available=await offered(reader), own=own_addresses(room, settings))
    registered = await RegistrationDesk(room).carry_out(change, reader, writer, answer)

What stood there before is in the store before anything is sent, and what became of a change whose process died is settled by reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from firebreak.approval import Approver
from firebreak.approval.requester import is_requester, may_be_requester
from firebreak.clients.partner_center import PartnerCenterRead, PartnerCenterWrite
from firebreak.clients.policies.redaction import without_secrets
from firebreak.engine.room import EngineRoom
from firebreak.errors import ApprovalError, ContentError, RejectedError, UncertainError
from firebreak.model.canonical import canonical_bytes

PATH: Final = "/webhooks/v1/registration"
FRAUD, TEST = "azure-fraud-event-detected", "test-created"
# What an installation wants to hear of: fraud, its own test, and who takes its delegated access away in the middle of an incident.
EVENTS: Final = (
    FRAUD,
    TEST,
    "subscription-updated",
    "granular-admin-relationship-terminated",
    "granular-admin-relationship-expired",
)
_NOTE: Final = "webhook-registration"
_LONGEST_REASON: Final = 2000


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """Where Partner Center sends which events."""

    url: str
    events: tuple[str, ...]
    in_own_header: bool = False

    def body(self) -> dict[str, Any]:
        """As Partner Center takes it."""
        return {
            "WebhookUrl": self.url,
            "WebhookEvents": list(self.events),
            "SignatureTokenToMsSignatureHeader": self.in_own_header,
        }


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What would stand there instead of what stands there. `taken_from` is another product's address that would hear nothing any more."""

    before: Registration | None
    after: Registration
    taken_from: str = ""

    @property
    def is_needed(self) -> bool:
        return self.before != self.after

    @property
    def confirm(self) -> str:
        """The text a person types, "" when none: the address that loses its events."""
        return self.taken_from


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What an approver said. `requested_by` is who sits at the terminal."""

    approver: str
    code: str
    reason: str = ""
    confirm: str = ""
    requested_by: str = ""


class LastChange(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of this installation. `state` is started, done or unknown."""

    change: Change
    state: str
    approver: str
    at: str


async def current(reader: PartnerCenterRead) -> Registration | None:
    """What is registered now; None when nothing is."""
    found = await reader.get(PATH)
    if found is None:
        return None
    events = found.get("webhookEvents")
    return Registration(
        url=str(found.get("webhookUrl") or ""),
        events=tuple(sorted(str(one) for one in events)) if isinstance(events, list) else (),
        in_own_header=bool(found.get("signatureTokenToMsSignatureHeader", False)),
    )


async def offered(reader: PartnerCenterRead) -> tuple[str, ...]:
    """The events that can be registered: the live list, for the documented one is old."""
    return tuple(sorted(str(one) for one in await reader.names(f"{PATH}/events")))


def propose(
    before: Registration | None, *, url: str, events: Sequence[str], available: Collection[str], own: Collection[str]
) -> Change:
    """Return the change that leads to `url` hearing of `events`, beside those that are registered already.

    Raises:
        ContentError: an event is not offered, or the address is none that Partner Center takes.
    """
    if not url.lower().startswith("https://") or any(one.isspace() for one in url):
        raise ContentError(
            f"{url!r:.200} is no address that Partner Center delivers to.",
            hint="Name an https:// address with --url, or set FIREBREAK_INTAKE__PUBLIC_URL.",
        )
    if unknown := sorted(set(events) - set(available)):
        raise ContentError(
            f"Partner Center does not offer {', '.join(unknown)}.", hint=f"It offers: {', '.join(sorted(available))}."
        )
    kept = [one for one in before.events if one in available] if before else []
    after = Registration(
        url=url,
        events=tuple(sorted({*events, *kept})),
        in_own_header=before.in_own_header if before else False,
    )
    return Change(before=before, after=after, taken_from=_loser(before, after, own))


def put_back(last: LastChange | None, before: Registration | None, own: Collection[str]) -> Change:
    """Return the change that undoes the last one.

    Raises:
        ContentError: there is none, or nothing stood there before, which Partner Center cannot go back to.
    """
    if last is None:
        raise ContentError("This installation has changed no registration.", hint="See: firebreak webhooks show")
    if last.change.before is None:
        raise ContentError(
            "Nothing was registered before, and Partner Center cannot take a registration away.",
            hint="Register another address, or ask Microsoft's partner support.",
        )
    after = last.change.before
    return Change(before=before, after=after, taken_from=_loser(before, after, own))


class RegistrationDesk:
    """Where a change is approved, sent and read back. Everything is in the installation's audit log."""

    def __init__(self, room: EngineRoom) -> None:
        self._room = room

    def last(self) -> LastChange | None:
        """The last change that was begun here."""
        found = self._room.store.values.get("", _NOTE)
        return None if found is None else msgspec.convert(found, LastChange)

    def own_addresses(self, public: str) -> tuple[str, ...]:
        """Addresses that are this installation's: the public one, and the one it registered last."""
        last = self.last()
        return tuple(one for one in (public, last.change.after.url if last else "") if one)

    async def settle(self, reader: PartnerCenterRead) -> LastChange | None:
        """Say what became of a change whose process died, by reading; the last change as it stands then."""
        last = self.last()
        if last is None or last.state != "started":
            return last
        found = await current(reader)
        return self._note(last, "done" if found == last.change.after else "unknown", found)

    async def carry_out(
        self, change: Change, reader: PartnerCenterRead, writer: PartnerCenterWrite, answer: Approval
    ) -> LastChange:
        """Check the approval, send the change, and read back what stands there.

        Raises:
            ApprovalError: the answer does not count; it is recorded all the same.
            RejectedError: Partner Center refused, or something else stands there now.
        """
        begun = self._begin(change, answer)
        request = f"webhook-registration {begun.at} {hashlib.sha256(canonical_bytes(change)).hexdigest()}"
        try:
            if change.before is None:
                await writer.post(PATH, change.after.body(), request_id=request)
            else:
                await writer.put(PATH, change.after.body(), request_id=request)
        except UncertainError:
            # It may have had effect: what stands there says so.
            pass
        found = await current(reader)
        done = self._note(begun, "done" if found == change.after else "unknown", found)
        if done.state != "done":
            raise RejectedError(
                f"{found.url if found else 'Nothing'} is registered now, not {change.after.url}.",
                hint="Look again: firebreak webhooks show. Somebody else may have changed it at the same time.",
            )
        return done

    def _begin(self, change: Change, answer: Approval) -> LastChange:
        now = self._room.clock()
        said = {"change": msgspec.to_builtins(change), "requested_by": answer.requested_by}
        said["reason"] = without_secrets(answer.reason)[:_LONGEST_REASON]
        refusal, name = None, " ".join(answer.approver.split())[:160]
        with self._room.store.write() as tx:
            try:
                person = self._room.approvers.check(tx, answer.approver, answer.code, now)
                name = person.name
                _check(person, change, answer, self._room.approvers.list(tx=tx))
            except ApprovalError as error:
                refusal = error
                said |= {"accepted": False, "refused_because": error.reason}
            else:
                said["accepted"] = True
            self._room.audit.append("", "registration.approved", who=name, data=said, tx=tx)
            begun = LastChange(change=change, state="started", approver=name, at=now.isoformat())
            if refusal is None:
                self._room.store.values.set("", _NOTE, msgspec.to_builtins(begun), tx=tx)
        if refusal is not None:
            raise refusal
        return begun

    def _note(self, begun: LastChange, state: str, found: Registration | None) -> LastChange:
        done = msgspec.structs.replace(begun, state=state)
        with self._room.store.write() as tx:
            self._room.store.values.set("", _NOTE, msgspec.to_builtins(done), tx=tx)
            data = {"state": state, "change": msgspec.to_builtins(begun.change), "found": msgspec.to_builtins(found)}
            self._room.audit.append("", "registration.changed", who="engine", data=data, tx=tx)
        return done


def _loser(before: Registration | None, after: Registration, own: Collection[str]) -> str:
    if before is None or _same(before.url, after.url) or any(_same(before.url, one) for one in own):
        return ""
    return before.url


def _same(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _check(person: Approver, change: Change, answer: Approval, people: Sequence[Approver]) -> None:
    if person.playbooks or person.customers:
        raise ApprovalError(
            f"{person.name} may answer for some playbooks or customers only; the registration concerns all of them.",
            reason="out_of_scope",
            hint="Ask somebody who was enrolled without limits: firebreak approvers list",
        )
    if is_requester(person, answer.requested_by):
        raise ApprovalError(f"{person.name} asks for it.", reason="requester", hint="Another person has to approve.")
    if may_be_requester(person, answer.requested_by, people):
        raise ApprovalError(
            f"Nobody is enrolled as {answer.requested_by}, so {person.name} may be the one who asks.",
            reason="requester",
            hint="Say who you are with --requested-by, or note logins: firebreak approvers login NAME --login LOGIN",
        )
    if answer.confirm.strip() != change.confirm:
        raise ApprovalError(
            "The typed confirmation is not the address that loses its events."
            if change.confirm
            else "Nothing is to be confirmed: no other product loses its events.",
            reason="bad_confirm",
            hint=f"Type: --confirm {change.confirm}" if change.confirm else "Leave --confirm out.",
        )
