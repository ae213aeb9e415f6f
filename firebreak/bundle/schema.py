"""JSON schemas of a bundle's documents, made from the values that read them.

python -m firebreak.bundle.schema        write docs/reference/bundle/*.schema.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from firebreak.audit import AuditRecord
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
}


def schemas() -> dict[str, bytes]:
    """File name -> JSON schema; for the documents in JSON lines it is the schema of one line."""
    found = {}
    for name, kind in DOCUMENTS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(kind)}
        found[f"{name}.schema.json"] = (
            msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2) + b"\n"
        )
    return found


def main() -> None:
    """Write the schemas below the checkout."""
    folder = Path(__file__).parent.parent.parent / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in schemas().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
