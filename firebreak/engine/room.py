"""The engine room: what all incidents of one installation share. Opened from settings, closed after use."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from firebreak.approval import Approvers, ConfirmationDesk, GateDesk, notices
from firebreak.audit import AuditLog
from firebreak.clients import CloudEyes, Recorded, Recorder, Transports, connect
from firebreak.clients.secrets import reveal_now
from firebreak.engine import partner
from firebreak.errors import ContentError, LeaseLostError, ResponseError, SettingsError
from firebreak.evidence import EvidenceStore
from firebreak.intake.alerts import open_incident, parse_alert
from firebreak.model.alert import Alert, Incident
from firebreak.model.clouds import Eyes, Hands
from firebreak.model.mode import Mode
from firebreak.model.playbook import Playbook
from firebreak.model.step import LoadedStep
from firebreak.model.todo import Instruction
from firebreak.playbook import choose_playbook, find_playbooks
from firebreak.settings import Settings
from firebreak.store import Claimed, Store


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Opened:
    """An incident that an alert belongs to; `is_new` is False when the alert was seen before, or joined one that runs (`is_joined`).

    `beside` is the alert's own incident, when this is a further one under another playbook.
    """

    incident: Incident
    is_new: bool
    state: str
    is_joined: bool = False
    beside: str = ""


class NoteStep(Protocol):
    def __call__(self, step: str, round: int = 0) -> None: ...  # noqa: A002


@dataclass(frozen=True)
class Clouds:
    """Eyes and hands of one incident; `note_step` says which step asks from now on, and in which round, for the evidence."""

    eyes: Eyes
    hands: Hands
    note_step: NoteStep


@dataclass(frozen=True)
class EngineRoom:
    """Shared parts. `steps` and `instructions` come from the runbook, handed in because the engine does not import it.

    `transport` replaces the network; `sleep` and `monotonic` then belong to the same world as `clock`.
    """

    settings: Settings
    store: Store
    audit: AuditLog
    approvers: Approvers
    desk: GateDesk
    evidence: EvidenceStore
    steps: Mapping[str, LoadedStep]
    clock: Callable[[], datetime] = utc_now
    instructions: Sequence[Instruction] = ()
    transport: Transports | None = None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    monotonic: Callable[[], float] = time.monotonic

    @property
    def confirmations(self) -> ConfirmationDesk:
        """Where people say what they have done."""
        return ConfirmationDesk(self.store, self.approvers, self.audit, self.clock)

    def playbooks(self) -> dict[str, Playbook]:
        """Shipped playbooks and those in `<home>/playbooks`, checked against the steps there are."""
        return find_playbooks(
            self.settings.home / "playbooks", steps={name: loaded.step for name, loaded in self.steps.items()}
        )

    def playbook(self, name: str) -> Playbook:
        """One playbook by id.

        Raises:
            ContentError: there is none; names those there are.
        """
        found = self.playbooks()
        if name not in found:
            raise ContentError(
                f"There is no playbook {name!r}.", hint=f"There are: {', '.join(found)}. See: firebreak playbooks list"
            )
        return found[name]

    def open(
        self,
        raw: bytes,
        *,
        place: str,
        mode: Mode,
        requested_by: str,
        playbook: str = "",
        alert: Alert | None = None,
        joins: bool = False,
    ) -> Opened:
        """Open the incident of an alert, or find the one it already has. The raw bytes are kept before anything is decided.

        A live incident is opened once per alert, and once more for each other playbook that is named. Each dry run is an incident of its own.
        `alert` is what a channel read out of the bytes (default: they are parsed as an alert file). With `joins` an incident of the same
        subscription that still runs takes the alert in.

        Raises:
            AlertError, ContentError: the alert or the playbook cannot be used; nothing was opened.
        """
        kept = self.evidence.put(raw)
        if alert is None:
            alert = parse_alert(raw, place=place, now=self.clock(), default_tenant=self.settings.credential.tenant_id)
        hours = self.settings.intake.join_hours
        within = timedelta(hours=hours) if joins and hours else None
        found = self._found(alert, kept, within, requested_by) if mode is Mode.LIVE else None
        if found is not None and (joins or playbook in ("", found.incident.playbook)):
            return found
        chosen = self.playbook(playbook) if playbook else choose_playbook(alert.type, self.playbooks())
        partner.check_fit(alert, chosen, self.settings)
        # A playbook that no alert asks for never is the answer to one: what comes later is not to find it and stop there.
        own = self.store.cases.incident_of(alert)
        beside = not joins and (
            not chosen.applies_to or bool(playbook and own and self.store.incidents.get(own).playbook != chosen.id)
        )
        number = 1
        while True:
            incident = open_incident(
                alert,
                playbook=chosen.id,
                mode=mode,
                now=self.clock(),
                requested_by=requested_by,
                number=number,
                beside=beside,
            )
            with self.store.write() as tx:
                if mode is Mode.LIVE:
                    slot = chosen.id if beside else ""
                    claimed = self.store.cases.claim(
                        tx, incident, raw_alert_digest=kept, join_within=within, beside=slot
                    )
                else:
                    added = self.store.incidents.add(incident, raw_alert_digest=kept, tx=tx)
                    claimed = Claimed(incident.id, added, False)
                if claimed.is_new:
                    self._remember(tx, incident, chosen, alert)
                elif claimed.is_joined:
                    self._note_joined(tx, claimed.incident, alert, requested_by)
            if claimed.is_new:
                return Opened(incident, True, "open", beside=own if beside else "")
            if mode is Mode.LIVE:
                return replace(self._opened(claimed), beside=own if beside else "")
            number += 1

    def _found(self, alert: Alert, kept: str, within: timedelta | None, requested_by: str) -> Opened | None:
        """The incident that an alert is in already, or joins now; no playbook is read for it."""
        with self.store.write() as tx:
            claimed = self.store.cases.find(tx, alert, raw_alert_digest=kept, join_within=within, now=self.clock())
            if claimed is not None and claimed.is_joined:
                self._note_joined(tx, claimed.incident, alert, requested_by)
        return None if claimed is None else self._opened(claimed)

    def _opened(self, claimed: Claimed) -> Opened:
        found = self.store.incidents.row(claimed.incident)
        return Opened(found.incident, False, found.state, claimed.is_joined)

    @asynccontextmanager
    async def connect(self, incident_id: str, *, mode: Mode | None = None) -> AsyncIterator[Clouds]:
        """Open the clouds for one incident, in its customer's tenant and in its mode, or a stricter one that is given. Every answer to a read is
        kept as evidence of the step that asked.
        """
        incident = self.store.incidents.get(incident_id)
        asking = ("intake", 0)
        orders = itertools.count(1)
        recorders: dict[tuple[str, int], Recorder] = {}

        async def record(answer: Recorded) -> None:
            step, number = asking
            if asking not in recorders:
                recorders[asking] = self.evidence.recorder(incident.id, step, round=number, orders=orders)
            await recorders[asking](answer)

        def note_step(step: str, round: int = 0) -> None:  # noqa: A002
            nonlocal asking
            asking = (step, round)

        async with connect(
            self.settings.for_customer(incident.alert.customer_tenant_id),
            subscription_id=incident.subscription_id,
            mode=incident.mode if mode is None or not incident.mode.may_write else mode,
            correlation_id=_correlation(incident),
            recorder=record,
            transport=self.transport,
            clock=self.clock,
            sleep=self.sleep,
            monotonic=self.monotonic,
        ) as connection:
            yield Clouds(_remembering(self.store, incident.id, connection.eyes), connection.hands, note_step)

    def fail(self, incident_id: str, error: ResponseError) -> None:
        """Note that a run ended with an error; a person or a new run goes on from here.

        An incident that has ended stays ended, and a run that only lost its lease says nothing of the incident: another run has it.
        """
        if not incident_id or isinstance(error, LeaseLostError):
            return
        incident = self.store.incidents.find(incident_id)
        if incident is None:
            return
        if self.store.incidents.state(incident_id) not in ("done", "stopped"):
            with self.store.write() as tx:
                if incident.mode is Mode.LIVE:
                    notices.add_end(tx, incident_id, "failed", str(error), self.clock())
                self.store.incidents.set_state(incident_id, "failed", error.message, tx=tx)
            data = {"code": error.code, "message": error.message}
            self.audit.append(incident_id, "run.failed", who="engine", data=data)

    def _remember(self, tx: Connection, incident: Incident, playbook: Playbook, alert: Alert) -> None:
        # The playbook as it is now: an edit while a gate waits must not change the run.
        self.store.values.set(incident.id, "playbook", msgspec.to_builtins(playbook), tx=tx)
        if incident.mode is Mode.LIVE:
            notices.add_opened(tx, incident.id, f"{alert.title} ({alert.type})", self.clock())
        self.audit.append(
            incident.id,
            "incident.opened",
            who=incident.requested_by,
            data={
                "alert": alert.id,
                "type": alert.type,
                "mode": str(incident.mode),
                "playbook": playbook.id,
                "playbook_digest": playbook.digest,
                "raw": alert.raw_digest,
                "correlation_id": _correlation(incident),
            },
            tx=tx,
        )

    def _note_joined(self, tx: Connection, incident: str, alert: Alert, who: str) -> None:
        data = {
            "alert": alert.id,
            "type": alert.type,
            "title": alert.title,
            "source": alert.source,
            "raw": alert.raw_digest,
        }
        self.audit.append(incident, "alert.joined", who=who, data=data, tx=tx)


OWN_IDS = "own-principal-ids"


def _remembering(store: Store, incident_id: str, eyes: CloudEyes) -> Eyes:
    """Eyes that keep whom the run signed in as: it comes from a token, so that no recorded answer tells it."""

    async def own_ids() -> tuple[str, ...]:
        found = await eyes.own_ids()
        if store.values.get(incident_id, OWN_IDS) != list(found):
            store.values.set(incident_id, OWN_IDS, list(found))
        return found

    return replace(eyes, own_ids=own_ids)


def _correlation(incident: Incident) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"firebreak:{incident.id}"))


@contextmanager
def open_engine_room(
    settings: Settings,
    steps: Mapping[str, LoadedStep],
    *,
    instructions: Sequence[Instruction] = (),
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[EngineRoom]:
    """Open store, evidence and gate desk of this installation.

    Raises:
        SettingsError: the database, the evidence folder or the key cannot be used.
    """
    with ExitStack() as closing:
        try:
            store = closing.enter_context(Store.open(settings.database_url))
            audit = AuditLog(store, clock)
            approvers = Approvers(
                store,
                settings.seal_key(lambda secret, name: reveal_now(secret, name, settings)),
                settings.approvers_file,
            )
            evidence = EvidenceStore(settings.evidence_url)
        except OSError as error:
            raise SettingsError(
                f"The state of this installation cannot be kept at {error.filename or settings.home}: {error.strerror}.",
                hint="Set FIREBREAK_HOME, FIREBREAK_DATABASE_URL and FIREBREAK_EVIDENCE_URL to places that may be written.",
            ) from error
        except DatabaseError as error:
            # The driver's own words: SQLAlchemy adds the statement and the address, which may hold a password.
            raise SettingsError(
                f"The incident store cannot be opened: {str(error.orig).strip()}.",
                hint="See FIREBREAK_DATABASE_URL and FIREBREAK_HOME: is the database there, up, and may it be written?",
            ) from error
        yield EngineRoom(
            settings=settings,
            store=store,
            audit=audit,
            approvers=approvers,
            desk=GateDesk(store, approvers, audit, clock, settings.pre_authorised_playbooks),
            evidence=evidence,
            steps=steps,
            instructions=tuple(instructions),
            clock=clock,
        )
