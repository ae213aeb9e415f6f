"""The audit log: append-only records per incident, each holding the hash of the one before.

`export` writes JSON lines; `verify` needs that file and nothing else. The last line, kind `chain.end`, says how many records there
are, so that a file cut short at a line is found too. With a signing key it also holds a signature over the number of records and the hash
of the last one: whoever controls the host can write a whole new chain, but not sign it.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select, update

from firebreak.clients.policies.redaction import without_secrets
from firebreak.errors import IntegrityError
from firebreak.model.canonical import canonical_bytes
from firebreak.signatures import SigningKey, VerifyingKey
from firebreak.store import Clock, Store
from firebreak.store.database import insert_once
from firebreak.store.schema import audit as audit_table
from firebreak.store.schema import audit_heads

FORMAT: Final = "firebreak-audit-1"
_END: Final = "chain.end"


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that happened. `who` is a person, a run or "engine"; `data` is JSON without floats and without secrets.

    `hash` is the SHA-256 over the canonical JSON of all other fields.
    """

    seq: int
    at: str
    incident: str
    kind: str
    who: str
    data: dict[str, Any]
    previous: str
    hash: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says; the log adds number, time and hashes."""

    kind: str
    who: str
    data: Mapping[str, Any] = {}


class VerifiedChain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain that adds up. `head` is the hash of the last record: compare it with one kept elsewhere (report, mail, ticket).

    `signed_by` is the fingerprint of the key whose signature was checked, "" when none was. `claimed_key` is the fingerprint that the file
    itself names; on its own it proves nothing.
    """

    incident: str
    records: int
    head: str
    first_at: str
    last_at: str
    signed_by: str = ""
    claimed_key: str = ""

    @property
    def proven(self) -> str:
        """What was proven, in one sentence."""
        if self.signed_by:
            return f"chain intact and signed by key fingerprint {self.signed_by}"
        if self.claimed_key:
            return f"chain intact; the signature by key fingerprint {self.claimed_key} was not checked (give its --public-key)"
        return "chain intact; not signed"


class AuditLog:
    """Appends to and exports the chains of one store. `append` may join the caller's transaction, so both happen or neither."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def append(
        self, incident: str, kind: str, *, who: str, data: Mapping[str, Any] | None = None, tx: Connection | None = None
    ) -> AuditRecord:
        """Add one record to the incident's chain ("" for what belongs to no incident) and return it.

        Raises:
            IntegrityError: the chain in the database was cut or edited.
            TypeError: `data` holds a float.
        """
        return self.append_all(incident, [Entry(kind=kind, who=who, data=data or {})], tx=tx)[0]

    def append_all(self, incident: str, entries: Iterable[Entry], *, tx: Connection | None = None) -> list[AuditRecord]:
        """Add several records in one go. Raises as `append`."""
        if tx is None:
            with self._store.write() as own:
                return self.append_all(incident, entries, tx=own)
        insert_once(tx, audit_heads, {"incident": incident, "seq": 0, "hash": _genesis(incident)})
        # The head row is the lock: PostgreSQL holds it until commit, SQLite has the write lock anyway.
        head = tx.execute(select(audit_heads).where(audit_heads.c.incident == incident).with_for_update()).one()
        seq, previous, at = head.seq, head.hash, _text(self._clock())
        records = []
        for entry in entries:
            seq += 1
            record = _sealed(seq, at, incident, entry, previous)
            previous = record.hash
            records.append(record)
        if not records:
            return []
        rows = [
            {"incident": incident, "seq": r.seq, "body": canonical_bytes(r).decode(), "hash": r.hash} for r in records
        ]
        tx.execute(audit_table.insert(), rows)
        tx.execute(update(audit_heads).where(audit_heads.c.incident == incident).values(seq=seq, hash=previous))
        return records

    def records(self, incident: str) -> list[AuditRecord]:
        """All records of an incident, checked.

        Raises:
            IntegrityError: a record was changed or removed in the database; names its number.
        """
        wanted = select(audit_table.c.body).where(audit_table.c.incident == incident).order_by(audit_table.c.seq)
        with self._store.read() as tx:
            bodies = tx.execute(wanted).scalars().all()
            head = tx.execute(select(audit_heads).where(audit_heads.c.incident == incident)).one_or_none()
        records = list(_checked((body.encode() for body in bodies), incident, "Record"))
        expected = (0, _genesis(incident)) if head is None else (head.seq, head.hash)
        found = (records[-1].seq, records[-1].hash) if records else (0, _genesis(incident))
        if expected != found:
            raise _broken(f"Record {found[0] + 1} of {incident}", "the chain's end is missing in the database")
        return records

    def export(self, incident: str, path: Path, key: SigningKey | None = None) -> VerifiedChain:
        """Write the incident's chain as JSON lines to `path` and return what `verify` would.

        Raises:
            IntegrityError: the chain in the database does not add up; nothing is written.
        """
        content = self.exported(incident, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return verify_bytes(content, str(path), key.public if key else None)

    def exported(self, incident: str, key: SigningKey | None = None) -> bytes:
        """Return the incident's chain as JSON lines, signed when there is a key. The same chain and key give the same bytes.

        Raises:
            IntegrityError: the chain in the database does not add up.
        """
        records = self.records(incident)
        head = records[-1].hash if records else _genesis(incident)
        at = records[-1].at if records else _text(self._clock())
        end = _end(incident, len(records), head, at, key)
        return b"".join(canonical_bytes(record) + b"\n" for record in [*records, end])


def verify(path: Path, public_key: VerifyingKey | None = None) -> VerifiedChain:
    """Check an exported chain from its file alone: no network, no database, no trust in the host that wrote it.

    With a public key the file must also be signed by that key.

    Raises:
        IntegrityError: a byte was changed, a line removed, added or moved (names the line), or the signature is not there or not of that key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"The audit log {path} cannot be read: {error.strerror}.") from error
    return verify_bytes(content, str(path), public_key)


