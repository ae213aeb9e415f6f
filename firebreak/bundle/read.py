"""Open a bundle that may come from anybody. When `open_bundle` returns, every file is there, is the one that was exported, and can be read.

A large bundle is mostly recorded answers, and to unpack and hash them takes seconds. Whoever reads them all anyway opens it with
`check_evidence=False` and calls `check_evidence` at the end: each is checked once, when it is read, and the rest then.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.tokens import (
    AliasToken,
    AnchorToken,
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    TagToken,
)

from firebreak.audit import AuditRecord, VerifiedChain, verify_bytes
from firebreak.bundle.accepted import ACCEPTED, AcceptedFile, read_accepted
from firebreak.bundle.containers import Container, Limits, open_container
from firebreak.bundle.contents import checksum_of, decisions_in, lines, statement
from firebreak.bundle.documents import (
    ALERT,
    AUDIT,
    DECISIONS,
    EXPECTED,
    FORMAT,
    INCIDENT,
    MANIFEST,
    PLAYBOOK,
    REQUIRED,
    SIGNATURE,
    VERSION,
    Decision,
    Expected,
    IncidentFile,
    SignatureFile,
    evidence_file,
    plan_file,
)
from firebreak.errors import BundleError, IntegrityError
from firebreak.evidence import Entry
from firebreak.model.plan import Plan
from firebreak.model.playbook import Playbook
from firebreak.signatures import VerifyingKey

T = TypeVar("T")
_LARGEST_YAML = 4 * 1024 * 1024
_DEEPEST_YAML = 30
_OPENING = (BlockMappingStartToken, BlockSequenceStartToken, FlowMappingStartToken, FlowSequenceStartToken)
_CLOSING = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_CHANGED = "Do not use it as evidence; compare with another copy."


class Bundle:
    """One incident, read from its bundle. Close it, or use it in a `with`; bodies are read from the file when asked for."""

    def __init__(self, container: Container, head: IncidentFile, evidence: tuple[Entry, ...]) -> None:
        self._container = container
        self.place = container.place
        self.head = head
        self.incident = head.incident
        self.evidence = evidence
        self._checked: set[str] = set()
        self.alert = self._file(ALERT)
        self.playbook = self._playbook()
        self.plans: dict[str, Plan] = {part.digest: self._plan(part.digest) for part in head.plans}
        self.decisions = tuple(self._lines(DECISIONS, Decision))
        self.expected = self._expected()
        self.accepted = self._accepted()

    def body(self, entry: Entry) -> bytes:
        """The body of a recorded answer, as kept.

        Raises:
            BundleError, IntegrityError: it is gone, or no longer what was recorded.
        """
        return self._named(entry.digest)

    def request(self, entry: Entry) -> bytes:
        """The body of the read-only POST that was answered, b"" when there was none. Raises as `body`."""
        return self._named(entry.request) if entry.request else b""

    def check_evidence(self) -> None:
        """Check every recorded answer that was not read yet.

        Raises:
            BundleError, IntegrityError: one is damaged or was changed; names the file.
        """
        named = {digest for entry in self.evidence for digest in (entry.digest, entry.request) if digest}
        for digest in sorted(named - self._checked):
            self._named(digest)

    def audit_log(self) -> bytes:
        """audit.jsonl as it is."""
        return self._file(AUDIT)

    def verify(self, public_key: VerifyingKey | None = None) -> VerifiedChain:
        """Check the audit chain and that the bundle tells of the same decisions; with a key also who signed the chain and the bundle.

        Raises:
            IntegrityError: something does not add up, or is not signed by that key; names the file.
        """
        place = f"{self._container.place}: {AUDIT}"
        content = self.audit_log()
        chain = verify_bytes(content, place, public_key)
        if (chain.incident, chain.records, chain.head) != (
            self.incident.id,
            self.head.audit.records,
            self.head.audit.head,
        ):
            raise IntegrityError(f"{place} is not the log that {INCIDENT} names.", hint=_CHANGED)
        records = [msgspec.json.decode(line, type=AuditRecord) for line in content.splitlines()[:-1]]
        if lines(decisions_in(records)) != self._file(DECISIONS):
            raise IntegrityError(
                f"{self._container.place}: {DECISIONS} tells of other decisions than {AUDIT}.", hint=_CHANGED
            )
        if public_key is not None:
            self._check_signature(public_key)
        return chain

    def close(self) -> None:
        self._container.close()

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: everything that was read, without the file; it cannot be asked for bodies."""
        return {name: value for name, value in vars(self).items() if name != "_container"}

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_signature(self, public_key: VerifyingKey) -> None:
        place = f"{self._container.place}: {SIGNATURE}"
        if SIGNATURE not in self._container.sizes:
            raise IntegrityError(f"{self._container.place} is not signed as a whole.", hint="Its audit log alone is.")
        signature = _decoded(self._container.read(SIGNATURE), SignatureFile, place)
        if not public_key.has_signed(statement(self._container.read(INCIDENT)), signature.signature):
            raise IntegrityError(
                f"{place} is not the signature of this bundle by the key {public_key.fingerprint}.", hint=_CHANGED
            )

    def _file(self, name: str) -> bytes:
        content = self._container.read(name)
        wanted = self.head.files.get(name)
        if wanted is None:
            raise IntegrityError(f"{self._container.place}: {INCIDENT} has no hash of {name}.", hint=_CHANGED)
        if hashlib.sha256(content).hexdigest() != wanted:
            raise IntegrityError(f"{self._container.place}: {name} was changed.", hint=_CHANGED)
        return content

    def _named(self, digest: str) -> bytes:
        name = evidence_file(digest)
        content = self._container.read(name)
        if hashlib.sha256(content).hexdigest() != digest:
            raise IntegrityError(f"{self._container.place}: {name} was changed.", hint=_CHANGED)
        self._checked.add(digest)
        return content

    def _playbook(self) -> Playbook:
        playbook = _decoded(self._file(PLAYBOOK), Playbook, f"{self._container.place}: {PLAYBOOK}")
        if _digest(playbook) != self.head.playbook.digest:
            raise IntegrityError(
                f"{self._container.place}: {PLAYBOOK} is not the playbook {INCIDENT} names.", hint=_CHANGED
            )
        return playbook

    def _plan(self, digest: str) -> Plan:
        name = plan_file(digest)
        plan = _decoded(self._file(name), Plan, f"{self._container.place}: {name}")
        if _digest(plan) != digest:
            raise IntegrityError(f"{self._container.place}: {name} is not the plan {INCIDENT} names.", hint=_CHANGED)
        return plan

    def _expected(self) -> Expected | None:
        # People add it after the export, so that it needs no hash in incident.yaml.
        if EXPECTED not in self._container.sizes:
            return None
        content = self._file(EXPECTED) if EXPECTED in self.head.files else self._container.read(EXPECTED)
        return read_expected(content, f"{self._container.place}: {EXPECTED}")

    def _accepted(self) -> AcceptedFile | None:
        if ACCEPTED not in self._container.sizes:
            return None
        return read_accepted(self._container.read(ACCEPTED), f"{self._container.place}: {ACCEPTED}")

    def _lines(self, name: str, kind: type[T]) -> Iterable[T]:
        return _decoded_lines(self._file(name), kind, f"{self._container.place}: {name}")


