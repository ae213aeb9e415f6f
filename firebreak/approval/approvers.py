"""People who may approve, with their one-time codes. Seeds lie encrypted in the store; a drill's people come from a file.

Each code works once, five wrong ones lock a person out for ten minutes, and nothing here ever shows a seed but `enrol`, once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import pyotp
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, delete, select, update

from firebreak.errors import ApprovalError, IntegrityError, SettingsError
from firebreak.model.alert import Incident
from firebreak.model.canonical import canonical_bytes
from firebreak.store import Store
from firebreak.store.database import insert_once
from firebreak.store.schema import approvers as table
from firebreak.store.schema import code_failures, used_codes

CODE_SECONDS: Final = 30
_MAX_FAILURES: Final = 5
_LOCKED_FOR: Final = timedelta(minutes=10)


class Approver(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may answer gates of their roles. `from_file` people belong to a drill and are not in the store.

    `playbooks` are ids, `customers` tenant or subscription ids in lower case; an empty one means all. `logins` are the names under which the
    person asks for things at a terminal.
    """

    name: str
    roles: tuple[str, ...]
    logins: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    from_file: bool = False

    def covers(self, incident: Incident) -> bool:
        """Whether the incident's playbook and customer are within what this person may answer for."""
        customer = {incident.alert.customer_tenant_id.lower(), incident.subscription_id.lower()}
        return (not self.playbooks or incident.playbook in self.playbooks) and (
            not self.customers or bool(customer & set(self.customers))
        )


class _Sealed(msgspec.Struct, frozen=True):
    """What lies encrypted: the seed bound to name, roles, scope and logins, so that none can be swapped by editing the database."""

    person: str
    roles: tuple[str, ...]
    seed: str
    playbooks: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()


class _FilePerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    roles: tuple[str, ...]
    totp_secret: str
    playbooks: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()


def person_key(name: str) -> str:
    """Return the one spelling under which a name is compared; "" for a name that nobody can have."""
    normal = " ".join(unicodedata.normalize("NFKC", name).split()).casefold()
    return normal if normal.isprintable() and len(normal) <= 150 else ""