def verify_bytes(content: bytes, place: str, public_key: VerifyingKey | None = None) -> VerifiedChain:
    """Check an exported chain that was read already; `place` names it in errors. Otherwise as `verify`."""
    lines = content.split(b"\n")
    if lines[-1]:
        raise _broken(f"{place}:{len(lines)}", "the file does not end with a whole line")
    records = list(_checked(lines[:-1], None, f"{place}:"))
    if not records or records[-1].kind != _END:
        raise _broken(f"{place}:{len(records) + 1}", "the end of the chain is missing")
    for line, record in enumerate(records[:-1], start=1):
        if record.kind == _END:
            raise _broken(f"{place}:{line}", "the end of the chain is not at the end")
    end, body = records[-1], records[:-1]
    fingerprint, signature = end.data.get("key", ""), end.data.get("signature", "")
    told = {"records": len(body), "format": FORMAT}
    if end.data not in (told, {**told, "key": fingerprint, "signature": signature}) or end.who != "engine":
        raise _broken(f"{place}:{len(records)}", "the number of records or the format is not what the end says")
    if body and end.at != body[-1].at:
        raise _broken(f"{place}:{len(records)}", "the end has another time than the last record")
    if public_key is not None:
        _check_signature(end, len(body), public_key, place)
    return VerifiedChain(
        incident=end.incident,
        records=len(body),
        head=end.previous,
        first_at=records[0].at,
        last_at=end.at,
        signed_by=public_key.fingerprint if public_key else "",
        claimed_key=str(fingerprint),
    )


def chained(incident: str, entries: Iterable[tuple[str, str, str, Mapping[str, Any]]]) -> bytes:
    """Return an unsigned chain of its own as JSON lines: of entries (`at` as a record has it, kind, who, data), in their order.

    Raises:
        TypeError: data holds a float.
    """
    records: list[AuditRecord] = []
    for at, kind, who, data in entries:
        previous = records[-1].hash if records else _genesis(incident)
        records.append(_sealed(len(records) + 1, at, incident, Entry(kind=kind, who=who, data=data), previous))
    head, at = (
        (records[-1].hash, records[-1].at) if records else (_genesis(incident), _text(datetime.min.replace(tzinfo=UTC)))
    )
    return b"".join(
        canonical_bytes(record) + b"\n" for record in [*records, _end(incident, len(records), head, at, None)]
    )