def _digest(value: Plan | Playbook) -> str:
    """The digest of what may come from anybody; "" for what has none."""
    try:
        return value.digest
    except (TypeError, ValueError, RecursionError):
        return ""


def open_bundle(path: Path, *, limits: Limits | None = None, check_evidence: bool = True) -> Bundle:
    """Open a bundle, a folder or a zip, and check all of it: names, kinds and sizes of files, version, hashes, documents.

    Without `check_evidence` the hashes of recorded answers are left to `Bundle.check_evidence`; each is checked when it is read all the same.

    Raises:
        BundleError: it is no bundle, is of a newer version, too large, or holds what no bundle holds; names the file.
        IntegrityError: a file is not the one that was exported; names it.
    """
    container = open_container(path, limits or Limits())
    try:
        bundle = _opened(container)
        if check_evidence:
            bundle.check_evidence()
        return bundle
    except BaseException:
        container.close()
        raise


def read_expected(content: bytes, place: str) -> Expected:
    """Read an expected.yaml.

    Raises:
        BundleError: it is not one; `place` names it.
    """
    return _converted(_yaml(content, place), Expected, place)


def _opened(container: Container) -> Bundle:
    place = container.place
    for name in REQUIRED:
        if name not in container.sizes:
            raise BundleError(f"{place}: {name} is missing.", hint="Is it an incident bundle, and all of it?")
    document = _yaml(container.read(INCIDENT), f"{place}: {INCIDENT}")
    _check_version(document, place)
    head = _converted(document, IncidentFile, f"{place}: {INCIDENT}")
    _check_sum(document, head, place)
    for part in head.plans:
        if not _DIGEST.fullmatch(part.digest):
            raise BundleError(
                f"{place}: {INCIDENT} names a plan by {part.digest[:80]!r}.", hint="A digest is 64 hex digits."
            )
    for name in (*head.files, *(plan_file(part.digest) for part in head.plans)):
        if name not in container.sizes:
            raise BundleError(f"{place}: {name} is missing.", hint="Get the bundle again, whole.")
    manifest = container.read(MANIFEST)
    if hashlib.sha256(manifest).hexdigest() != head.files.get(MANIFEST):
        raise IntegrityError(f"{place}: {MANIFEST} was changed.", hint=_CHANGED)
    evidence = tuple(_decoded_lines(manifest, Entry, f"{place}: {MANIFEST}"))
    wanted = set()
    for number, entry in enumerate(evidence, 1):
        for digest in (entry.digest, entry.request):
            if digest and not _DIGEST.fullmatch(digest):
                raise BundleError(f"{place}: {MANIFEST}:{number} has no digest but {digest[:80]!r}.", hint=_CHANGED)
            wanted |= {digest} if digest else set()
    known = {INCIDENT, SIGNATURE, EXPECTED, ACCEPTED, *head.files, *map(evidence_file, wanted)}
    if odd := sorted(set(container.sizes) - known):
        raise BundleError(
            f"{place}: {odd[0]} is no part of this bundle.",
            hint="Nothing but expected.yaml and accepted.json may be added.",
        )
    bundle = Bundle(container, head, evidence)
    for name in head.files:
        bundle._file(name)
    return bundle


