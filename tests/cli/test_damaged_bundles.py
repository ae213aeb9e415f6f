"""More than two hundred damaged bundles through `firebreak replay`: each is refused with the file named, or is the same bundle still. Never a crash."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from firebreak.bundle import open_bundle, write_bundle
from firebreak.cli.main import main
from firebreak.errors import ResponseError
from tests.unit.firebreak.bundle.bundled import files_of, made_to_fit, zipped

Files = dict[str, bytes]
Replay = Callable[[Path], dict[str, Any]]
FLIPS, CUTS, RAW_FLIPS = 120, 40, 60


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return files_of(tmp_path_factory.mktemp("plain"))


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Replay what must be refused: exit code 1, one error as JSON and nothing else; anything raised past the command fails the test."""

    def run(bundle: Path) -> dict[str, Any]:
        monkeypatch.setattr(sys, "argv", ["firebreak", "replay", str(bundle), "--json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = json.loads(capsys.readouterr().out)
        assert ended.value.code == 1
        assert list(told) == ["error"]
        assert told["error"]["code"] in ("bad_bundle", "integrity")
        assert told["error"]["hint"]
        return dict(told["error"])

    return run


def named(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def test_flipped_bits_are_found_in_every_file(files: Files, tmp_path: Path, refused: Replay) -> None:
    chance = random.Random(1)  # noqa: S311 - repeatable
    full = sorted(name for name in files if files[name])
    for number in range(FLIPS):
        name = full[number % len(full)]
        content = bytearray(files[name])
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path = zipped({**files, name: bytes(content)}, tmp_path / "b.zip")
        if name == "incident.yaml" and same_document(bytes(content), files[name]):
            continue  # YAML writes one value in several ways
        assert named(name) in refused(path)["message"], name


def test_flipped_bits_of_the_zip_itself_are_found_or_change_nothing(
    files: Files, tmp_path: Path, refused: Replay
) -> None:
    """Some bytes of a zip mean nothing (times, padding): then the bundle opens and is the same."""
    chance = random.Random(3)  # noqa: S311
    whole = write_bundle(files, tmp_path / "whole.zip").read_bytes()
    path, found = tmp_path / "b.zip", 0
    for _ in range(RAW_FLIPS):
        content = bytearray(whole)
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        try:
            with open_bundle(path) as bundle:
                assert bundle.verify().records > 0
                assert [bundle.body(entry) for entry in bundle.evidence] == [
                    files[f"evidence/{entry.digest}"] for entry in bundle.evidence
                ]
        except ResponseError:
            found += 1
            assert "b.zip" in refused(path)["message"]
    assert found > RAW_FLIPS / 2


def same_document(one: bytes, other: bytes) -> bool:
    try:
        return bool(YAML(typ="safe", pure=True).load(one) == YAML(typ="safe", pure=True).load(other))
    except Exception:  # noqa: BLE001 - whatever a reader of YAML says of noise
        return False


def test_cut_off_files_are_found(files: Files, tmp_path: Path, refused: Replay) -> None:
    chance = random.Random(2)  # noqa: S311
    full = sorted(name for name in files if files[name])
    for number in range(CUTS):
        name = full[number % len(full)]
        cut = files[name][: chance.randrange(len(files[name]))]
        assert named(name) in refused(zipped({**files, name: cut}, tmp_path / "b.zip"))["message"], name


def test_missing_and_exchanged_files_are_found(files: Files, tmp_path: Path, refused: Replay) -> None:
    for name in files:
        less = {other: content for other, content in files.items() if other != name}
        assert named(name) in refused(zipped(less, tmp_path / "b.zip"))["message"], name
    bodies = sorted(name for name in files if name.startswith("evidence/") and not name.endswith("l"))
    mixed = {**files, bodies[0]: files[bodies[1]], bodies[1]: files[bodies[0]]}
    assert any(named(name) in refused(zipped(mixed, tmp_path / "b.zip"))["message"] for name in bodies[:2])


def test_a_zip_that_was_cut_off_is_found(files: Files, tmp_path: Path, refused: Replay) -> None:
    whole = write_bundle(files, tmp_path / "whole.zip").read_bytes()
    for part in range(1, 10):
        path = tmp_path / "b.zip"
        path.write_bytes(whole[: len(whole) * part // 10])
        assert "b.zip" in refused(path)["message"]


def reordered(content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join([lines[1], lines[0], *lines[2:]])


def test_an_audit_log_in_another_order_is_found_when_every_hash_fits(
    files: Files, tmp_path: Path, refused: Replay
) -> None:
    for change in (reordered, lambda c: c.replace(b'"Ann"', b'"Eve"'), lambda c: b"".join(c.splitlines(True)[:-2])):
        changed = made_to_fit({**files, "audit.jsonl": change(files["audit.jsonl"])})
        assert changed["audit.jsonl"] != files["audit.jsonl"]
        assert "audit.jsonl" in refused(zipped(changed, tmp_path / "b.zip"))["message"]
    changed = made_to_fit({**files, "decisions.jsonl": reordered(files["decisions.jsonl"])})
    assert "decisions.jsonl" in refused(zipped(changed, tmp_path / "b.zip"))["message"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("incident.yaml", b"", "incident.yaml"),
        ("incident.yaml", b"format: firebreak-bundle\nversion: 2\n", "newer"),
        ("incident.yaml", b"- 1\n", "incident.yaml"),
        ("accepted.json", b"{}", "accepted.json"),
        ("expected.yaml", b"rogue: 7\n", "expected.yaml"),
        ("../evil", b"x", "not plain"),
        ("evidence/" + "0" * 64, b"x", "no part"),
    ],
)
def test_what_does_not_belong_there_is_named(
    files: Files, tmp_path: Path, refused: Replay, name: str, content: bytes, said: str
) -> None:
    assert said in refused(zipped({**files, name: content}, tmp_path / "b.zip"))["message"]


def test_a_bomb_is_refused_before_it_is_unpacked(files: Files, tmp_path: Path, refused: Replay) -> None:
    bomb = zipped({**files, "expected.yaml": bytes(65 * 1024 * 1024)}, tmp_path / "b.zip")
    assert bomb.stat().st_size < 1024 * 1024
    assert "expected.yaml" in refused(bomb)["message"]


@pytest.mark.parametrize("what", ["no rounds", "other subscription", "no json", "bad settings"])
def test_a_sealed_bundle_that_makes_no_sense_is_refused(
    files: Files, tmp_path: Path, refused: Replay, what: str
) -> None:
    changed = dict(files)
    if what in ("no rounds", "bad settings"):
        head = YAML(typ="safe", pure=True).load(files["incident.yaml"])
        head["rounds"] = [] if what == "no rounds" else [{**head["rounds"][0], "settings": {"currency": "doubloons"}}]
        changed["incident.yaml"] = json.dumps(head).encode()
        said = "incident.yaml"
    else:
        other = {"id": "a", "subscriptionId": "4" * 8 + "-4444-4444-8444-" + "4" * 12, "customerTenantId": "2" * 8 + "-2222-4222-8222-" + "2" * 12}  # fmt: skip
        changed["alert.json"] = b"{" if what == "no json" else json.dumps(other).encode()
        said = "alert.json"
    path = zipped(made_to_fit(changed), tmp_path / "b.zip")
    open_bundle(path).close()
    assert said in refused(path)["message"]
