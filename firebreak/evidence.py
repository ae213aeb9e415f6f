"""The evidence store: bytes kept by their SHA-256, and a manifest per incident of which answer came from where.

    store = EvidenceStore("file:///var/lib/firebreak/evidence")     # any fsspec URL when workers are on several hosts
    digest = store.put(raw)                                         # 64 hex digits; the same bytes are kept once
    async with connect(..., recorder=store.recorder("INC-7", "investigate.inventory")): ...
    for entry in store.manifest("INC-7"): store.get(entry.digest)

Layout: `objects/ab/abcdef....gz` (gzip without time or name, so equal bytes give equal files), `manifests/<incident>/<segment>.jsonl`.
Nothing is ever changed in place: objects are written whole or not at all, a segment grows by replacing it whole.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import itertools
import os
import re
import threading
import uuid
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import fsspec
import msgspec
from fsspec.implementations.local import LocalFileSystem

from firebreak.clients.policies.recording import Recorded, Recorder
from firebreak.errors import IntegrityError, ScopeError, SettingsError

_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_SEGMENT_ENTRIES = 100
# JSON shrinks to a twelfth at this level already, in half the time of the usual one.
_GZIP_LEVEL = 3


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One recorded answer, and what a replay finds it by: `method`, `url`, `request`, `round` and `order`.

    `digest` and `bytes` are of the body as kept; `redacted` says that a secret was taken out of it. `request` is the digest of the body of a
    read-only POST. `step` is the reading step that asked, or the stage whose actions were looked at before and after their writes. `round` is
    the look whose facts it made or was planned from, `order` the place among the answers of its connection, from 1. `status` is 0 when no
    answer came; `failure` then says why.
    """

    at: datetime
    step: str
    method: str
    url: str
    status: int
    digest: str
    bytes: int
    content_type: str = ""
    request: str = ""
    redacted: bool = False
    round: int = 0
    order: int = 0
    failure: str = ""