def _check_sum(document: dict[str, Any], head: IncidentFile, place: Path) -> None:
    try:
        is_whole = checksum_of(document) == head.checksum
    except (TypeError, ValueError, OverflowError, RecursionError):
        is_whole = False
    if not is_whole:
        raise IntegrityError(f"{place}: {INCIDENT} was changed.", hint=_CHANGED)


def _check_version(document: Any, place: Path) -> None:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError(f"{place}: {INCIDENT} is not of the format {FORMAT}.", hint="Is it an incident bundle?")
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleError(f"{place}: {INCIDENT} has no version.", hint=f"This version reads bundles up to {VERSION}.")
    if version > VERSION:
        raise BundleError(
            f"{place}: {INCIDENT} has version {version}, newer than the {VERSION} that is understood here.",
            hint="Use a newer Firebreak.",
        )


def _yaml(content: bytes, place: str) -> Any:
    """Read a YAML document of plain values; anchors, aliases and tags are refused, since few bytes of them can mean gigabytes or code."""
    if len(content) > _LARGEST_YAML:
        raise BundleError(f"{place} has more than {_LARGEST_YAML:,} bytes.", hint="Is it an incident bundle?")
    reader = YAML(typ="safe", pure=True)
    try:
        text = content.decode("utf-8")
        depth = 0
        for token in reader.scan(text):
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if depth > _DEEPEST_YAML:  # the time to read it grows with the square of the depth
                raise BundleError(f"{place} is nested more than {_DEEPEST_YAML} deep.", hint="Use plain values.")
            if isinstance(token, AliasToken | AnchorToken | TagToken):
                line = token.start_mark.line + 1
                raise BundleError(f"{place}:{line} has an anchor, an alias or a tag.", hint="Use plain values.")
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, BundleError):
            raise
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise BundleError(
            f"{place}{where} is no YAML that can be read ({type(error).__name__}).", hint=_CHANGED
        ) from error


def _converted(value: Any, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BundleError(
            f"{place}: {error}.", hint="See docs/reference/bundle.md for what each field holds."
        ) from error


def _decoded(content: bytes, kind: type[T], place: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{place} cannot be read: {error}.", hint=_CHANGED) from error


def _decoded_lines(content: bytes, kind: type[T], place: str) -> Iterable[T]:
    return [_decoded(line, kind, f"{place}:{number}") for number, line in enumerate(content.split(b"\n")[:-1], 1)]