def _check_signature(end: AuditRecord, records: int, public_key: VerifyingKey, place: str) -> None:
    hint = "Without --public-key only the chain is checked, which whoever controlled the host could have written anew."
    signature, claimed = end.data.get("signature"), end.data.get("key")
    if not isinstance(signature, str) or not signature:
        raise IntegrityError(f"The audit log {place} is not signed.", hint=hint)
    if not public_key.has_signed(_statement(end.incident, records, end.previous, end.at), signature):
        whose = "another key's" if claimed != public_key.fingerprint else "not over this chain"
        raise IntegrityError(
            f"The signature of the audit log {place} is {whose}: it does not fit the key {public_key.fingerprint}.",
            hint="Compare the fingerprint with the one the operator published. " + hint,
        )


def _end(incident: str, records: int, head: str, at: str, key: SigningKey | None) -> AuditRecord:
    data: dict[str, Any] = {"records": records, "format": FORMAT}
    if key is not None:
        data |= {"key": key.public.fingerprint, "signature": key.sign(_statement(incident, records, head, at))}
    return _sealed(records + 1, at, incident, Entry(kind=_END, who="engine", data=data), head)


def _statement(incident: str, records: int, head: str, at: str) -> bytes:
    """What is signed: the format, whose chain it is, how many records, and the hash of the last, which covers all before it."""
    return canonical_bytes({"format": FORMAT, "incident": incident, "records": records, "head": head, "at": at})


def _checked(lines: Iterable[bytes], incident: str | None, place: str) -> Iterator[AuditRecord]:
    previous = None if incident is None else _genesis(incident)
    for number, line in zip(itertools.count(1), lines, strict=False):
        where = f"{place}{number}" if place.endswith(":") else f"{place} {number}"
        try:
            record = msgspec.json.decode(line, type=AuditRecord)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _broken(where, f"not an audit record ({error})") from error
        incident = record.incident if incident is None else incident
        previous = _genesis(incident) if previous is None else previous
        if record.seq != number or record.incident != incident:
            raise _broken(where, f"record {record.seq} of {record.incident!r} is not the one that belongs here")
        if record.previous != previous:
            raise _broken(where, "it does not continue the record before it")
        # Equal bytes, not only an equal value: white space or a doubled key is a change too.
        if not record.hash or record.hash != _hash(record) or canonical_bytes(record) != line:
            raise _broken(where, "its content was changed")
        previous = record.hash
        yield record


def _sealed(seq: int, at: str, incident: str, entry: Entry, previous: str) -> AuditRecord:
    # Through builtins, so that what is hashed is what a reader of the file gets (tuples are lists, Decimals are text).
    data = _clean(msgspec.json.decode(canonical_bytes(entry.data)))
    who = without_secrets(entry.who)
    record = AuditRecord(
        seq=seq, at=at, incident=incident, kind=entry.kind, who=who, data=data, previous=previous, hash=""
    )
    return msgspec.structs.replace(record, hash=_hash(record))


def _clean(value: Any) -> Any:
    """What may be kept for ever: a record cannot be mended later."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return [_clean(item) for item in value] if isinstance(value, list) else value


def _hash(record: AuditRecord) -> str:
    fields = msgspec.structs.asdict(record)
    del fields["hash"]
    try:
        return hashlib.sha256(canonical_bytes(fields)).hexdigest()
    except TypeError:
        return ""  # a float: no record of ours has one


def _genesis(incident: str) -> str:
    return hashlib.sha256(f"{FORMAT}\n{incident}".encode()).hexdigest()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _broken(where: str, what: str) -> IntegrityError:
    return IntegrityError(
        f"The audit chain is broken at {where}: {what}.",
        hint="Compare with another copy of the log; everything before this place still holds.",
    )
