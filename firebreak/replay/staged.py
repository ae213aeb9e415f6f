"""A bundle set up for its replay: an engine room of its own in a folder that is thrown away, the record's clock, settings and answers.

Nothing of this machine shapes it: no environment, settings file, store, playbook folder or time of day.
"""

from __future__ import annotations

import base64
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from firebreak.approval import Approvers, GateDesk
from firebreak.audit import AuditLog
from firebreak.bundle import Bundle
from firebreak.clients import connect
from firebreak.clients.playback import Missing, Playback
from firebreak.engine.room import Clouds, EngineRoom
from firebreak.errors import AlertError, BundleError, SettingsError
from firebreak.evidence import EvidenceStore
from firebreak.intake.alerts import parse_alert
from firebreak.model.alert import Incident
from firebreak.model.mode import Mode
from firebreak.model.plan import UNDO
from firebreak.model.playbook import Playbook
from firebreak.model.step import LoadedStep
from firebreak.replay.answers import Answering, Decide, Policy
from firebreak.replay.clock import RecordedClock
from firebreak.replay.engine import ReplayEngine
from firebreak.replay.past import Past, past_of
from firebreak.settings import Settings
from firebreak.store import Store


@dataclass(frozen=True)
class Staged:
    """One replay, ready to run. `engine()` connects it; `missing` is what it asked and the record does not tell."""

    bundle: Bundle
    past: Past
    room: EngineRoom
    incident: Incident
    desk: Answering
    _playback: Playback
    _clock: RecordedClock

    @property
    def missing(self) -> tuple[Missing, ...]:
        return self._playback.missing

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[ReplayEngine]:
        """Open the incident's engine over the recorded answers."""
        async with connect(
            self.room.settings,
            subscription_id=self.incident.subscription_id,
            mode=Mode.REPLAY,
            correlation_id="",
            transport=self._playback.transports,
            clock=self._clock,
            sleep=_no_wait,
            monotonic=lambda: 0.0,
        ) as connection:
            eyes = replace(connection.eyes, own_ids=self._own_ids)
            clouds = Clouds(eyes, connection.hands, self._playback.turn_to)
            yield ReplayEngine(self.room, self.incident.id, clouds, past=self.past, clock=self._clock, desk=self.desk)

    async def _own_ids(self) -> tuple[str, ...]:
        if not self.bundle.head.own_principal_ids:
            raise BundleError(
                f"{self.bundle.place}: incident.yaml has no own_principal_ids: whom the run was signed in as is not known.",
                hint="Without them, own access could not be kept out of a plan.",
            )
        return self.bundle.head.own_principal_ids


async def _no_wait(_: float) -> None:
    return None


@contextmanager
def stage_replay(
    bundle: Bundle,
    steps: Mapping[str, LoadedStep],
    *,
    playbook: Playbook | None = None,
    policy: Policy = Policy.RECORDED,
    home: Path | None = None,
) -> Iterator[Staged]:
    """Set up the replay of a bundle, with the playbook of then or another one. The bundle's audit log is verified first.

    `home` keeps the reports; without it they go with everything else when the context ends.

    Raises:
        BundleError: the bundle has no round, or its alert or settings cannot be used.
        IntegrityError: its audit chain does not add up.
    """
    bundle.verify()
    past = past_of(bundle)
    first = min(past.rounds)
    clock = RecordedClock(past.rounds[first].began_at)
    with tempfile.TemporaryDirectory(prefix="firebreak-replay-") as folder:
        scratch = Path(folder)
        try:
            settings = Settings.as_shaped(past.rounds[first].settings, home or scratch)
        except SettingsError as error:
            raise BundleError(f"{bundle.place}: incident.yaml: rounds: {error.message}", hint=error.hint) from error
        store_url = f"sqlite:///{scratch / 'replay.db'}"
        with Store.open(store_url, clock=clock.ticking, lasting=False) as store:
            audit = AuditLog(store, clock)
            approvers = Approvers(store, base64.urlsafe_b64encode(secrets.token_bytes(32)), None)
            incident = _incident(bundle)
            store.incidents.add(incident, raw_alert_digest=bundle.head.alert.raw_digest)
            store.values.set(incident.id, "playbook", msgspec.to_builtins(playbook or bundle.playbook))
            desk = Answering(Decide(policy, past.answers), clock)
            room = EngineRoom(
                settings=settings,
                store=store,
                audit=audit,
                approvers=approvers,
                desk=GateDesk(store, approvers, audit, clock),
                evidence=EvidenceStore((scratch / "evidence").as_uri()),
                steps=steps,
                clock=clock,
                sleep=_no_wait,
            )
            stages = {stage.id for stage in bundle.playbook.stages} | {UNDO}
            playback = Playback(bundle.evidence, bundle.body, stages=stages)
            yield Staged(bundle, past, room, incident, desk, playback, clock)


def _incident(bundle: Bundle) -> Incident:
    """The incident over again: of the same case, so that the same plan has the same digest, and in a mode that cannot write."""
    head = bundle.head
    try:
        alert = parse_alert(
            bundle.alert,
            place=f"{bundle.place}: alert.json",
            now=head.alert.detected_at,
            default_tenant=head.incident.customer_tenant_id,
        )
    except AlertError as error:
        raise BundleError(error.message, hint=error.hint) from error
    if alert.subscription_id != head.incident.subscription_id:
        raise BundleError(
            f"{bundle.place}: alert.json is about subscription {alert.subscription_id}, incident.yaml about another.",
            hint="Get the bundle again, whole.",
        )
    return Incident(
        id=f"{head.incident.case}-replay",
        case=head.incident.case,
        alert=msgspec.structs.replace(alert, raw_digest=head.alert.raw_digest, id=head.alert.id),
        playbook=head.playbook.id,
        mode=Mode.REPLAY,
        opened_at=head.incident.opened_at,
        requested_by=head.incident.requested_by,
    )
