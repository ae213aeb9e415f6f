"""Incident bundles: everything kept of one incident as a folder or zip, the same bytes each time, readable without Firebreak.

    write_bundle(contents_of(store, evidence, audit, "INC-7", key=None), Path("INC-7.zip"))
    with open_bundle(Path("INC-7.zip")) as bundle:          # everything is checked before anything is handed out
        bundle.incident, bundle.playbook, bundle.plans, bundle.decisions
        for entry in bundle.evidence: bundle.body(entry)

Field by field: docs/reference/bundle.md.
"""

from firebreak.bundle.accepted import ACCEPTED, Acceptance, AcceptedFile, AcceptedPlan, Concluded, accepting
from firebreak.bundle.containers import Limits
from firebreak.bundle.contents import contents_of
from firebreak.bundle.documents import Decision, Expected, IncidentFile
from firebreak.bundle.read import Bundle, open_bundle
from firebreak.bundle.write import put_file, write_bundle

__all__ = [
    "ACCEPTED",
    "Acceptance",
    "AcceptedFile",
    "AcceptedPlan",
    "Bundle",
    "Concluded",
    "Decision",
    "Expected",
    "IncidentFile",
    "Limits",
    "accepting",
    "contents_of",
    "open_bundle",
    "put_file",
    "write_bundle",
]