class Approvers:
    """Enrols, finds and checks people. `key` is a Fernet key (32 bytes, URL-safe base64).

    Raises:
        SettingsError: the key or the file cannot be used.
    """

    def __init__(self, store: Store, key: bytes, file: Path | None) -> None:
        self._store = store
        try:
            self._fernet = Fernet(key)
            self._sealing_key = hashlib.sha256(b"firebreak-approval\n" + base64.urlsafe_b64decode(key)).digest()
        except ValueError as error:
            raise SettingsError(
                "The key of the approvers' seeds is not a Fernet key.",
                hint="It has 32 bytes in URL-safe base64; make one with `cryptography.fernet.Fernet.generate_key()`.",
            ) from error
        self._file = _read_file(file) if file is not None else {}

    def enrol(
        self,
        name: str,
        roles: Sequence[str],
        *,
        playbooks: Sequence[str] = (),
        customers: Sequence[str] = (),
        logins: Sequence[str] = (),
    ) -> str:
        """Add a person and return their TOTP seed (base32). It cannot be shown again. A revoked person gets a new seed.

        `playbooks` (ids) and `customers` (tenant or subscription ids) limit what the person may answer for; none means all.
        `logins` are the names under which the person asks for things at a terminal.

        Raises:
            SettingsError: the name is taken or cannot be used, there is no role, or a customer is not an id.
        """
        person = person_key(name)
        clean = _words(roles)
        if not person or not clean:
            raise SettingsError(f"{name!r} cannot be enrolled.", hint="Give a printable name and at least one role.")
        seed = pyotp.random_base32()
        scoped = _Sealed(person, clean, seed, _words(playbooks), _customers(customers), _words(logins))
        sealed = self._fernet.encrypt(msgspec.json.encode(scoped)).decode()
        row = {"name": " ".join(name.split()), "sealed": sealed, "enrolled_at": self._store.clock(), "revoked_at": None}
        with self._store.write() as tx:
            taken = person in self._file
            if not taken and not insert_once(tx, table, {"person": person, **row}):
                again = update(table).where(table.c.person == person, table.c.revoked_at.is_not(None)).values(**row)
                taken = tx.execute(again).rowcount != 1
            tx.execute(delete(code_failures).where(code_failures.c.person == person))
        if taken:
            raise SettingsError(f"There is an approver {name!r} already.", hint="Revoke that one first.")
        return seed

    def add_logins(self, name: str, logins: Sequence[str]) -> Approver | None:
        """Note further logins of an enrolled person, who keeps seed, roles and scope; None when nobody is enrolled so.

        A login is never taken away: whoever asked under it stays known. Raises IntegrityError as `check`.
        """
        person = person_key(name)
        with self._store.write() as tx:
            row = tx.execute(select(table).where(table.c.person == person, table.c.revoked_at.is_(None))).one_or_none()
            if row is None:
                return None
            opened = self._open(person, row.sealed)
            more = msgspec.structs.replace(opened, logins=_words((*opened.logins, *logins)))
            sealed = self._fernet.encrypt(msgspec.json.encode(more)).decode()
            tx.execute(update(table).where(table.c.person == person).values(sealed=sealed))
            return _approver(row.name, more)

    def revoke(self, name: str) -> bool:
        """Take a person's right to approve away, and with it every approval not yet used; False when there is none such."""
        gone = update(table).where(table.c.person == person_key(name), table.c.revoked_at.is_(None))
        with self._store.write() as tx:
            # Without the seed: taking the mark away in the database gives nobody their right back.
            return tx.execute(gone.values(revoked_at=self._store.clock(), sealed="")).rowcount == 1

    def list(self, *, tx: Connection | None = None) -> list[Approver]:
        """Everybody who may approve now, by name."""
        if tx is None:
            with self._store.read() as own:
                return self.list(tx=own)
        rows = tx.execute(select(table.c.name, table.c.person, table.c.sealed).where(table.c.revoked_at.is_(None)))
        people = [_approver(r.name, self._open(r.person, r.sealed)) for r in rows]
        people += [_of_file(p) for p in self._file.values()]
        return sorted(people, key=lambda p: person_key(p.name))

    def who_may_answer(self, roles: Sequence[str], incident: Incident) -> tuple[Approver, ...]:
        """Everybody with one of these roles whose scope covers the incident, by name."""
        return tuple(p for p in self.list() if set(p.roles) & set(roles) and p.covers(incident))

    def find(self, name: str, *, tx: Connection | None = None) -> Approver | None:
        """Return the person with this name (any case and spacing), or None. Raises IntegrityError as `check`."""
        if tx is None:
            with self._store.read() as own:
                return self.find(name, tx=own)
        found = self._load(person_key(name), tx)
        return found[0] if found else None

    def check(
        self, tx: Connection, name: str, code: str, now: datetime, *, given_at: datetime | None = None
    ) -> Approver:
        """Check a person's code inside the caller's transaction and use it up. The caller commits even when this raises.

        `given_at` is when the code has to have been right, if not `now`.

        Raises:
            ApprovalError: unknown_person, locked_out, wrong_code or reused_code.
            IntegrityError: the person's row was edited, or sealed with another key.
        """
        person = person_key(name)
        found = self._load(person, tx)
        if found is None:
            raise ApprovalError(
                "Nobody of this name may approve.", reason="unknown_person", hint="Ask the operator to enrol them."
            )
        approver, seed = found
        insert_once(tx, code_failures, {"person": person, "failures": 0, "locked_until": None})
        mine = code_failures.c.person == person
        failed = tx.execute(select(code_failures).where(mine).with_for_update()).one()
        if failed.locked_until is not None and now < failed.locked_until:
            raise ApprovalError(
                f"{approver.name} is locked out until {failed.locked_until:%H:%M:%S} UTC after wrong codes.",
                reason="locked_out",
                hint="Wait, or let another approver answer.",
            )
        step = _matching_step(seed, code, given_at or now)
        if step is not None and insert_once(tx, used_codes, {"person": person, "step": step, "used_at": now}):
            tx.execute(update(code_failures).where(mine).values(failures=0, locked_until=None))
            return approver
        failures = failed.failures + 1
        locked = failures >= _MAX_FAILURES
        tx.execute(
            update(code_failures)
            .where(mine)
            .values(failures=0 if locked else failures, locked_until=now + _LOCKED_FOR if locked else None)
        )
        out = f" {approver.name} is locked out until {now + _LOCKED_FOR:%H:%M:%S} UTC." if locked else ""
        if step is None:
            hint = "Use the newest code; check the clock."
            raise ApprovalError(f"The code is wrong.{out}", reason="wrong_code", hint=hint)
        raise ApprovalError(f"The code was used before.{out}", reason="reused_code", hint="Wait for the next code.")

    def burn(self, tx: Connection, name: str, code: str, now: datetime, *, given_at: datetime | None = None) -> None:
        """Use up a right code that came with an answer nobody will count, so that no one who saw it can use it."""
        found = self._load(person_key(name), tx)
        step = _matching_step(found[1], code, given_at or now) if found else None
        if step is not None:
            insert_once(tx, used_codes, {"person": person_key(name), "step": step, "used_at": now})

    def reseal(self, tx: Connection, new: Approvers) -> int:
        """Seal every enrolled person's seed, roles and scope under the key of `new`; return how many. Raises IntegrityError as `check`."""
        rows = tx.execute(select(table.c.person, table.c.sealed).where(table.c.revoked_at.is_(None))).all()
        for row in rows:
            sealed = new._fernet.encrypt(msgspec.json.encode(self._open(row.person, row.sealed))).decode()
            tx.execute(update(table).where(table.c.person == row.person).values(sealed=sealed))
        return len(rows)

    def seal(self, value: object) -> str:
        """Return a MAC over a value under the engine's key: what lies in the database cannot be forged without it."""
        return hmac.new(self._sealing_key, canonical_bytes(value), hashlib.sha256).hexdigest()

    def _load(self, person: str, tx: Connection) -> tuple[Approver, str] | None:
        if not person:
            return None
        wanted = select(table).where(table.c.person == person, table.c.revoked_at.is_(None))
        row = tx.execute(wanted).one_or_none()
        if row is not None:
            sealed = self._open(person, row.sealed)
            return _approver(row.name, sealed), sealed.seed
        drilled = self._file.get(person)
        if drilled is None:
            return None
        return _of_file(drilled), drilled.totp_secret

    def _open(self, person: str, sealed: str) -> _Sealed:
        hint = "Revoke and enrol the person again, or restore the key."
        try:
            opened = msgspec.json.decode(self._fernet.decrypt(sealed.encode()), type=_Sealed)
        except (InvalidToken, msgspec.DecodeError, msgspec.ValidationError) as error:
            raise IntegrityError(f"The seed of {person!r} cannot be opened with this key.", hint=hint) from error
        if opened.person != person:
            raise IntegrityError(f"The seed stored for {person!r} belongs to somebody else.", hint=hint)
        return opened