class EvidenceStore:
    """Content-addressed files below `url`. Safe between threads and processes: writers of equal bytes write equal files."""

    def __init__(self, url: str) -> None:
        """Open the store; a local folder is made when it is missing.

        Raises:
            SettingsError: the address names no usable file system.
        """
        try:
            self._fs, root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError, OSError) as exc:
            raise SettingsError(
                f"The evidence store cannot be opened ({type(exc).__name__}).",
                hint="FIREBREAK_EVIDENCE_URL is a folder or an fsspec address such as file:///var/lib/firebreak/evidence.",
            ) from exc
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(self._fs, LocalFileSystem)

    def put(self, content: bytes) -> str:
        """Keep `content` and return its digest. On a local disk it is on the disk, not only in its cache, when this returns."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._object(digest)
        if not self._fs.exists(path):
            self._write(path, gzip.compress(content, compresslevel=_GZIP_LEVEL, mtime=0))
        return digest

    def get(self, digest: str) -> bytes:
        """Return the bytes of a digest.

        Raises:
            IntegrityError: they are missing, or no longer those that were put.
        """
        path = self._object(digest)
        try:
            content = gzip.decompress(self._fs.cat_file(path))
        except FileNotFoundError as exc:
            raise IntegrityError(
                f"Evidence {digest} is missing.", hint="Restore it from a bundle or a backup."
            ) from exc
        except (OSError, EOFError, zlib.error) as exc:
            raise IntegrityError(
                f"Evidence {digest} cannot be read: the file is damaged.", hint="Restore it from a bundle or a backup."
            ) from exc
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise IntegrityError(
                f"Evidence {digest} was changed: the bytes now hash to {found}.",
                hint="Treat the store as tampered with; compare with an exported bundle.",
            )
        return content

    def has(self, digest: str) -> bool:
        return bool(self._fs.exists(self._object(digest)))

    def recorder(
        self,
        incident_id: str,
        step: str,
        *,
        round: int = 0,  # noqa: A002
        orders: Iterator[int] | None = None,
    ) -> Recorder:
        """Return a recorder for one step of one connection: each answer is kept and entered in the incident's manifest before it is used.

        `orders` numbers the answers; recorders of one connection share it.

        Raises:
            ScopeError: the incident id or the step cannot be part of a file name.
        """
        folder, name = self._manifest_folder(incident_id), _checked(step, "step")
        return _Segment(self, folder, name, round, orders or itertools.count(1)).record

    def manifest(self, incident_id: str) -> list[Entry]:
        """Return every entry of an incident, oldest first.

        Raises:
            IntegrityError: a line cannot be read.
        """
        folder = self._manifest_folder(incident_id)
        if not self._fs.exists(folder):
            return []
        entries = []
        for path in sorted(self._fs.ls(folder, detail=False)):
            if not str(path).endswith(".jsonl"):
                continue
            for number, line in enumerate(self._fs.cat_file(path).splitlines(), 1):
                try:
                    entries.append(msgspec.json.decode(line, type=Entry))
                except msgspec.MsgspecError as exc:
                    raise IntegrityError(
                        f"Line {number} of the manifest {Path(str(path)).name} of {incident_id} is damaged.",
                        hint="Restore it from a bundle or a backup.",
                    ) from exc
        return sorted(entries, key=lambda entry: (entry.at, entry.order))

    def verify(self, incident_id: str) -> list[str]:
        """Return what is wrong with the evidence of an incident, one sentence each; nothing when all of it is there and unchanged."""
        faults = []
        wanted = {digest for entry in self.manifest(incident_id) for digest in (entry.digest, entry.request) if digest}
        for digest in sorted(wanted):
            try:
                self.get(digest)
            except IntegrityError as exc:
                faults.append(exc.message)
        return faults

    def keep(self, path: str, content: bytes) -> None:
        """Write one file of the store whole, replacing it."""
        self._write(path, content)

    def _object(self, digest: str) -> str:
        if not _DIGEST.fullmatch(digest):
            raise IntegrityError(
                f"{digest[:80]!r} is no digest of evidence.", hint="A digest is 64 lower-case hex digits."
            )
        return f"{self._root}/objects/{digest[:2]}/{digest}.gz"

    def _manifest_folder(self, incident_id: str) -> str:
        return f"{self._root}/manifests/{_checked(incident_id, 'incident id')}"

    def _write(self, path: str, content: bytes) -> None:
        if not self._is_local:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._fs.pipe_file(path, content)
            return
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        fresh = final.with_name(f".{final.name}.{uuid.uuid4().hex}")
        with fresh.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(final)


class _Segment:
    """The part of a manifest that one connection writes. Whoever comes first writes the lines of all who wait: a write costs a disk flush."""

    def __init__(self, store: EvidenceStore, folder: str, step: str, number: int, orders: Iterator[int]) -> None:
        self._store = store
        self._folder = folder
        self._step = step
        self._round = number
        self._orders = orders
        self._lines: list[bytes] = []
        self._path = ""
        self._waiting: list[Entry] = []
        self._entering = threading.Lock()
        self._writing = threading.Lock()

    async def record(self, answer: Recorded) -> None:
        # Numbered here, where answers come one after another, not in the threads that write them.
        await asyncio.to_thread(self._record, answer, next(self._orders))

    def _record(self, answer: Recorded, order: int) -> None:
        entry = Entry(
            at=answer.at,
            step=self._step,
            method=answer.method,
            url=answer.url,
            status=answer.status,
            digest=self._store.put(answer.content),
            bytes=len(answer.content),
            content_type=answer.content_type,
            request=self._store.put(answer.request) if answer.request else "",
            redacted=answer.redacted,
            round=self._round,
            order=order,
            failure=answer.failure,
        )
        with self._entering:
            self._waiting.append(entry)
        with self._writing:
            try:
                while batch := self._batch_with(entry):
                    self._write(batch)
                    self._drop(batch)
            except BaseException:
                self._drop([entry])
                raise

    def _batch_with(self, entry: Entry) -> list[Entry]:
        """What waits, the first of it; nothing once `entry` is written."""
        with self._entering:
            is_waiting = any(waiting is entry for waiting in self._waiting)
            return self._waiting[:_SEGMENT_ENTRIES] if is_waiting else []

    def _drop(self, entries: list[Entry]) -> None:
        gone = {id(entry) for entry in entries}
        with self._entering:
            self._waiting = [waiting for waiting in self._waiting if id(waiting) not in gone]

    def _write(self, entries: list[Entry]) -> None:
        lines = [msgspec.json.encode(entry) for entry in entries]
        if not self._path or len(self._lines) + len(lines) > _SEGMENT_ENTRIES:
            self._lines = []
            at = entries[0].at
            self._path = f"{self._folder}/{at:%Y%m%dT%H%M%S%f}-{self._step}-{uuid.uuid4().hex[:8]}.jsonl"
        self._store.keep(self._path, b"\n".join([*self._lines, *lines, b""]))
        self._lines += lines


def _checked(name: str, what: str) -> str:
    if not _NAME.fullmatch(name) or ".." in name:
        raise ScopeError(
            f"The {what} {name[:80]!r} cannot be part of a file name.",
            hint="Use letters, digits, dots, dashes and underscores.",
        )
    return name
