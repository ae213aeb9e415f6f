"""The documents of a bundle as values. Unknown keys are passed over: a later version may add some; it raises `version` when one changes its meaning."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

FORMAT: Final = "firebreak-bundle"
VERSION: Final = 1
INCIDENT, SIGNATURE, ALERT, PLAYBOOK = "incident.yaml", "signature.json", "alert.json", "playbook.json"
DECISIONS, AUDIT, MANIFEST, EXPECTED = "decisions.jsonl", "audit.jsonl", "evidence/manifest.jsonl", "expected.yaml"
PUBLIC_KEY: Final = "audit.pub.pem"
REQUIRED: Final = (INCIDENT, ALERT, PLAYBOOK, DECISIONS, AUDIT, MANIFEST)


def evidence_file(digest: str) -> str:
    """The name of a recorded body."""
    return f"evidence/{digest}"


def plan_file(digest: str) -> str:
    """The name of a plan."""
    return f"plans/{digest}.json"


class IncidentPart(msgspec.Struct, frozen=True, kw_only=True):
    """The incident: who it is about, in which mode it was answered, and how it stood when it was exported."""

    id: str
    case: str
    mode: Literal["live", "dry-run", "replay"]
    state: str
    note: str = ""
    subscription_id: str
    customer_tenant_id: str
    opened_at: datetime
    updated_at: datetime
    requested_by: str = ""


class AlertPart(msgspec.Struct, frozen=True, kw_only=True):
    """The alert in a few words. `raw_digest` is the SHA-256 of the bytes as they came, `redacted` says that alert.json differs from them."""

    id: str
    type: str
    title: str = ""
    severity: str = ""
    source: str = ""
    is_test: bool = False
    detected_at: datetime
    raw_digest: str
    redacted: bool = False


class PlaybookPart(msgspec.Struct, frozen=True, kw_only=True):
    """Which playbook; playbook.json is the whole of it as it was when the incident was opened, and `digest` is that file's SHA-256."""

    id: str
    version: str
    title: str = ""
    digest: str


class RoundPart(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the world. Everything in it was judged as of `began_at`; `settings` are those that a plan depends on."""

    round: int
    began_at: datetime
    settings: dict[str, Any] = {}


class PlanPart(msgspec.Struct, frozen=True, kw_only=True):
    """One plan: `attempt` counts the plans of a stage, `facts_round` is the round it was made from."""

    stage: str
    attempt: int
    facts_round: int
    digest: str
    actions: int


class Redaction(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is not byte for byte what came, and why."""

    file: str
    why: str


class AuditPart(msgspec.Struct, frozen=True, kw_only=True):
    """The audit chain as exported: how many records, the hash of the last, and the fingerprint of the key that signed, "" for none."""

    records: int
    head: str
    key: str = ""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """The bundle was made from another one: `how` (redacted), by which version, what was replaced by kind and number of different things.
    `same_plans`: whether a replay of both gave the same plans up to the pseudonyms; null: not tried.
    """

    how: str
    engine_version: str
    replaced: dict[str, int] = {}
    same_plans: bool | None = None


class IncidentFile(msgspec.Struct, frozen=True, kw_only=True):
    """incident.yaml. `files` has the SHA-256 of every file but itself, the signature, and the bodies below evidence/, which are named by theirs.

    `checksum` is the SHA-256 of the canonical JSON of all other keys: damage is found without a signature too.
    """

    format: Literal["firebreak-bundle"]
    version: int
    engine_version: str = ""
    incident: IncidentPart
    alert: AlertPart
    playbook: PlaybookPart
    own_principal_ids: tuple[str, ...] = ()
    rounds: tuple[RoundPart, ...] = ()
    plans: tuple[PlanPart, ...] = ()
    redactions: tuple[Redaction, ...] = ()
    audit: AuditPart
    files: dict[str, str]
    derived: Derived | None = None
    checksum: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One line of decisions.jsonl: a gate that asked, an answer that was accepted or refused, a question that expired, a plan bound to its
    approvals. `record` is the number of the audit record it was taken from; the keys of `data` are that record's.
    """

    record: int
    at: str
    kind: str
    who: str
    data: dict[str, Any]


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """expected.yaml, the ground truth that people add: resource ids the attacker made, ids that must stay, identities of the attacker, verdict."""

    rogue: tuple[str, ...] = ()
    legitimate: tuple[str, ...] = ()
    attackers: tuple[str, ...] = ()
    verdict: str = ""


class SignatureFile(msgspec.Struct, frozen=True, kw_only=True):
    """signature.json: `signature` (base64) by the key with the fingerprint `key`, over the canonical JSON of format, version and the SHA-256
    of incident.yaml, which covers every other file.
    """

    key: str
    signature: str
