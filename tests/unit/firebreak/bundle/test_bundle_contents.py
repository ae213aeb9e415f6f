"""What is in a bundle, that it is the same each time, and that what was written can be read."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from firebreak.bundle import (
    ACCEPTED,
    Acceptance,
    AcceptedPlan,
    Bundle,
    accepting,
    contents_of,
    open_bundle,
    put_file,
    write_bundle,
)
from firebreak.errors import BundleError, IntegrityError
from firebreak.model.plan import Plan
from tests.unit.firebreak.bundle.bundled import (
    ALERT,
    INCIDENT,
    QUERY,
    SIGNING,
    TITLE,
    files_of,
    made_to_fit,
    recorded_in,
)
from tests.unit.firebreak.execution.builders import NOON, make_small_plan


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return files_of(tmp_path_factory.mktemp("plain"))


@pytest.fixture(params=["folder", "zip"])
def bundle(request: pytest.FixtureRequest, files: dict[str, bytes], tmp_path: Path) -> Bundle:
    return open_bundle(write_bundle(files, tmp_path / ("b.zip" if request.param == "zip" else "b")))


def test_it_holds_the_documents_of_the_contract(files: dict[str, bytes]) -> None:
    plain = {name for name in files if not name.startswith(("evidence/", "plans/"))}
    assert plain == {"incident.yaml", "alert.json", "playbook.json", "decisions.jsonl", "audit.jsonl"}
    head = YAML(typ="safe", pure=True).load(files["incident.yaml"])
    assert list(head)[:2] == ["format", "version"]
    assert (head["format"], head["version"], head["incident"]["id"]) == ("firebreak-bundle", 1, INCIDENT)
    assert head["alert"]["title"] == TITLE
    assert head["rounds"][0]["settings"] == {"currency": "EUR", "contact": None}
    assert head["own_principal_ids"] == ["44444444-4444-4444-8444-444444444444"]
    for name, digest in head["files"].items():
        assert hashlib.sha256(files[name]).hexdigest() == digest


def test_the_manifest_has_what_a_replay_looks_answers_up_by(bundle: Bundle) -> None:
    told = [(e.method, e.url.rpartition("/")[2], e.status, e.round, e.order, e.step) for e in bundle.evidence]
    step = "investigate.inventory"
    assert told == [
        ("GET", "disks", 200, 1, 1, step),
        ("GET", "disks", 200, 1, 2, step),
        ("POST", "query", 200, 1, 3, step),
        ("GET", "x", 0, 1, 4, step),
    ]
    first, second, asked, failed = bundle.evidence
    assert (bundle.body(first), bundle.body(second)) == (b'{"value": [1]}', b'{"value": [2]}')
    assert (bundle.request(asked), bundle.request(first)) == (QUERY, b"")
    assert failed.failure == "no answer: reset"


def test_plans_decisions_and_playbook_come_back(bundle: Bundle) -> None:
    (digest,) = bundle.plans
    assert bundle.plans[digest].digest == digest
    assert len(bundle.plans[digest].actions) == 2
    answers = [d for d in bundle.decisions if d.kind == "gate.answered"]
    assert [(d.who, d.data["accepted"]) for d in answers] == [("Eve", False), ("Ann", True)]
    assert answers[0].data["refused_because"]
    assert bundle.playbook.digest == bundle.head.playbook.digest
    assert bundle.expected is None
    assert bundle.verify().records == bundle.head.audit.records == 5


def test_a_secret_in_the_alert_is_taken_out_and_said_so(bundle: Bundle) -> None:
    assert b"hunter2" not in bundle.alert
    assert bundle.alert == ALERT.replace(b"hunter2hunter2", b"[redacted]")
    assert bundle.head.alert.redacted
    assert bundle.head.alert.raw_digest == hashlib.sha256(ALERT).hexdigest()
    assert {r.file.split("/")[0] for r in bundle.head.redactions} == {"alert.json", "evidence"}


def test_the_same_incident_gives_the_same_bytes(files: dict[str, bytes], tmp_path: Path) -> None:
    office, evidence = recorded_in(tmp_path / "store")
    with office.store:
        first = contents_of(office.store, evidence, office.audit, INCIDENT, key=SIGNING)
        office.clock.forward(days=3)
        second = contents_of(office.store, evidence, office.audit, INCIDENT, key=SIGNING)
    one, two = write_bundle(first, tmp_path / "1.zip"), write_bundle(second, tmp_path / "2.zip")
    assert one.read_bytes() == two.read_bytes()
    assert stat.S_IMODE(one.stat().st_mode) == 0o600


def test_nothing_is_overwritten_unless_asked_and_never_a_folder(files: dict[str, bytes], tmp_path: Path) -> None:
    path = write_bundle(files, tmp_path / "b.zip")
    folder = write_bundle(files, tmp_path / "b")
    before = path.read_bytes()
    with pytest.raises(BundleError, match="is there already"):
        write_bundle({"alert.json": b""}, path)
    assert path.read_bytes() == before
    with pytest.raises(BundleError, match="is there already"):
        write_bundle({"alert.json": b""}, folder, replace=True)
    write_bundle(files, path, replace=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "b.zip"]


def test_evidence_that_was_changed_is_not_exported(tmp_path: Path) -> None:
    office, evidence = recorded_in(tmp_path)
    with office.store:
        digest = evidence.manifest(INCIDENT)[0].digest
        next((tmp_path / "evidence" / "objects").rglob(f"{digest}.gz")).unlink()
        with pytest.raises(IntegrityError, match=digest):
            contents_of(office.store, evidence, office.audit, INCIDENT)


def test_ground_truth_may_be_added_later_and_is_read(files: dict[str, bytes], tmp_path: Path) -> None:
    folder = write_bundle(files, tmp_path / "b")
    (folder / "expected.yaml").write_text("rogue: [/subscriptions/x]\nverdict: compromised\n")
    bundle = open_bundle(folder)
    assert bundle.expected is not None
    assert (bundle.expected.rogue, bundle.expected.verdict) == (("/subscriptions/x",), "compromised")
    (folder / "expected.yaml").write_text("rouge: []\n")
    with pytest.raises(BundleError, match=r"expected\.yaml.*rouge"):
        open_bundle(folder)


def test_a_signed_bundle_is_verified_as_a_whole(tmp_path: Path) -> None:
    signed = files_of(tmp_path / "store", SIGNING)
    folder = write_bundle(signed, tmp_path / "b")
    assert open_bundle(folder).verify(SIGNING.public).signed_by == SIGNING.public.fingerprint
    assert (folder / "audit.pub.pem").read_bytes() == SIGNING.public.pem
    # Somebody changes evidence and makes every hash fit again: the audit log is untouched, the whole is not signed by the key any more.
    digest = json.loads(signed["evidence/manifest.jsonl"].splitlines()[0])["digest"]
    forged = b'{"value": []}'
    changed = {
        name: content.replace(digest.encode(), hashlib.sha256(forged).hexdigest().encode())
        for name, content in signed.items()
        if name != f"evidence/{digest}"
    }
    changed[f"evidence/{hashlib.sha256(forged).hexdigest()}"] = forged
    bundle = open_bundle(write_bundle(made_to_fit(changed), tmp_path / "forged.zip"))
    assert bundle.verify().claimed_key == SIGNING.public.fingerprint
    with pytest.raises(IntegrityError, match=r"signature\.json"):
        bundle.verify(SIGNING.public)


def test_an_unsigned_bundle_is_refused_when_a_key_is_given(bundle: Bundle) -> None:
    with pytest.raises(IntegrityError, match="not signed"):
        bundle.verify(SIGNING.public)


def test_decisions_that_differ_from_the_audit_log_are_found(files: dict[str, bytes], tmp_path: Path) -> None:
    changed = dict(files)
    changed["decisions.jsonl"] = b"".join(files["decisions.jsonl"].splitlines(keepends=True)[:-1])
    bundle = open_bundle(write_bundle(made_to_fit(changed), tmp_path / "b"))
    with pytest.raises(IntegrityError, match=r"decisions\.jsonl"):
        bundle.verify()


def test_what_people_accept_is_added_with_its_reason_and_found_damaged(files: dict[str, bytes], tmp_path: Path) -> None:
    plan = make_small_plan()
    for name in ("b.zip", "b"):
        place = write_bundle(files, tmp_path / name)
        for reason in ("smaller steps", "back again"):
            with open_bundle(place) as bundle:
                put_file(place, ACCEPTED, accepting(bundle.accepted, acceptance(plan, reason), {plan.digest: plan}))
        with open_bundle(place) as bundle:
            assert bundle.accepted is not None
            assert [one.reason for one in bundle.accepted.history] == ["smaller steps", "back again"]
            assert bundle.accepted.plans == {plan.digest: plan}
            assert bundle.verify().records == bundle.head.audit.records
        content = accepting(None, acceptance(plan, "x"), {plan.digest: plan})
        for damaged in (content.replace(b"contain", b"conta1n"), content[:50], content.replace(b'"x"', b'"y"')):
            put_file(place, ACCEPTED, damaged)
            with pytest.raises((BundleError, IntegrityError), match=r"accepted\.json"):
                open_bundle(place)


def acceptance(plan: Plan, reason: str) -> Acceptance:
    one = AcceptedPlan(stage=plan.stage, attempt=1, digest=plan.digest, actions=len(plan.actions))
    return Acceptance(
        at=NOON,
        who="ann",
        reason=reason,
        engine_version="1",
        playbook="p",
        playbook_version="1",
        playbook_digest="d",
        decide="recorded",
        plans=(one,),
    )
