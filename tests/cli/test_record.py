"""Export and verify through the real command line, also where there is nothing but the exported file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.console import calling
from tests.unit.firebreak.bundle.bundled import INCIDENT, recorded_in
from tests.unit.firebreak.store.databases import sqlite_url


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))


Firebreak = Callable[..., Said]


@pytest.fixture
def firebreak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Firebreak:
    """The command line on a store with one incident, in an empty folder."""
    recorded_in(tmp_path / "state")[0].store.close()
    monkeypatch.setenv("FIREBREAK_DATABASE_URL", sqlite_url(tmp_path / "state"))
    monkeypatch.setenv("FIREBREAK_EVIDENCE_URL", (tmp_path / "state" / "evidence").as_uri())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    call = calling(monkeypatch, capsys)
    return lambda *words: Said(*call(*words))


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A signing key that the settings refer to."""
    path = tmp_path / "signing.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    monkeypatch.setenv("FIREBREAK_AUDIT_SIGNING_KEY", f"file:{path}")
    return path


def test_the_store_is_verified_with_its_evidence(firebreak: Firebreak, tmp_path: Path) -> None:
    said = firebreak("incidents", "verify", INCIDENT)
    assert said.code == 0
    assert "5 records, the chain is intact; 4 answers as evidence" in said.out
    told = firebreak("incidents", "verify", INCIDENT, "--json").json
    assert (told["incident"], told["records"], told["intact"], told["evidence"]) == (INCIDENT, 5, True, 4)
    next((tmp_path / "state" / "evidence" / "objects").rglob("*.gz")).write_bytes(b"x")
    broken = firebreak("incidents", "verify", INCIDENT, "--json")
    assert broken.code == 1
    assert broken.json["error"]["code"] == "integrity"


def test_a_bundle_is_exported_and_verified_as_zip_and_folder(firebreak: Firebreak) -> None:
    for out in ("b.zip", "b"):
        told = firebreak("incidents", "export", INCIDENT, "--out", out, "--json")
        assert told.code == 0
        assert (told.json["bundle"], told.json["records"], told.json["proven"]) == (out, 5, "chain intact; not signed")
        assert firebreak("incidents", "verify", f"./{out}").code == 0
    assert firebreak("incidents", "export", INCIDENT, "--out", "b.zip").code == 1
    assert firebreak("incidents", "export", INCIDENT, "--out", "b.zip", "--force").code == 0
    (Path("b") / "alert.json").write_text("{}")
    said = firebreak("incidents", "verify", "b")
    assert said.code == 1
    assert "alert.json was changed" in said.err


def test_with_a_key_the_export_is_signed_and_checked_by_the_printed_key(firebreak: Firebreak, key_file: Path) -> None:
    printed = firebreak("incidents", "public-key", "--out", "op.pem", "--json").json
    assert Path("op.pem").read_text() == printed["public_key"]
    exported = firebreak("incidents", "export", INCIDENT, "--out", "b.zip", "--json").json
    assert exported["signed_by"] == printed["fingerprint"]
    assert Path("b.zip.pub.pem").read_text() == printed["public_key"]
    said = firebreak("incidents", "verify", "b.zip", "--public-key", "op.pem")
    assert said.code == 0
    assert f"chain intact and signed by key fingerprint {printed['fingerprint']}" in said.out
    assert "PRIVATE" not in printed["public_key"]


def test_an_unsigned_export_is_refused_when_a_key_is_given(
    firebreak: Firebreak, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firebreak("incidents", "public-key", "--out", "op.pem")
    monkeypatch.delenv("FIREBREAK_AUDIT_SIGNING_KEY")
    firebreak("incidents", "export", INCIDENT, "--out", "b")
    said = firebreak("incidents", "verify", "--file", "b/audit.jsonl", "--public-key", "op.pem")
    assert said.code == 1
    assert "is not signed" in said.err
    assert firebreak("incidents", "verify", "--file", "b/audit.jsonl", "--public-key", key_file).code == 1


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("hunter2hunter2", "FIREBREAK_AUDIT_SIGNING_KEY"),
        ("env:NOT_SET", "NOT_SET"),
        ("file:/nowhere/key.pem", "/nowhere/key.pem"),
        ("keyvault:https://evil.example/secrets/key", "Key Vault reference"),
    ],
)
def test_a_bad_signing_key_is_told_before_anything_is_written(
    firebreak: Firebreak, monkeypatch: pytest.MonkeyPatch, value: str, named: str
) -> None:
    monkeypatch.setenv("FIREBREAK_AUDIT_SIGNING_KEY", value)
    said = firebreak("incidents", "export", INCIDENT, "--out", "b.zip")
    assert said.code == 1
    assert named in said.err
    assert "hunter2" not in said.err
    assert not Path("b.zip").exists()


def test_without_a_key_the_command_that_prints_it_says_how_to_make_one(firebreak: Firebreak) -> None:
    said = firebreak("incidents", "public-key")
    assert said.code == 1
    assert "openssl genpkey" in said.err


def test_verifying_a_file_needs_nothing_but_the_file(firebreak: Firebreak, key_file: Path, tmp_path: Path) -> None:
    """In a process without home, store, network and settings: an unknown setting would make any look at them fail."""
    firebreak("incidents", "export", INCIDENT, "--out", "b")
    firebreak("incidents", "public-key", "--out", "op.pem")
    alone = tmp_path / "alone"
    alone.mkdir()
    log = alone / "audit.jsonl"
    log.write_bytes(Path("b/audit.jsonl").read_bytes())
    (alone / "op.pem").write_bytes(Path("op.pem").read_bytes())
    environment = {"PATH": os.environ["PATH"], "FIREBREAK_NO_SUCH_SETTING": "1", "HOME": "/nowhere"}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)

    words = ["incidents", "verify", "--file", "audit.jsonl", "--public-key", "op.pem"]
    done = subprocess.run(
        [sys.executable, "-m", "firebreak.cli.main", *words],
        env=environment,
        cwd=alone,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 records, chain intact and signed by key fingerprint" in done.stdout
    assert sorted(path.name for path in alone.iterdir()) == ["audit.jsonl", "op.pem"]
    log.write_bytes(log.read_bytes().replace(b'"Ann"', b'"Eve"'))
    broken = firebreak("incidents", "verify", "--file", log)
    assert broken.code == 1
    assert "The audit chain is broken at " in broken.err
