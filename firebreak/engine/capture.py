"""A capture: a subscription that had no run, looked at as a dry run would look at it, in a working folder of its own until it is whole.

    with open_capture(Path("contoso.zip"), asked, settings, steps) as capture:     # the same words again go on with it
        await record_into(capture, ...)                                            # the order is `flows.capture`'s business
        write_bundle(capture.files(), capture.out)

The working folder lies beside `out` and is named after it. It holds a store, the evidence and a lock, and goes once the bundle is written.
"""

from __future__ import annotations

import base64
import json
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import DatabaseError

from firebreak.approval import Approvers, GateDesk
from firebreak.audit import AuditLog
from firebreak.bundle import contents_of, open_bundle
from firebreak.clients import Recorded, Recorder
from firebreak.engine.room import EngineRoom, utc_now
from firebreak.errors import ContentError
from firebreak.evidence import EvidenceStore
from firebreak.model.alert import Incident
from firebreak.model.ids import guid
from firebreak.model.mode import Mode
from firebreak.model.step import LoadedStep
from firebreak.settings import Settings
from firebreak.signatures import SigningKey
from firebreak.store import Store

SUFFIX = ".capturing"
LONGEST = timedelta(hours=12)  # what was read longer ago than that does not belong to what is read now
_ROUND = 1


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to record: which subscription of which tenant, with the reads of which playbook, and since when something may be wrong."""

    subscription_id: str
    tenant_id: str
    playbook: str
    since: datetime | None = None


class Capture:
    """One capture under way. `resumed`: an earlier process began it; `written`: it also wrote the bundle, and was cut off after that."""

    def __init__(self, room: EngineRoom, incident: Incident, out: Path, *, resumed: bool) -> None:
        self.room, self.incident, self.out, self.resumed = room, incident, out, resumed
        self.written = out.exists()

    @property
    def answers(self) -> int:
        """How many answers this process has kept so far."""
        return self.room.evidence.answers if isinstance(self.room.evidence, _Counting) else 0

    def files(self, key: SigningKey | None = None) -> dict[str, bytes]:
        """What the bundle holds; signed with a key. Raises as `contents_of`."""
        room = self.room
        return contents_of(room.store, room.evidence, room.audit, self.incident.id, key=key)


class _Counting(EvidenceStore):
    """Evidence that counts what it keeps, for whoever watches."""

    answers = 0

    def recorder(self, *words: Any, **named: Any) -> Recorder:
        keep = super().recorder(*words, **named)

        async def count(answer: Recorded) -> None:
            await keep(answer)
            self.answers += 1

        return count


def working_folder(out: Path) -> Path:
    """Where the capture that ends in `out` is kept until then."""
    return out.with_name(out.name + SUFFIX)


@contextmanager
def open_capture(
    out: Path,
    asked: Asked,
    settings: Settings,
    steps: Mapping[str, LoadedStep],
    *,
    requested_by: str,
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Capture]:
    """Begin the capture that ends in `out`, or go on with the one that an earlier process left.

    Raises:
        ContentError: `out` is there, another process is at it, or what was begun is another capture, too old, or damaged.
        SettingsError: the playbook does not load.
    """
    folder = working_folder(out)
    if out.exists() and not folder.exists():
        raise ContentError(f"{out} is there already; nothing was read.", hint="Name another place.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as closing:
            closing.enter_context(_alone(folder))
            store = closing.enter_context(Store.open(f"sqlite:///{folder / 'capture.db'}"))
            room = _room(folder, store, settings, steps, clock)
            begun = _begun(store)
            incident = begun or _begin(room, asked, requested_by)
            _check(room, incident, asked, out)
            yield Capture(room, incident, out, resumed=begun is not None)
    except OSError as error:
        raise ContentError(
            f"{error.filename or folder} cannot be used: {error.strerror}.", hint="Name a place that may be written."
        ) from error
    except DatabaseError as error:
        raise ContentError(
            f"What was begun in {folder} is damaged.", hint="Remove that folder and begin again."
        ) from error


def finish(capture: Capture) -> None:
    """Remove the working folder of a capture whose bundle was written."""
    shutil.rmtree(working_folder(capture.out), ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process however it ends."""
    lock = sqlite3.connect(folder / "lock.db", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise ContentError(
                f"Another process is at the capture in {folder}.", hint="Wait until it ends, or name another place."
            ) from error
        yield
    finally:
        lock.close()


def _room(
    folder: Path, store: Store, settings: Settings, steps: Mapping[str, LoadedStep], clock: Callable[[], datetime]
) -> EngineRoom:
    audit = AuditLog(store, clock)
    # Nobody approves anything here, and no later process has to believe a seal of this one.
    approvers = Approvers(store, base64.urlsafe_b64encode(secrets.token_bytes(32)), None)
    return EngineRoom(
        settings=settings,
        store=store,
        audit=audit,
        approvers=approvers,
        desk=GateDesk(store, approvers, audit, clock),
        evidence=_Counting((folder / "evidence").absolute().as_uri()),
        steps=steps,
        clock=clock,
    )


def _begun(store: Store) -> Incident | None:
    """The capture that is in the store already; one that was cut off before its playbook was kept is begun anew."""
    rows = (row.incident for row in store.incidents.list())
    return next((incident for incident in rows if store.values.get(incident.id, "playbook")), None)


def _begin(room: EngineRoom, asked: Asked, requested_by: str) -> Incident:
    now = room.clock()
    alert: dict[str, str] = {
        "id": f"capture-{asked.subscription_id}-{now:%Y%m%dT%H%M%SZ}",
        "type": "capture",
        "title": "Recorded without an alert",
        "subscriptionId": asked.subscription_id,
        "customerTenantId": asked.tenant_id,
        "detectedDateTime": now.isoformat(),
    }
    if asked.since is not None:
        alert["firstObservedDateTime"] = asked.since.isoformat()
    raw = json.dumps(alert, indent=2).encode()
    return room.open(
        raw, place="the capture", mode=Mode.DRY_RUN, requested_by=requested_by, playbook=asked.playbook
    ).incident


def _check(room: EngineRoom, incident: Incident, asked: Asked, out: Path) -> None:
    """Refuse to mix two captures into one."""
    folder = working_folder(out)
    if out.exists():
        with open_bundle(out) as bundle:
            if bundle.incident.id != incident.id:
                raise ContentError(f"{out} is there already, and of another incident.", hint="Name another place.")
        return
    again = f"Remove {folder} to begin again, or name another place."
    begun = Asked(
        subscription_id=incident.subscription_id,
        tenant_id=incident.alert.customer_tenant_id,
        playbook=incident.playbook,
        since=incident.alert.first_observed_at,
    )
    names = [name for name in Asked.__struct_fields__ if getattr(begun, name) != getattr(asked, name)]
    if names:
        was = ", ".join(f"{name} {getattr(begun, name)}" for name in names)
        raise ContentError(f"The capture in {folder} was begun with another {was}.", hint=again)
    shape = room.store.values.get(incident.id, f"settings-{_ROUND}")
    now = room.settings.for_customer(asked.tenant_id).that_shape_a_plan()
    if shape and (moved := sorted(name for name in {*shape, *now} if shape.get(name) != now.get(name))):
        raise ContentError(
            f"The capture in {folder} was begun with other settings: {', '.join(moved)}.",
            hint=f"Set them as they were. {again}",
        )
    began = room.store.values.get(incident.id, f"round-{_ROUND}")
    if began and room.clock() - datetime.fromisoformat(began) > LONGEST:
        raise ContentError(
            f"The capture in {folder} began at {began[:16]} UTC; what it read does not belong to what would be read now.",
            hint=again,
        )


def asked_for(subscription: str, tenant: str, playbook: str, since: datetime | None) -> Asked:
    """Return the request in one spelling.

    Raises:
        ScopeError: an id is not a GUID.
    """
    return Asked(
        subscription_id=guid(subscription, "--subscription"),
        tenant_id=guid(tenant, "The customer's tenant (FIREBREAK_CREDENTIAL__TENANT_ID)"),
        playbook=playbook,
        since=since,
    )
