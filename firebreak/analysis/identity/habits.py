"""How an identity usually signs in, and what of a sign-in it never had before. Records in, `Habit`s and names of traits out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from firebreak.analysis.history import same_network
from firebreak.analysis.identity.sign_in_records import APPLICATION, MANAGED, SUCCEEDED, Record
from firebreak.model.identity import Habit

COUNTRY, ADDRESS, DEVICE, APP, CREDENTIAL = "country", "address", "device", "application", "credential"
LEAST_DAYS, LEAST_SIGN_INS = 3, 5
_MOST = 200  # different values remembered of each trait


def key_of(record: Record) -> str:
    """What tells identities apart: the object id, else the name."""
    return record.principal_id or record.who.lower()


def habits_of(records: Iterable[Record], before: datetime) -> dict[str, Habit]:
    """The habits of every identity that signed in with success before a time. A renewed token counts as much as an interactive sign-in."""
    grouped: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if record.at < before and record.result == SUCCEEDED:
            grouped[key_of(record)].append(record)
    return {key: _habit(done) for key, done in grouped.items()}


def _habit(done: list[Record]) -> Habit:
    devices = [name for record in done for name in {record.device_id, record.device} if name]
    return Habit(
        who=done[0].who,
        principal_id=done[0].principal_id,
        first=min(record.at for record in done),
        sign_ins=len(done),
        days=len({record.at.date() for record in done}),
        addresses=_counts(record.address for record in done),
        countries=_counts(record.country for record in done),
        devices=_counts(devices),
        applications=_counts(record.app_id or record.app for record in done),
        credentials=_counts(record.credential_id for record in done),
        multi=sum(record.factor == "multi" for record in done),
        single=sum(record.factor == "single" for record in done),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(value for value in values if value).most_common(_MOST)))


def is_known(habit: Habit | None) -> bool:
    """Whether the past is long enough to call anything new."""
    return habit is not None and habit.days >= LEAST_DAYS and habit.sign_ins >= LEAST_SIGN_INS


def unfamiliar(record: Record, habit: Habit | None) -> tuple[str, ...]:
    """The traits of a sign-in that its identity never had before; empty when its past is too short. What the record leaves out is not new."""
    if habit is None or not is_known(habit):
        return ()
    found = []
    if record.country and habit.countries and record.country not in habit.countries:
        found.append(COUNTRY)
    if record.address and habit.addresses and not _is_near(record.address, habit):
        found.append(ADDRESS)
    named = {record.device_id, record.device} - {""}
    if named and habit.devices and not named & habit.devices.keys():
        found.append(DEVICE)
    app = record.app_id or record.app
    if record.is_person and app and habit.applications and app not in habit.applications:
        found.append(APP)
    with_credential = record.kind == APPLICATION and record.credential_id and habit.credentials
    if with_credential and record.credential_id not in habit.credentials:
        found.append(CREDENTIAL)
    return () if record.kind == MANAGED else tuple(found)


def uses_second_factor(habit: Habit | None) -> bool:
    """Whether nearly all earlier sign-ins asked for more than one factor."""
    return habit is not None and habit.multi >= LEAST_SIGN_INS and habit.single * 10 <= habit.multi


def roams(habit: Habit | None) -> bool:
    """Whether an identity comes from ever new addresses, as hosted build agents do."""
    return habit is not None and len(habit.addresses) >= 5 and len(habit.addresses) * 3 > habit.sign_ins


def _is_near(address: str, habit: Habit) -> bool:
    return address in habit.addresses or any(same_network(address, other) for other in habit.addresses)
