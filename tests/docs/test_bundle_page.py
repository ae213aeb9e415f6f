"""The page about the bundle explains every field, and the schemas are those of the values that read it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from firebreak.audit import AuditRecord
from firebreak.bundle import Acceptance, AcceptedFile, AcceptedPlan, Concluded
from firebreak.bundle.documents import (
    AlertPart,
    AuditPart,
    Decision,
    Derived,
    Expected,
    IncidentFile,
    IncidentPart,
    PlanPart,
    PlaybookPart,
    Redaction,
    RoundPart,
    SignatureFile,
)
from firebreak.bundle.schema import FOLDER, schemas
from firebreak.evidence import Entry
from firebreak.model.plan import Action, Limits, NoOp, Plan, Protection
from firebreak.model.playbook import Gate, GuardRails, Playbook, PreAuthorised, Stage
from tests.unit.firebreak.bundle.bundled import SIGNING, files_of

TOP = Path(__file__).parent.parent.parent
PAGE = (TOP / "docs/reference/bundle.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
INCIDENT_PARTS = (
    IncidentFile,
    IncidentPart,
    AlertPart,
    PlaybookPart,
    RoundPart,
    PlanPart,
    Redaction,
    AuditPart,
    Derived,
)
EXPLAINED = [
    *(("incident.yaml", part) for part in INCIDENT_PARTS),
    *(("plans/DIGEST.json", part) for part in (Plan, Action, NoOp, Limits, Protection)),
    ("evidence/manifest.jsonl", Entry),
    ("decisions.jsonl", Decision),
    ("audit.jsonl", AuditRecord),
    ("signature.json", SignatureFile),
    ("expected.yaml", Expected),
    *(("accepted.json", part) for part in (AcceptedFile, Acceptance, AcceptedPlan, Concluded)),
]


@pytest.mark.parametrize(("section", "kind"), EXPLAINED, ids=lambda value: getattr(value, "__name__", value))
def test_every_field_is_explained(section: str, kind: type) -> None:
    for field in msgspec.structs.fields(kind):
        assert f"`{field.encode_name}`" in SECTIONS[section], field.encode_name


@pytest.mark.parametrize("kind", [Playbook, Stage, Gate, GuardRails, PreAuthorised], ids=lambda kind: kind.__name__)
def test_every_field_of_the_playbook_is_explained_here_or_in_the_guide(kind: type) -> None:
    told = SECTIONS["playbook.json"] + (TOP / "docs/guide/playbooks.md").read_text(encoding="utf-8")
    for field in msgspec.structs.fields(kind):
        assert re.search(rf"`{field.encode_name.removesuffix('_minutes')}[`.]", told), field.encode_name


def test_there_is_no_schema_of_a_document_that_is_no_more() -> None:
    assert {path.name for path in (TOP / FOLDER).iterdir()} == set(schemas())


def test_the_documents_of_a_bundle_fit_their_schemas(tmp_path: Path) -> None:
    files = files_of(tmp_path, SIGNING)
    check = {name.split(".")[0]: Draft202012Validator(json.loads(text)) for name, text in schemas().items()}
    check["incident"].validate(YAML(typ="safe", pure=True).load(files["incident.yaml"]))
    for name, schema in (
        ("evidence/manifest.jsonl", "manifest"),
        ("decisions.jsonl", "decision"),
        ("audit.jsonl", "audit-record"),
    ):
        lines = files[name].splitlines()
        assert lines, name
        for line in lines:
            check[schema].validate(json.loads(line))
    check["playbook"].validate(json.loads(files["playbook.json"]))
    check["signature"].validate(json.loads(files["signature.json"]))
    plans = [json.loads(content) for name, content in files.items() if name.startswith("plans/")]
    assert plans
    for plan in plans:
        check["plan"].validate(plan)
    assert not check["decision"].is_valid({"record": "one"})
