"""JSON schemas of a bundle's documents, made from the values that read them; `make docs` writes them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from firebreak.audit import AuditRecord
from firebreak.bundle.accepted import AcceptedFile
from firebreak.bundle.documents import Decision, Expected, IncidentFile, SignatureFile
from firebreak.evidence import Entry
from firebreak.model.plan import Plan
from firebreak.model.playbook import Playbook

FOLDER: Final = "docs/reference/bundle"
DOCUMENTS: Final[dict[str, type[Any]]] = {
    "incident": IncidentFile,
    "manifest": Entry,
    "decision": Decision,
    "audit-record": AuditRecord,
    "plan": Plan,
    "playbook": Playbook,
    "expected": Expected,
    "signature": SignatureFile,
    "accepted": AcceptedFile,
}


def schemas() -> dict[str, str]:
    """File name -> JSON schema; for the documents in JSON lines it is the schema of one line."""
    found = {}
    for name, kind in DOCUMENTS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}
        found[f"{name}.schema.json"] = (
            msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"
        )
    return found
