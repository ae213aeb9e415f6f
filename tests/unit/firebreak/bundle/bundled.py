"""A small incident: a round of evidence, a plan, a gate where one answer was refused and one accepted; and its bundle."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from firebreak.approval import Answer
from firebreak.bundle import contents_of
from firebreak.bundle.contents import checksum_of
from firebreak.clients import Recorded
from firebreak.errors import ApprovalError
from firebreak.evidence import EvidenceStore
from firebreak.signatures import SigningKey
from tests.unit.firebreak.execution.builders import NOON, FakeClock, Office, make_gate, make_incident, make_playbook
from tests.unit.firebreak.execution.builders import make_small_plan as make_plan
from tests.unit.firebreak.store.databases import sqlite_url

SIGNING = SigningKey.parse(base64.urlsafe_b64encode(bytes(range(32))).decode(), "KEY")
INCIDENT = "INC-1a2b3c4d"
ALERT = b'{ "id": "alert-1",\r\n "title": "\\u202emining: - {a: *b}", "n": 1.50, "password": "hunter2hunter2" }'
TITLE = "\u202emining: - {a: *b}\n!!python/object"
QUERY = b'{"type":"ActualCost"}'


def recorded_in(folder: Path) -> tuple[Office, EvidenceStore]:
    """Keep the incident in a store below `folder`."""
    clock = FakeClock()
    office = Office(sqlite_url(folder), clock).staff()
    evidence = EvidenceStore((folder / "evidence").as_uri())
    incident = make_incident(title=TITLE)
    office.store.incidents.add(incident, raw_alert_digest=evidence.put(ALERT))
    values = {
        "playbook": msgspec.to_builtins(make_playbook()),
        "round-1": NOON.isoformat(),
        "settings-1": {"currency": "EUR", "contact": None},
        "own-principal-ids": ["44444444-4444-4444-8444-444444444444"],
        "facts-of-contain-1": 1,
    }
    for name, value in values.items():
        office.store.values.set(INCIDENT, name, value)
    asyncio.run(_look(evidence))
    office.audit.append(INCIDENT, "incident.opened", who="intake", data={"alert": "alert-1"})
    plan = make_plan()
    view = office.desk.open(incident, plan, make_gate(), 1)
    wrong = Answer(approver="Eve", code="000000", decision="approve", plan_digest=plan.digest)
    with pytest.raises(ApprovalError):
        office.desk.answer(view.id, wrong, view.ask)
    office.approve(office.desk.view(view.id), "Ann", reason="it mines")
    office.desk.bind(view.id, plan)
    return office, evidence


async def _look(evidence: EvidenceStore) -> None:
    record = evidence.recorder(INCIDENT, "investigate.inventory", round=1)
    host = "https://management.azure.com"
    answers = [
        Recorded(at=NOON, method="GET", url=f"{host}/disks", status=200, content=b'{"value": [1]}'),
        Recorded(at=NOON, method="GET", url=f"{host}/disks", status=200, content=b'{"value": [2]}'),
        Recorded(at=NOON, method="POST", url=f"{host}/query", status=200, content=b"{}", request=QUERY, redacted=True),
        Recorded(
            at=NOON + timedelta(seconds=1),
            method="GET",
            url=f"{host}/x",
            status=0,
            content=b"",
            failure="no answer: reset",
        ),
    ]
    for answer in answers:
        await record(answer)


def files_of(folder: Path, key: SigningKey | None = None) -> dict[str, bytes]:
    """The files of the incident's bundle, from a store of its own."""
    office, evidence = recorded_in(folder)
    with office.store:
        return contents_of(office.store, evidence, office.audit, INCIDENT, key=key)


def made_to_fit(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files that somebody changed, with every hash in incident.yaml made to fit again."""
    reader = YAML(typ="safe", pure=True)
    head = reader.load(files["incident.yaml"])
    head["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in head["files"] if name in files}
    head["checksum"] = checksum_of(head)
    text = io.BytesIO()
    reader.dump(head, text)
    return {**files, "incident.yaml": text.getvalue()}


def zipped(files: dict[str, bytes], path: Path) -> Path:
    """A zip of any files, without the checks of the product."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