def _approver(name: str, sealed: _Sealed) -> Approver:
    return Approver(
        name=name, roles=sealed.roles, playbooks=sealed.playbooks, customers=sealed.customers, logins=sealed.logins
    )


def _of_file(person: _FilePerson) -> Approver:
    customers = _customers(person.customers)
    return Approver(
        name=person.name,
        roles=person.roles,
        playbooks=person.playbooks,
        customers=customers,
        logins=person.logins,
        from_file=True,
    )


def _words(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({word.strip() for word in given if word.strip()}))


def _customers(given: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(sorted({str(UUID(word.strip())) for word in given}))
    except ValueError as error:
        raise SettingsError(
            f"A customer is the id of a tenant or a subscription, not {', '.join(map(repr, given))}.",
            hint="It looks like 22222222-2222-4222-8222-222222222222.",
        ) from error


def _matching_step(seed: str, code: str, now: datetime) -> int | None:
    """Return the time step a code belongs to: the current one, one before or one after."""
    current = int(now.timestamp()) // CODE_SECONDS
    otp = pyotp.TOTP(seed, interval=CODE_SECONDS)
    given = "".join(code.split()).encode()
    steps = [s for s in (current - 1, current, current + 1) if hmac.compare_digest(otp.generate_otp(s).encode(), given)]
    return steps[0] if steps else None


def _read_file(file: Path) -> dict[str, _FilePerson]:
    hint = 'It is a JSON list of {"name", "roles", "totp_secret"}, where wanted with "playbooks", "customers" and "logins".'
    try:
        people = msgspec.json.decode(file.read_bytes(), type=list[_FilePerson])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The approvers' file {file} cannot be used: {error}", hint=hint) from error
    found = {person_key(person.name): person for person in people}
    seeds = {"".join(person.totp_secret.split()).upper() for person in people}
    if "" in found or len(found) != len(people) or len(seeds) != len(people):
        raise SettingsError(
            f"The approvers' file {file} has a name or a seed twice.", hint="One person, one name, one seed."
        )
    if not all(_is_base32(seed) for seed in seeds):
        raise SettingsError(f"The approvers' file {file} has a seed that is not base32.", hint=hint)
    for person in people:
        _customers(person.customers)
    return found


def _is_base32(seed: str) -> bool:
    try:
        return len(base64.b32decode(seed + "=" * (-len(seed) % 8))) >= 10
    except ValueError:
        return False
