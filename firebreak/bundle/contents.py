"""What a bundle holds, as file names and bytes, taken from the stores. The same incident gives the same bytes: no clock is read."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from ruamel.yaml import YAML

from firebreak import __version__
from firebreak.audit import AuditLog, AuditRecord, verify_bytes
from firebreak.bundle.documents import (
    ALERT,
    AUDIT,
    DECISIONS,
    EXPECTED,
    FORMAT,
    INCIDENT,
    MANIFEST,
    PLAYBOOK,
    PUBLIC_KEY,
    SIGNATURE,
    VERSION,
    AlertPart,
    AuditPart,
    Decision,
    IncidentFile,
    IncidentPart,
    PlanPart,
    PlaybookPart,
    Redaction,
    RoundPart,
    SignatureFile,
    evidence_file,
    plan_file,
)
from firebreak.clients.policies.redaction import body_without_secrets
from firebreak.evidence import EvidenceStore
from firebreak.model.canonical import canonical_bytes, digest_of
from firebreak.model.playbook import Playbook
from firebreak.signatures import SigningKey
from firebreak.store import Store

_IS_REDACTED = "a secret was taken out before it was kept"


def contents_of(
    store: Store,
    evidence: EvidenceStore,
    audit: AuditLog,
    incident_id: str,
    *,
    key: SigningKey | None = None,
    expected: bytes | None = None,
) -> dict[str, bytes]:
    """Return every file of the incident's bundle. `expected` is an expected.yaml to put in.

    Raises:
        ContentError: there is no such incident.
        IntegrityError: evidence, a plan or the audit chain does not match its hash; nothing is exported then.
    """
    row = store.incidents.row(incident_id)
    incident, alert = row.incident, row.incident.alert
    values = store.values.all(incident_id)
    playbook = msgspec.convert(values["playbook"], Playbook)
    raw = evidence.get(store.incidents.raw_alert_digest(incident_id))
    alert_json, alert_redacted = body_without_secrets(raw)
    records = audit.records(incident_id)
    files = {
        ALERT: alert_json,
        PLAYBOOK: canonical_bytes(playbook),
        DECISIONS: lines(decisions_in(records)),
        AUDIT: audit.exported(incident_id, key),
    }
    plans = []
    for stage, attempt, digest in store.plans.list(incident_id):
        plan = store.plans.load(digest)
        files[plan_file(digest)] = canonical_bytes(plan)
        facts_round = int(values.get(f"facts-of-{stage}-{attempt}", 1))
        plans.append(
            PlanPart(stage=stage, attempt=attempt, facts_round=facts_round, digest=digest, actions=len(plan.actions))
        )
    if key is not None:
        files[PUBLIC_KEY] = key.public.pem
    if expected is not None:
        files[EXPECTED] = expected
    manifest = evidence.manifest(incident_id)
    files[MANIFEST] = lines(manifest)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    redacted = {evidence_file(entry.digest) for entry in manifest if entry.redacted}
    redactions = [Redaction(file=ALERT, why=_IS_REDACTED)] if alert_redacted else []
    chain = verify_bytes(files[AUDIT], AUDIT, key.public if key else None)
    document = IncidentFile(
        format=FORMAT,
        version=VERSION,
        engine_version=__version__,
        incident=IncidentPart(
            id=incident.id,
            case=incident.case,
            mode=incident.mode.value,
            state=row.state,
            note=row.note,
            subscription_id=incident.subscription_id,
            customer_tenant_id=alert.customer_tenant_id,
            opened_at=incident.opened_at,
            updated_at=row.updated_at,
            requested_by=incident.requested_by,
        ),
        alert=AlertPart(
            id=alert.id,
            type=alert.type,
            title=alert.title,
            severity=alert.severity,
            source=alert.source,
            is_test=alert.is_test,
            detected_at=alert.detected_at,
            raw_digest=hashlib.sha256(raw).hexdigest(),
            redacted=alert_redacted,
        ),
        playbook=PlaybookPart(id=playbook.id, version=playbook.version, title=playbook.title, digest=playbook.digest),
        own_principal_ids=tuple(values.get("own-principal-ids", ())),
        rounds=_rounds(values),
        plans=tuple(plans),
        redactions=(*redactions, *(Redaction(file=name, why=_IS_REDACTED) for name in sorted(redacted))),
        audit=AuditPart(records=chain.records, head=chain.head, key=chain.signed_by),
        files=hashes,
    )
    for kept in {d for entry in manifest for d in (entry.digest, entry.request) if d}:
        files[evidence_file(kept)] = evidence.get(kept)
    document = msgspec.structs.replace(document, checksum=checksum_of(msgspec.to_builtins(document)))
    files[INCIDENT] = to_yaml(document)
    if key is not None:
        signature = SignatureFile(key=key.public.fingerprint, signature=key.sign(statement(files[INCIDENT])))
        files[SIGNATURE] = canonical_bytes(signature) + b"\n"
    return dict(sorted(files.items()))


def decisions_in(records: Iterable[AuditRecord]) -> list[Decision]:
    """The gates and answers among audit records, in order."""
    return [
        Decision(record=r.seq, at=r.at, kind=r.kind, who=r.who, data=r.data)
        for r in records
        if r.kind.startswith("gate.") or r.kind == "plan.bound"
    ]


def checksum_of(document: Mapping[str, Any]) -> str:
    """The checksum of incident.yaml as it was read, whatever keys it has.

    Raises:
        TypeError: it holds what no incident.yaml holds, such as a fraction.
    """
    return digest_of({name: value for name, value in document.items() if name != "checksum"})


def statement(incident_yaml: bytes) -> bytes:
    """What the signature of a bundle is over."""
    return canonical_bytes(
        {"format": FORMAT, "version": VERSION, "incident_yaml": hashlib.sha256(incident_yaml).hexdigest()}
    )


def lines(values: Iterable[Any]) -> bytes:
    """JSON lines, canonical."""
    return b"".join(canonical_bytes(value) + b"\n" for value in values)


def _rounds(values: Mapping[str, Any]) -> tuple[RoundPart, ...]:
    found = []
    for name, value in values.items():
        number = name.removeprefix("round-")
        if name.startswith("round-") and number.isdigit() and value:
            settings = values.get(f"settings-{number}") or {}
            found.append(RoundPart(round=int(number), began_at=datetime.fromisoformat(value), settings=settings))
    return tuple(sorted(found, key=lambda part: part.round))


def to_yaml(document: msgspec.Struct) -> bytes:
    """A document as YAML of plain values, in the order of its fields."""
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 160
    stream = io.BytesIO()
    writer.dump(msgspec.to_builtins(document), stream)
    return stream.getvalue()
